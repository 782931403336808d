/**
 * tlb_flush, and what a gather asks of the architecture (asm/tlb.h).
 *
 * MMU_GATHER_NO_GATHER: pages are in no gather, for their entries were purged when they changed; where that was put off, this CPU alone is
 * attached, and in the kernel. What gathers do wait for is tables: a table that was unlinked is a debt of the whole mm, for IDTE by ASCE is
 * what drops pointers to tables.
 *
 *     unlink the table by a store                // the entry may be attached: asm/tlb.h leaves this deviation from the rule open
 *     flush_mm = 1
 *     tlb_flush: the debt is paid, by this CPU or by one that holds context.lock
 *     free the table after a grace period
 */
import type { Cpu, MmuGather, Steps } from '@mmu-gather/core/stepped';
import { flushMm, s390Of } from './state.ts';
import { tlbFlushMmLazy } from './tlb.ts';

/** tlb_flush. */
export function tlbFlush(cpu: Cpu, tlb: MmuGather): Steps<void> {
  return tlbFlushMmLazy(cpu, tlb.mm);
}

/** pte_free_tlb, pmd_free_tlb, pud_free_tlb: whoever flushes next flushes all. */
export function* tableFreed(cpu: Cpu, tlb: MmuGather): Steps<void> {
  if (s390Of(cpu).switches.tableDebt) yield* cpu.writeOnce(flushMm(tlb.mm), 1);
}
