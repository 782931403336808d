/**
 * Events. arm64 has no tracepoint of its TLB flushes (tlb:tlb_flush is x86's), so this is what one would show:
 * `cpu.trace('arm64_tlb_flush', kind, asid, pages, start)`, when the TLBIs are issued; pages is -1 for everything, and start the first address of
 * a range. And what probes on calls show: `arm64_gather` (tlb_flush: start, end, and the bit field of struct mmu_gather),
 * `arm64_flush_range` (__flush_tlb_range for flush_tlb_range: start, end, stride).
 */
import type { Cpu, MmuGather } from '@mmu-gather/core/stepped';

/** Everything on this CPU. */
export const FLUSH_LOCAL_ALL: number = 0;
/** One page on this CPU. */
export const FLUSH_LOCAL_PAGE: number = 1;
/** An mm. */
export const FLUSH_MM: number = 2;
/** A range of an mm. */
export const FLUSH_RANGE: number = 3;
/** Kernel addresses. */
export const FLUSH_KERNEL: number = 4;
/** Reclaim's deferral of one page: its TLBI, which nobody has waited for yet. */
export const FLUSH_DEFERRED: number = 5;

/** One page of an mm. */
export const FLUSH_PAGE: number = 6;

/** All pages, in events. */
export const ALL_PAGES: number = -1;

/** A flush of this kind was issued. */
export function traceFlush(cpu: Cpu, kind: number, asid: number, pages: number, start = 0): void {
  cpu.trace('arm64_tlb_flush', kind, asid, pages, start);
}

/** tlb_flush is called: fullmm 1, need_flush_all 2, freed_tables 4, cleared_ptes 8, cleared_pmds 16, ... */
export function traceGather(cpu: Cpu, { start, end, fullmm, needFlushAll, freedTables, cleared }: MmuGather): void {
  const bits = (fullmm ? 1 : 0) + (needFlushAll ? 2 : 0) + (freedTables ? 4 : 0) + cleared * 8;
  cpu.trace('arm64_gather', start, end, bits);
}

/** flush_tlb_range is called. @param stride bytes of an entry */
export function traceRange(cpu: Cpu, start: number, end: number, stride: number): void {
  cpu.trace('arm64_flush_range', start, end, stride);
}
