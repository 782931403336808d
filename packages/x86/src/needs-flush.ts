/**
 * Which changes of an entry need a flush (arch/x86/include/asm/tlbflush.h, asm/pgtable.h). The machine decides what a stale
 * entry may still do; the rest is caution about a fault too many.
 */
import {
  ACCESSED,
  DIRTY,
  type Entry,
  entryFlags,
  entryPresent,
  entryTarget,
  NX,
  PRESENT,
  PROTNONE,
  PSE,
  RW,
  SAVED_DIRTY,
  SOFT_DIRTY,
  SPECIAL,
  UFFD_WP,
  USER,
} from '@mmu-gather/core/stepped';

/** Bits that the hardware does not look at. */
const SOFTWARE = UFFD_WP | SOFT_DIRTY | SPECIAL | SAVED_DIRTY;
/** Bits of which a stale set one does harm: the hardware would not set the bit in memory again, or would use the page. */
const FLUSH_ON_CLEAR = DIRTY | PRESENT | ACCESSED;
/** Bits of which any change counts. PROTNONE is GLOBAL in an entry that is present. */
const FLUSH_ON_CHANGE = RW | USER | NX | PSE | PROTNONE;

/** pte_flags_need_flush. */
function flagsNeedFlush(oldFlags: number, newFlags: number, ignored: number): boolean {
  const diff = (oldFlags ^ newFlags) & ~ignored;
  return (diff & oldFlags & FLUSH_ON_CLEAR) !== 0 || (diff & FLUSH_ON_CHANGE) !== 0;
}

function needsFlush(old: Entry, next: Entry, ignored: number): boolean {
  // What was not present was never cached.
  if (!entryPresent(old)) return false;
  if (entryTarget(old) !== entryTarget(next)) return true;
  return flagsNeedFlush(entryFlags(old), entryFlags(next), ignored);
}

/** pte_needs_flush. A cleared ACCESSED bit alone is let go: reclaim may think the page colder than it is. */
export function pteNeedsFlush(old: Entry, next: Entry): boolean {
  return needsFlush(old, next, SOFTWARE | ACCESSED);
}

/** huge_pmd_needs_flush: as for PTEs, but a cleared ACCESSED bit counts. */
export function hugePmdNeedsFlush(old: Entry, next: Entry): boolean {
  return needsFlush(old, next, SOFTWARE);
}

/** Bits that pte_may_need_flush looks past: what software noted, and ACCESSED. */
const RFC_IGNORED = UFFD_WP | SOFT_DIRTY | SPECIAL | SAVED_DIRTY | ACCESSED;

/**
 * pte_may_need_flush (RFC 03): promotions need none, and neither does what only changes RW and DIRTY of an entry that was writable
 * and clean: a write through it walks again and finds the new one.
 */
export function pteMayNeedFlush(old: Entry, next: Entry): boolean {
  if (!entryPresent(old)) return false;
  if (entryTarget(old) !== entryTarget(next)) return true;
  const before = entryFlags(old);
  const diff = (before ^ entryFlags(next)) & ~RFC_IGNORED;
  if ((diff & ~(RW | DIRTY)) === 0 && (before & (RW | DIRTY)) === RW) return false;
  // Rights that are taken away; NX is one that is added. Of any other bit every change counts.
  return (
    (diff & before & (RW | DIRTY | PROTNONE)) !== 0 ||
    (diff & ~before & NX) !== 0 ||
    (diff & ~(RW | DIRTY | PROTNONE | NX)) !== 0
  );
}

/** pte_accessible without its pending part: only what is present is ever cached. */
export function pteAccessible(entry: Entry): boolean {
  return entryPresent(entry);
}
