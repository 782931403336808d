/**
 * Shootdown without interrupts: INVLPGB tells every CPU, TLBSYNC waits for all of them (AMD; Linux uses them since 6.15).
 *
 *     CPU 0                                   CPU 1
 *     write page tables
 *     inc mm.tlbGen            (LOCK)
 *     INVLPGB                                 goes on, may use old entries
 *     TLBSYNC                                 now it cannot
 *
 * No CPU is interrupted, so code with interrupts off is not waited for: page tables must be kept for GUP-fast by other means
 * (table-free.ts in core). Nobody raises the generation of another CPU's slot; a switch that finds it behind flushes once more.
 *
 * No CPU compares generations here, so a request that describes one step, or several that were folded, must not jump over others: where
 * completed generations are published, it covers everything unless all before its base is completed. Otherwise it would complete what
 * another gather has recorded and not flushed yet.
 *
 * Simplification: all ASIDs are told, because an mm has another slot on each CPU; every flush is like reclaim's. Linux broadcasts under global
 * ASIDs (global-asid.ts), which mms get one by one.
 */
import { ALL, type Cpu, type Extent, hasRing, type Mm, type Steps } from '@mmu-gather/core/stepped';
import type { FlushTlbInfo } from './flush-tlb-info.ts';
import { invlpgb } from './isa.ts';
import { TLB_FLUSH_ALL } from './reason.ts';
import { x86Of } from './tlbstate.ts';

/**
 * broadcast_tlb_flush: what a request covers, on every CPU, whatever it runs.
 * @param mm the mm of the request; null if it is of none, and for everything
 */
export function* broadcastTlbFlush(cpu: Cpu, mm: Mm | null, info: FlushTlbInfo): Steps<void> {
  const end = cpu.read(info.end);
  const all = end === TLB_FLUSH_ALL || (mm !== null && (yield* jumps(cpu, mm, info)));
  const range: Extent = all ? ALL : { start: cpu.read(info.start), end };
  yield* cpu.invalidate(invlpgb(range));
  if (x86Of(cpu).switches.tlbsync) yield* cpu.invalidationBarrier();
}

/** Are there generations before the request's base that nobody has completed? */
function* jumps(cpu: Cpu, mm: Mm, info: FlushTlbInfo): Steps<boolean> {
  const { completedGen, gapRule } = x86Of(cpu).switches;
  const matters = hasRing(cpu) ? cpu.kernel.profile.ringBase : completedGen !== 'none' && gapRule;
  return matters && (yield* cpu.readOnce(mm.tlbGenCompleted)) < cpu.read(info.base);
}

/** Does this kernel broadcast? */
export function broadcasts(cpu: Cpu): boolean {
  return x86Of(cpu).switches.shootdown === 'broadcast';
}
