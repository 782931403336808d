/**
 * Shape of a page table: how many levels, and how many bits of a virtual address each level takes.
 *
 * Level 0 is the PTE table. Real machines have four or five levels of 512 entries; the checker uses two small ones, so
 * that a scenario stays small and every path (leaf, table freed, stride of a larger level) still exists.
 * Virtual addresses are safe integers up to 2^47: no bit operator may touch them.
 */

/** Bytes in a page, on every architecture here but powerpc's 64 KiB kernels. */
export const PAGE_SHIFT: number = 12;

/** Shape of the page tables of all mms of a machine. */
export interface Geometry {
  /** log2 of the page size in bytes. */
  readonly pageShift: number;
  /** Address bits taken by each level, from the PTE table upwards. */
  readonly bits: readonly number[];
  /**
   * A level above the top one that is folded at run time: the P4D of an x86 kernel that was built for five levels and runs
   * on four. It has no table of its own, but free_pgtables still "frees" one for each top-level entry whose span is
   * unmapped, and the gather records that (seen on 6.18). A level folded at compile time leaves no trace.
   */
  readonly foldedTop?: boolean;
  /** First address past user space, where user space is not the lower half of what the tables map (arm64: all of it). */
  readonly userEnd?: number;
}

/** x86-64 with four levels, arm64 with 4 KiB pages and 48 bits. */
export const FOUR_LEVELS: Geometry = { pageShift: PAGE_SHIFT, bits: [9, 9, 9, 9] };

/** x86-64 as distributions build it: five levels compiled in, four in use. */
export const FOUR_LEVELS_FOLDED: Geometry = { ...FOUR_LEVELS, foldedTop: true };

/** Two levels of two entries: four pages in two tables, the smallest shape in which tables can be freed. */
export const TINY: Geometry = { pageShift: PAGE_SHIFT, bits: [1, 1] };

/** 2 to the power of 0 to 63: looked up, for `**` costs more than what is done with its result. */
const POWERS: readonly number[] = Array.from({ length: 64 }, (_, n) => 2 ** n);

/** 2 to the power of `n`, 0 to 63. */
export function powerOfTwo(n: number): number {
  return POWERS[n]!;
}

/** Bytes in a base page. */
export function pageSize(geometry: Geometry): number {
  return POWERS[geometry.pageShift]!;
}

/** log2 of the bytes that one entry of a level maps: 12, 21, 30, 39 with {@link FOUR_LEVELS}. */
export function entryShift(geometry: Geometry, level: number): number {
  let shift = geometry.pageShift;
  for (let l = 0; l < level; l++) shift += geometry.bits[l]!;
  return shift;
}

/** Bytes that one entry of a level maps. */
export function entrySize(geometry: Geometry, level: number): number {
  return POWERS[entryShift(geometry, level)]!;
}

/** Number of entries in a table of a level. */
export function tableEntries(geometry: Geometry, level: number): number {
  return POWERS[geometry.bits[level]!]!;
}

/** Index into the table of a level for an address (pte_index, pmd_index, ...). */
export function entryIndex(geometry: Geometry, level: number, address: number): number {
  return Math.floor(address / entrySize(geometry, level)) % tableEntries(geometry, level);
}

/** The end of the entry that holds `address`, but not past `end` (pmd_addr_end and its sisters). */
export function entryAddrEnd(geometry: Geometry, level: number, address: number, end: number): number {
  const size = entrySize(geometry, level);
  return Math.min((Math.floor(address / size) + 1) * size, end);
}

/** First address past user space (TASK_SIZE). Real four-level machines give the upper half to the kernel. */
export function taskSize(geometry: Geometry): number {
  if (geometry.userEnd !== undefined) return geometry.userEnd;
  const all = entrySize(geometry, geometry.bits.length);
  return all >= 2 ** 48 ? 2 ** 47 - pageSize(geometry) : all;
}
