/**
 * What the hardware makes of an entry: I and P, as software keeps them (asm/pgtable.h).
 *
 *     I (invalid)        none, PROT_NONE, or not young
 *     P (protection)     not writable, or not dirty
 *
 * An entry that a flush has made invalid keeps its page and all else, as in Linux, where PRESENT is software's: for the core it is
 * PROTNONE, with ARCH_0 to tell it from PROT_NONE. It stands there for a few steps, under the lock of its table.
 */
import {
  ACCESSED,
  ARCH_0,
  ARCH_1,
  DIRTY,
  type Entry,
  entryClear,
  entryPresent,
  entrySet,
  PRESENT,
  PROTNONE,
  PSE,
  RW,
  SAVED_DIRTY,
  SOFT_DIRTY,
  SPECIAL,
  UFFD_WP,
} from '@mmu-gather/core/stepped';

/** What only software looks at, once I and P are known. */
const SOFTWARE = RW | DIRTY | SAVED_DIRTY | ACCESSED | SOFT_DIRTY | UFFD_WP | SPECIAL | ARCH_0 | ARCH_1;

/** Is I set? Then no TLB holds the entry. A pointer to a table is always young. */
export function isInvalid(entry: Entry): boolean {
  return !entryPresent(entry) || (entry & ACCESSED) === 0;
}

/** Is P clear: may the entry be written through? */
export function isWritable(entry: Entry): boolean {
  return (entry & RW) !== 0 && (entry & DIRTY) !== 0;
}

/** The entry with I set, and all else as it was. */
export function invalidated(entry: Entry): Entry {
  return entrySet(entryClear(entry, PRESENT), PROTNONE | ARCH_0);
}

/** Is it the same for the hardware, but for P? */
function sameButProtection(a: Entry, b: Entry): boolean {
  return isInvalid(a) === isInvalid(b) && entryClear(a, SOFTWARE) === entryClear(b, SOFTWARE);
}

/** pte_allow_rdp: a valid entry becomes writable, and nothing else of it changes for the hardware. */
export function allowsRdp(old: Entry, entry: Entry): boolean {
  return !isInvalid(old) && !isWritable(old) && isWritable(entry) && sameButProtection(old, entry) && (old & PSE) === 0;
}

/**
 * May a store put `entry` over `old`? If `old` is not valid, or software's bits alone change; or if the entry is emptied (pte_clear), which only
 * tables see that nobody walks any more.
 */
export function mayStore(old: Entry, entry: Entry): boolean {
  return isInvalid(old) || entry === 0 || (sameButProtection(old, entry) && isWritable(old) === isWritable(entry));
}
