/**
 * Page-table isolation: each ASID is a pair of PCIDs, one for the kernel and one for user mode (arch/x86/mm/tlb.c, asm/tlbflush.h).
 *
 *     flush_tlb_local       CR3 of the kernel's PCID; the user PCID is noted in user_pcid_flush_mask, and goes with the CR3 of the next return
 *                           to user mode
 *     flush_tlb_one_user    INVLPG, which names the kernel's PCID; INVPCID type 0 for the user's, or, without it, a note as above
 *
 * Simplification: what is noted is invalidated at once. Nothing walks under the user PCID in between: the kernel has its own loaded. And what is
 * loaded here is the user PCID's: accesses of user mode are what can be wrong, and the kernel's own to user addresses are like them.
 */
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import { invlpg, invpcidAddress, invpcidSingle } from './isa.ts';
import { x86Of } from './tlbstate.ts';

/** user_pcid: the tag under which user mode walks. Without PTI that of the kernel. */
export function userTag(cpu: Cpu, asid: number): number {
  const { slots, switches } = x86Of(cpu);
  return switches.pti ? asid + slots + switches.globalAsids : asid;
}

/** flush_tlb_local: everything of a loaded ASID. */
export function* flushTlbLocalAsid(cpu: Cpu, asid: number): Steps<void> {
  yield* cpu.invalidate(x86Of(cpu).fullFlush[asid]!);
  yield* invalidateUserAsid(cpu, asid);
}

/** flush_tlb_one_user: one page of a loaded ASID. */
export function* flushTlbOneUser(cpu: Cpu, asid: number, address: number): Steps<void> {
  const { pti, ptiUserFlush, invpcid } = x86Of(cpu).switches;
  yield* cpu.invalidate(invlpg(asid, address));
  if (pti && ptiUserFlush && invpcid) yield* cpu.invalidate(invpcidAddress(userTag(cpu, asid), address));
  else yield* invalidateUserAsid(cpu, asid);
}

/** invalidate_user_asid, and the flush that it asks for. */
function* invalidateUserAsid(cpu: Cpu, asid: number): Steps<void> {
  const { pti, ptiUserFlush } = x86Of(cpu).switches;
  if (pti && ptiUserFlush) yield* cpu.invalidate(invpcidSingle(userTag(cpu, asid)));
}
