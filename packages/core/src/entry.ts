/**
 * Page-table entries as numbers: the page or table it points to, times 2^14, plus fourteen flag bits.
 *
 * "Page frame number" is the arena address of the page's struct, or of the table's first cell. The flags are the x86 ones
 * where x86 has them in the low twelve bits; NX (bit 63 there) takes the place of PWT, which no algorithm here looks at.
 * Other architectures translate to these in their isa table, and have the two highest flags to themselves. Clearing or setting flags never uses a bit operator on the
 * whole entry, which may exceed 32 bits; masks of the low bits are safe on any safe integer.
 */

/** One page-table entry of any level. `0` is none. */
export type Entry = number;

/** Valid for the hardware. */
export const PRESENT: number = 1 << 0;
/** Writable. */
export const RW: number = 1 << 1;
/** Reachable from user mode. */
export const USER: number = 1 << 2;
/** Not executable. */
export const NX: number = 1 << 3;
/** A read-only entry that was dirty before (x86 shadow stacks, 6.6 on). */
export const SAVED_DIRTY: number = 1 << 4;
/** Set by the hardware on first use. */
export const ACCESSED: number = 1 << 5;
/** Set by the hardware on the first write. */
export const DIRTY: number = 1 << 6;
/** A leaf above the PTE level (huge page). */
export const PSE: number = 1 << 7;
/** Not present, but a hinting fault away from its page; shares its bit with GLOBAL, as on x86. */
export const PROTNONE: number = 1 << 8;
/** Software bit: write-protected by userfaultfd. */
export const UFFD_WP: number = 1 << 9;
/** Software bit: the soft-dirty mark of clear_refs. */
export const SOFT_DIRTY: number = 1 << 10;
/** Software bit: maps no struct page (PFNMAP) or the zero page. */
export const SPECIAL: number = 1 << 11;
/** The architecture's own: generic code neither sets it nor looks at it. powerpc's hash MMU: H_PAGE_BUSY. */
export const ARCH_0: number = 1 << 12;
/** The architecture's own. powerpc's hash MMU: H_PAGE_HASHPTE. */
export const ARCH_1: number = 1 << 13;

const SHIFT = 14;
const FLAGS = 2 ** SHIFT - 1;
const UNIT = 2 ** SHIFT;

/** Makes an entry from the address of a page or table and flags. */
export function mkEntry(target: number, flags: number): Entry {
  return target * UNIT + flags;
}
/** The flags of an entry. */
export function entryFlags(entry: Entry): number {
  return entry & FLAGS;
}
/** The page or table that an entry points to (pte_pfn, pmd_pgtable). */
export function entryTarget(entry: Entry): number {
  return (entry - (entry & FLAGS)) / UNIT;
}
/** The entry with flags added. */
export function entrySet(entry: Entry, flags: number): Entry {
  return entry + (flags & ~(entry & FLAGS));
}
/** The entry with flags taken away. */
export function entryClear(entry: Entry, flags: number): Entry {
  return entry - (entry & flags & FLAGS);
}
/** pte_same: the same entry, whatever the architecture's own flags say. */
export function pteSame(a: Entry, b: Entry): boolean {
  return entryClear(a, ARCH_0 | ARCH_1) === entryClear(b, ARCH_0 | ARCH_1);
}
/** Nothing there. */
export function entryNone(entry: Entry): boolean {
  return entry === 0;
}
/** The hardware may use and cache it. */
export function entryPresent(entry: Entry): boolean {
  return (entry & PRESENT) !== 0;
}
/** Present, or PROTNONE: the kernel still has a page there (pte_present). */
export function ptePresent(entry: Entry): boolean {
  return (entry & (PRESENT | PROTNONE)) !== 0;
}
/** Writes are allowed. */
export function pteWrite(entry: Entry): boolean {
  return (entry & RW) !== 0;
}
/** Dirty in hardware, or saved as dirty. */
export function pteDirty(entry: Entry): boolean {
  return (entry & (DIRTY | SAVED_DIRTY)) !== 0;
}
