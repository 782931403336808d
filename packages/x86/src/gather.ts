/**
 * tlb_flush: a gather's record becomes one flush (arch/x86/include/asm/tlb.h).
 */
import { type Cpu, genericTlbFlush, type MmuGather, type Steps, tlbGetUnmapShift } from '@mmu-gather/core/stepped';
import { flushTlbMmRange } from './flush.ts';
import { TLB_FLUSH_ALL } from './reason.ts';
import { x86Of } from './tlbstate.ts';

/**
 * tlb_flush: everything if the whole mm goes or the gather asks for it, else the hull, in units of the lowest level that was
 * cleared. The hull of a freed table is one page, which is enough: any INVLPG drops the whole walk cache of the PCID.
 */
export function tlbFlush(cpu: Cpu, tlb: MmuGather): Steps<void> {
  const { gatherFlush, needFlushAll } = x86Of(cpu).switches;
  if (gatherFlush === 'generic') return genericTlbFlush(cpu, tlb);
  const all = tlb.fullmm || (tlb.needFlushAll && needFlushAll === 'honoured');
  const start = all ? 0 : tlb.start;
  const end = all ? TLB_FLUSH_ALL : tlb.end;
  return flushTlbMmRange(cpu, tlb.mm, start, end, tlbGetUnmapShift(cpu, tlb), tlb.freedTables);
}
