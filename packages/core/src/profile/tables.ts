/**
 * Switches of page-table pages: when they are freed, who may still look at them, how huge pages come and go, and how an
 * address space ends.
 */
import { type Axes, axis } from './axis.ts';

/** Behaviour switches of page-table pages. */
export interface TableSwitches {
  // ---- freeing ----

  /** Whether MADV_DONTNEED frees page tables it emptied (PT_RECLAIM, 6.14 on). Needs `pteMap: 'rcu'` and `tableFree: 'rcu'`. */
  readonly ptReclaim: boolean;
  /**
   * When it unlinks such a table: in the lazy MMU section that emptied it (as in Linux, where no architecture that collects anything has
   * PT_RECLAIM as of 6.18), or behind it. Who then finds no table takes no lock, and does not wait for what the section has collected.
   */
  readonly ptReclaimUnlink: 'in-section' | 'after-section';
  /**
   * When unlinked page tables are freed (mm/mmu_gather.c):
   * - `batched`: with the gather's flush (MMU_GATHER_TABLE_FREE without RCU; x86 without PARAVIRT up to 6.13)
   * - `rcu`: a grace period after it (MMU_GATHER_RCU_TABLE_FREE; x86 with PARAVIRT, and every x86 since 6.14)
   * - `ipi-sync`: after it and an interrupt of every CPU (tlb_remove_table_one, tlb_remove_table_sync_one)
   * - `immediate`: each table is flushed and freed by itself, as a batch of one
   * - `single-user`: wrong: as soon as it is unlinked if the mm has one user: lazy CPUs are no users (4.14 to 4.18, a6f572084fbe)
   * - `no-sync`: wrong: as soon as it is unlinked
   */
  readonly tableFree: 'batched' | 'rcu' | 'ipi-sync' | 'immediate' | 'single-user' | 'no-sync';
  /** Whether the page that holds the batch may not be had (GFP_NOWAIT): the table is then freed by {@link TableSwitches.tableRemoveOne}. */
  readonly tableBatchFails: boolean;
  /**
   * What tlb_remove_table_one waits for: an interrupt of every CPU (`ipi-sync`), or a grace period (`rcu`, with PT_RECLAIM,
   * 6.14 on), for walkers under rcu_read_lock are not stopped by the interrupt. Both after a flush; `unflushed` is wrong: the
   * interrupt alone, which stops software and leaves walk caches as they are (up to 4.18, d86564a2f085).
   */
  readonly tableRemoveOne: 'ipi-sync' | 'rcu' | 'unflushed';

  // ---- walkers ----

  /**
   * How pte_offset_map_lock gets from the upper entry to the lock in the table: under rcu_read_lock, and the upper entry is
   * looked at again (`rcu`, 6.5 on, 0d940a9b270b), or trusting that nobody unlinks tables of a VMA that it may walk (`plain`).
   */
  readonly pteMap: 'rcu' | 'plain';
  /** Whether GUP-fast walks with interrupts off. On is wrong: nothing keeps the tables (trace T19). */
  readonly gupIrqs: 'off' | 'on';
  /**
   * What GUP-fast looks at again once it has its reference: both entries (6.1 on, 70cbc3cc78a9), the PTE only (before; right
   * where a flush interrupts), or (wrong) nothing.
   */
  readonly gupRecheck: 'pte-and-pmd' | 'pte' | 'none';

  // ---- huge pages ----

  /**
   * How change_huge_pmd takes the entry away: pmdp_invalidate, which flushes at once under the lock (`flush`, up to 5.18), or
   * pmdp_invalidate_ad and a note in the gather (`gather`, 5.19 on, 4f83145721f3). `clear` is wrong: the entry is none for a
   * moment, and who looks without the lock takes it for unmapped (up to 4.10, bug B25).
   */
  readonly hugeProtect: 'flush' | 'gather' | 'clear';
  /** Whether change_huge_pmd makes entries of exclusive pages writable at once, as mprotectWritable does with small ones (6.2 on). */
  readonly hugeProtectWritable: boolean;
  /**
   * How MADV_COLD makes a huge entry old: pmdp_invalidate, which flushes at once (`flush`), or an exchange and a note in the gather
   * (`gather`): recordings of 6.12 show the first, of 6.18 the second.
   */
  readonly coldHuge: 'flush' | 'gather';
  /** Whether a split flushes the huge entry before the small ones appear. `none` is wrong: both sizes are cached (O14). */
  readonly splitFlush: 'invalidate' | 'none';
  /**
   * Whether a split takes accessed and dirty bits from the exchange that removed the huge entry (4.16 on, d52605d7cb30), or
   * (wrong) from a look before it: the hardware may set the dirty bit in between.
   */
  readonly splitDirty: 'exchanged' | 'read-before';
  /** Whether collapse flushes the table that it unlinked (pmdp_collapse_flush). `none` is wrong. */
  readonly collapseFlush: 'flush' | 'none';
  /** Whether collapse interrupts every CPU after the flush (tlb_remove_table_sync_one; 6.1 on, 2ba99c5e0881). */
  readonly collapseSync: boolean;
  /** Whether collapse leaves pages alone that somebody holds another reference to. False is wrong: a pin keeps the old page. */
  readonly collapseRefs: boolean;
  /**
   * How retract_page_tables frees the table of a range that now has a huge page in the file:
   * - `mmap-lock`: with mmap_lock for write, at once after the flush (up to 6.4)
   * - `deferred`: without it, a grace period later (pte_free_defer, 6.5 on, 1d65b771bc08)
   * - `immediate`: wrong: without it, at once
   */
  readonly retract: 'mmap-lock' | 'deferred' | 'immediate';
  /**
   * Whether mremap, when it moves a whole table, goes by the upper entry as it is under the locks (`locked`), or by what it saw before
   * them (`before`, wrong: retract_page_tables may have unlinked the table; CVE-2024-50066, bug B85).
   */
  readonly movePmdCheck: 'locked' | 'before';

