/**
 * Switches of mappings that move or have no struct page: mremap, PFNMAP, the kernel's vmap areas.
 */
import { type Axes, axis, COUNT } from './axis.ts';

/** Behaviour switches of moves. */
export interface MoveSwitches {
  /**
   * When VMAs without struct page are flushed, so that it happens before they are unlinked from their file:
   * - `none`: not before the gather is finished (wrong: trace T15, bug B17)
   * - `vma-end`: at each tlb_end_vma, also where nothing is unlinked (5.19 on, b67fbebd4cf9)
   * - `unlink`: once, in free_pgtables (6.16 on, R. Gushchin, "move tlb flush for VM_PFNMAP/VM_MIXEDMAP vmas into free_pgtables()")
   */
  readonly pfnmapFlush: 'none' | 'vma-end' | 'unlink';
  /**
   * What mremap does about entries that it moved:
   * - `range`: flush_tlb_range for each PTE table, before either PTL is dropped (4.19 on, eb66ae030829)
   * - `gather`: one mmu_gather for the whole call, with the locks of the reverse map held until it is flushed: the further step
   *   of which the RFC's cover letter speaks
   * - `gather-unlocked`: the same without those locks (wrong: trace T14)
   * - `after-unlock`: flush_tlb_range once the PTLs are dropped (up to 4.8; wrong: bug B04)
   * - `dirty-seen`: before, if an entry was dirty when it was looked at, and after that was taken away; else after (4.9, 5d1904204c99; wrong)
   * - `dirty`: before, if an entry that was taken away is dirty; else after (4.9 to 4.18, a2ce2666aa86; wrong: CVE-2018-18281)
   * - `none`: nothing (wrong)
   */
  readonly movePtes: 'range' | 'gather' | 'gather-unlocked' | 'after-unlock' | 'dirty-seen' | 'dirty' | 'none';
  /**
   * What mremap does with a PTE table that moves as a whole:
   * - `table`: moves the upper entry and flushes the old block under the lock of that level (HAVE_MOVE_PMD, 5.0 on)
   * - `entries`: moves each entry (before)
   * - `no-flush`: moves the upper entry and leaves what is cached of the old path (wrong)
   */
  readonly movePmd: 'table' | 'entries' | 'no-flush';
  /**
   * Whether the locks of the reverse map are held while a whole table moves (5.14 on, 97113eb39fa7). Without: who looks up the
   * file's pages locks a table under its old address and changes it under its new one.
   */
  readonly movePmdRmapLocks: boolean;
  /** Where the VMA that mremap makes stands among those of its file: behind the old one, or (wrong) before it. */
  readonly moveOrder: 'after' | 'before';
  /** Pages of unmapped kernel addresses, for each power of two of CPUs, that may wait for one flush (lazy_max_pages: 32 MiB). */
  readonly vmapLazyPages: number;
  /**
   * When an address that was unmapped by vunmap may be mapped again:
   * - `purge`: after the flush of the purge that took its area off the list (2.6.28 on, db64fe02258f)
   * - `generation`: after any full flush of kernel addresses that began later than the unmapping (Fitzhardinge, March 2009:
   *   "flush before remap")
   * - `any-generation`: after one that ended later (wrong: it may have passed this CPU before)
   * - `at-once`: without any flush (wrong: trace T25)
   */
  readonly vmapReuse: 'purge' | 'generation' | 'any-generation' | 'at-once';
  /** Whether a change of memory attributes flushes unmapped aliases first (vm_unmap_aliases in change_page_attr). */
  readonly attributeFlush: boolean;
}

/** As in Linux 5.11. */
export const MOVES_5_11: MoveSwitches = {
  pfnmapFlush: 'none',
  movePtes: 'range',
  movePmd: 'table',
  movePmdRmapLocks: false,
  moveOrder: 'after',
  vmapLazyPages: 8192,
  vmapReuse: 'purge',
  attributeFlush: true,
};

/** What Linux 6.18 changed. */
export const MOVES_6_18: Partial<MoveSwitches> = { pfnmapFlush: 'unlink', movePmdRmapLocks: true };

/** Values of the switches. */
export const MOVE_AXES: Axes<MoveSwitches> = {
  pfnmapFlush: axis(['vma-end', 'unlink'], ['none']),
  movePtes: axis(['range', 'gather'], ['gather-unlocked', 'after-unlock', 'dirty-seen', 'dirty', 'none']),
  movePmd: axis(['entries', 'table'], ['no-flush']),
  movePmdRmapLocks: axis([true], [false]),
  moveOrder: axis(['after'], ['before']),
  vmapLazyPages: COUNT,
  vmapReuse: axis(['purge', 'generation'], ['any-generation', 'at-once']),
  attributeFlush: axis([true], [false]),
};
