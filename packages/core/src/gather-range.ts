/**
 * What a gather has recorded since its last flush: a hull, levels, and whether tables were unlinked (include/asm-generic/tlb.h).
 *
 * The hull is empty after a reset and only grows. A gather of a whole mm has no hull: everything is in it.
 */
import type { Cpu } from './cpu.ts';
import type { MmuGather } from './mmu-gather.ts';

/** A range that grows. */
export interface Hull {
  /** First touched address. */
  start: number;
  /** First address past what was touched. */
  end: number;
}

/** Entries that were changed: hull and levels. */
export interface Touched extends Hull {
  /** Bit n: leaf entries of level n were changed (cleared_ptes, cleared_pmds, ...). */
  cleared: number;
}

/** __tlb_reset_range: nothing is recorded any more. */
export function tlbResetRange(cpu: Cpu, tlb: MmuGather): void {
  if (tlb.fullmm) {
    tlb.start = tlb.end = Number.MAX_SAFE_INTEGER;
  } else {
    tlb.start = cpu.kernel.taskSize;
    tlb.end = 0;
  }
  tlb.freedTables = false;
  tlb.cleared = 0;
}

/** Nothing is touched yet. */
export function untouched(): Touched {
  return { start: Number.MAX_SAFE_INTEGER, end: 0, cleared: 0 };
}

/** __tlb_adjust_range: widens the hull. */
export function tlbAdjustRange(hull: Hull, start: number, size: number): void {
  hull.start = Math.min(hull.start, start);
  hull.end = Math.max(hull.end, start + size);
}

/**
 * tlb_flush_{pte,pmd,pud,p4d}_range: entries of a level were changed in place; nothing is freed.
 * @param size bytes from `address` on
 */
export function tlbFlushLevelRange(tlb: MmuGather, address: number, size: number, level: number): void {
  note(tlb, address, size, level);
  if (tlb.bracket !== null) note(tlb.bracket, address, size, level);
  tlb.untracked = true;
}

function note(touched: Touched, address: number, size: number, level: number): void {
  tlbAdjustRange(touched, address, size);
  touched.cleared |= 1 << level;
}