  // ---- the end of an address space ----

  /**
   * What exit_mmap makes of the fact that nobody will run the mm again (core/src/fullmm.ts):
   * - `linux`: nothing but a non-atomic fetch of entries
   * - `F0`: not even that: the ordinary rules, over the full range
   * - `F1`: besides, no flush before data pages are freed; one before tables are
   * - `F2`: every CPU leaves the mm first; then no flush at all
   * - `F3`: no flush at all; the ASID is abandoned
   */
  readonly fullmm: 'linux' | 'F0' | 'F1' | 'F2' | 'F3';
  /** Whether entries of a dying mm are zeroed. Not doing so is wrong while the reverse map can still find them. */
  readonly exitZeroes: boolean;
  /**
   * What shortcuts for dead mms look at: that this gather tears an mm down (`exiting`), or `fullmm`, which a nested finish
   * also sets on a live one. With F1 that holds only because freed_tables is set, too (trace T17); with F2 and F3 it is wrong.
   */
  readonly deadMeans: 'exiting' | 'fullmm';
}

/** As in Linux 5.11. */
export const TABLES_5_11: TableSwitches = {
  ptReclaim: false,
  ptReclaimUnlink: 'in-section',
  tableFree: 'batched',
  tableBatchFails: false,
  tableRemoveOne: 'ipi-sync',
  pteMap: 'plain',
  gupIrqs: 'off',
  gupRecheck: 'pte',
  hugeProtect: 'flush',
  hugeProtectWritable: false,
  coldHuge: 'flush',
  splitFlush: 'invalidate',
  splitDirty: 'exchanged',
  collapseFlush: 'flush',
  collapseSync: false,
  collapseRefs: true,
  retract: 'mmap-lock',
  movePmdCheck: 'locked',
  fullmm: 'linux',
  exitZeroes: true,
  deadMeans: 'exiting',
};

/** What Linux 6.18 changed. */
export const TABLES_6_18: Partial<TableSwitches> = {
  ptReclaim: true,
  tableFree: 'rcu',
  tableRemoveOne: 'rcu',
  pteMap: 'rcu',
  gupRecheck: 'pte-and-pmd',
  hugeProtect: 'gather',
  hugeProtectWritable: true,
  coldHuge: 'gather',
  collapseSync: true,
  retract: 'deferred',
};

/** Values of the switches. */
export const TABLE_AXES: Axes<TableSwitches> = {
  ptReclaim: axis([false, true]),
  ptReclaimUnlink: axis(['in-section', 'after-section']),
  tableFree: axis(['batched', 'rcu', 'ipi-sync', 'immediate'], ['single-user', 'no-sync']),
  tableBatchFails: axis([false, true]),
  tableRemoveOne: axis(['ipi-sync', 'rcu'], ['unflushed']),
  pteMap: axis(['plain', 'rcu']),
  gupIrqs: axis(['off'], ['on']),
  gupRecheck: axis(['pte', 'pte-and-pmd'], ['none']),
  hugeProtect: axis(['flush', 'gather'], ['clear']),
  hugeProtectWritable: axis([false, true]),
  coldHuge: axis(['flush', 'gather']),
  splitFlush: axis(['invalidate'], ['none']),
  splitDirty: axis(['exchanged'], ['read-before']),
  collapseFlush: axis(['flush'], ['none']),
  collapseSync: axis([false, true]),
  collapseRefs: axis([true], [false]),
  retract: axis(['mmap-lock', 'deferred'], ['immediate']),
  movePmdCheck: axis(['locked'], ['before']),
  fullmm: axis(['linux', 'F0', 'F1', 'F2', 'F3']),
  exitZeroes: axis([true], [false]),
  deadMeans: axis(['exiting', 'fullmm']),
};
