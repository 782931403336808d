/**
 * tlb_flush and tlb_get_level (arch/arm64/include/asm/tlb.h): a gather's record becomes one flush.
 *
 *     fullmm, no tables freed    nothing: the ASID is dead, and given out again only after a full flush. What is left leads to freed pages,
 *                                and no live ASID leads there
 *     fullmm, tables freed       the whole mm: walks through freed tables do harm whoever makes them
 *     else                       the hull; walk caches if tables were freed; a level hint if one level only was cleared
 *
 * A nested finish sets fullmm on a live mm, and freed_tables beside it: without that its flush would be none (trace T17). need_flush_all is not
 * looked at: a hull that was reset ends before it begins, which counts as too large.
 */
import { type Cpu, entrySize, type MmuGather, type Steps, tlbGetUnmapLevel } from '@mmu-gather/core/stepped';
import { arm64Of } from './asid-state.ts';
import { flushRange, flushTlbMm } from './flush.ts';
import { TTL_UNKNOWN } from './isa.ts';
import { traceGather } from './trace.ts';

/** tlb_get_level: the level to hint at. Of freed tables nothing is known: hints are for leaves. */
export function tlbGetLevel(cpu: Cpu, tlb: MmuGather): number {
  if (tlb.freedTables || tlb.cleared === 0) return TTL_UNKNOWN;
  const single = (tlb.cleared & (tlb.cleared - 1)) === 0;
  return single || arm64Of(cpu).switches.levelHint === 'lowest' ? tlbGetUnmapLevel(tlb) : TTL_UNKNOWN;
}

/** tlb_flush. */
export function* tlbFlush(cpu: Cpu, tlb: MmuGather): Steps<void> {
  const { freedTablesDropWalks, fullmmFlush } = arm64Of(cpu).switches;
  const tables = tlb.freedTables && freedTablesDropWalks;
  traceGather(cpu, tlb);
  if (tlb.fullmm) {
    if (tables || fullmmFlush === 'always') yield* flushTlbMm(cpu, tlb.mm);
    return;
  }
  yield* flushRange(cpu, tlb.mm, {
    start: tlb.start,
    end: tlb.end,
    stride: entrySize(cpu.kernel.geometry, tlbGetUnmapLevel(tlb)),
    leafOnly: !tables,
    level: tlbGetLevel(cpu, tlb),
  });
}
