/**
 * tlb_flush (arch/riscv/include/asm/tlb.h): a gather's record becomes one flush.
 *
 *     fullmm, need_flush_all, freed tables    the whole mm: SFENCE.VMA with an address drops leaves only
 *     else                                    the hull, in units of the lowest level that was cleared
 */
import { type Cpu, type MmuGather, type Steps, tlbGetUnmapLevel } from '@mmu-gather/core/stepped';
import { flushEverything, flushMmRange, strideOf } from './flush.ts';
import { riscvOf } from './state.ts';

/** tlb_flush. */
export function tlbFlush(cpu: Cpu, tlb: MmuGather): Steps<void> {
  const { gatherFlush, tablesFlushMm } = riscvOf(cpu).switches;
  const { freedTables } = tlb;
  const whole = freedTables ? tablesFlushMm : gatherFlush === 'mm';
  const all = whole || tlb.fullmm || tlb.needFlushAll;
  if (all) return flushEverything(cpu, tlb.mm, freedTables);
  const stride = strideOf(cpu, tlbGetUnmapLevel(tlb));
  return flushMmRange(cpu, tlb.mm, { start: tlb.start, size: tlb.end - tlb.start, stride, freedTables });
}
