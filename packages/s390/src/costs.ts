/**
 * What a flush costs on s390. There are no published cycle numbers; what is known is what is dear. Each global IPTE, IDTE or CSP may halt
 * all CPUs of the machine, those of other partitions too, for a moment (a quiesce): it acts as one global lock.
 *
 * Gains of one quiesce for a run of entries instead of one for each, as the series of 2026 reports them (V. Gordeev, 2026-07-15, v6 2/4), for
 * large ranges.
 */

/** What changes of entries of one mm do, in units of work. */
export interface FlushCost {
  /** Global purges: quiesces of the machine. */
  readonly quiesces: number;
  /** Purges of this CPU alone (zEC12 on). */
  readonly local: number;
  /** Entries made invalid by a store, whose purge is one for all of them, later. */
  readonly lazy: number;
}

/** How many times faster mprotect is with one quiesce for a run. */
export const MPROTECT_GAIN: number = 15;
/** The same of munmap. */
export const MUNMAP_GAIN: number = 3;
/** The same of mremap. */
export const MREMAP_GAIN: number = 28;
/** How many times fewer quiesces mprotect takes on four partitions. */
export const QUIESCE_GAIN: number = 25;
/** Entries that one IPTE can purge (facility 13): a page table. */
export const IPTE_RANGE_ENTRIES: number = 256;

/**
 * What changes of so many entries cost.
 * @param how what is known of the mm: this CPU alone is attached, has entries of it, or neither
 */
export function flushCost(entries: number, how: 'attached-alone' | 'cached-alone' | 'shared'): FlushCost {
  switch (how) {
    case 'attached-alone':
      return { quiesces: 1, local: 0, lazy: entries };
    case 'cached-alone':
      return { quiesces: 0, local: entries, lazy: 0 };
    case 'shared':
      return { quiesces: entries, local: 0, lazy: 0 };
  }
}
