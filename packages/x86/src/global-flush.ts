/**
 * Flushes by broadcast under a global ASID (arch/x86/mm/tlb.c: broadcast_tlb_flush, finish_asid_transition).
 *
 * As long as an mm is in transition, some CPU may run it under a dynamic ASID, which the broadcast does not name:
 *
 *     CPU 0 (broadcast_tlb_flush)                  CPU 1 (switch_mm_irqs_off)
 *     write page tables, inc mm.tlbGen             loadedMm = SWITCHING
 *     INVLPGB of the global ASID                   reads global_asid: none yet, takes a dynamic one
 *     in transition: CPU 1 is SWITCHING? wait      CR3
 *                                                  loadedMm = mm, loadedMmAsid = dynamic
 *     loadedMm is mm, another ASID: interrupt      flush_tlb_func: loads the global ASID
 *     TLBSYNC
 */
import { ALL, type Cpu, type Extent, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { flushTlbMulti } from './flush-multi.ts';
import type { FlushTlbInfo } from './flush-tlb-info.ts';
import { mmInAsidTransition } from './global-asid.ts';
import { invlpgbPcid } from './isa.ts';
import { userTag } from './pti.ts';
import { TLB_FLUSH_ALL } from './reason.ts';
import { LOADED_MM_SWITCHING, mmAsidTransition, x86Of } from './tlbstate.ts';

/** broadcast_tlb_flush: what a request covers, under the global ASID of its mm, on every CPU; with PTI under that of user mode, too. */
export function* broadcastGlobalAsid(cpu: Cpu, mm: Mm, asid: number, info: FlushTlbInfo): Steps<void> {
  const end = cpu.read(info.end);
  const range: Extent = end === TLB_FLUSH_ALL ? ALL : { start: cpu.read(info.start), end };
  const { pti, ptiUserFlush } = x86Of(cpu).switches;
  yield* cpu.invalidate(invlpgbPcid(asid, range));
  if (pti && ptiUserFlush) yield* cpu.invalidate(invlpgbPcid(userTag(cpu, asid), range));
  yield* finishAsidTransition(cpu, mm, asid, info);
  if (x86Of(cpu).switches.tlbsync) yield* cpu.invalidationBarrier();
}

/** finish_asid_transition: interrupts the CPUs of an mm as long as one of them runs it under another ASID. */
function* finishAsidTransition(cpu: Cpu, mm: Mm, asid: number, info: FlushTlbInfo): Steps<void> {
  const { switches, tlbstate } = x86Of(cpu);
  if (!switches.transitionIpi || !(yield* mmInAsidTransition(cpu, mm))) return;
  const mask = yield* cpu.readOnce(mm.cpumask);
  for (const [target, state] of tlbstate.entries()) {
    if ((mask & (1 << target)) === 0) continue;
    // It may be switching to the mm, with an ASID that it chose before there was this one.
    if (switches.transitionWait) yield* cpu.waitFor(state.loadedMm, 'notEqual', LOADED_MM_SWITCHING);
    if ((yield* cpu.readOnce(state.loadedMm)) !== mm.address) continue;
    if ((yield* cpu.readOnce(state.loadedMmAsid)) === asid) continue;
    yield* flushTlbMulti(cpu, mask, info);
    return;
  }
  yield* cpu.writeOnce(mmAsidTransition(mm), 0);
}
