/**
 * Which changes of an entry need a flush (arch/arm64/include/asm/tlbflush.h, asm/pgtable.h).
 */
import {
  ACCESSED,
  type Entry,
  entryFlags,
  entryPresent,
  entryTarget,
  SAVED_DIRTY,
  SOFT_DIRTY,
  SPECIAL,
  UFFD_WP,
} from '@mmu-gather/core/stepped';

/** Bits that the hardware does not look at. */
const SOFTWARE = UFFD_WP | SOFT_DIRTY | SPECIAL | SAVED_DIRTY;

/** pte_needs_flush, huge_pmd_needs_flush: not if the old entry could not be cached, or only bits of software differ. */
export function pteNeedsFlush(old: Entry, next: Entry): boolean {
  if (!entryPresent(old)) return false;
  return entryTarget(old) !== entryTarget(next) || ((entryFlags(old) ^ entryFlags(next)) & ~SOFTWARE) !== 0;
}

/** As before c320dbb7c80d: every change. */
export function alwaysNeedsFlush(_old: Entry, _next: Entry): boolean {
  return true;
}

/** pte_accessible without its pending part: any valid entry, old ones too: aging does not wait for its TLBI. */
export function pteAccessible(entry: Entry): boolean {
  return entryPresent(entry);
}

/** The same up to 5.9, wrong: an entry whose access flag was cleared counts as gone (bug B81). */
export function pteAccessibleYoung(entry: Entry): boolean {
  return entryPresent(entry) && (entry & ACCESSED) !== 0;
}
