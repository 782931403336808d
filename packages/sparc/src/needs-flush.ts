/**
 * Which entries the hardware can have cached, and which changes need a flush (arch/sparc/include/asm/pgtable_64.h: pte_accessible; the rest
 * is asm-generic's).
 */
import { type Entry, entryPresent } from '@mmu-gather/core/stepped';

/** pte_needs_flush, huge_pmd_needs_flush: sparc64 has none of its own, so always. */
export function pteNeedsFlush(_old: Entry, _next: Entry): boolean {
  return true;
}

/** pte_accessible: _PAGE_VALID, whatever software has noted. */
export function pteAccessible(entry: Entry): boolean {
  return entryPresent(entry);
}
