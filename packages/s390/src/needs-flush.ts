/**
 * Which changes need a flush, and which entries may be cached: s390 has no rule of its own, so all do, and all may (linux/pgtable.h,
 * asm-generic/tlb.h). What flushes find is a debt or nothing.
 */
import type { Entry } from '@mmu-gather/core/stepped';

/** pte_needs_flush, huge_pmd_needs_flush. */
export function pteNeedsFlush(_old: Entry, _next: Entry): boolean {
  return true;
}

/** pte_accessible. */
export function pteAccessible(_entry: Entry): boolean {
  return true;
}
