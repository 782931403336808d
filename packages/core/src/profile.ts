/**
 * A profile: which batching scheme each generic mm operation uses. Kernel versions and proposals differ by these
 * switches, never by forks of the code; the backend has switches of its own. Wrong values exist as values too: they are
 * what the naive twins of scenarios select.
 */

/** How many pages a gather holds (MMU_GATHER_BUNDLE, MAX_GATHER_BATCH, MAX_GATHER_BATCH_COUNT). */
export interface GatherBatch {
  /** Slots on the stack. */
  readonly bundle: number;
  /** Slots of a batch on the heap. */
  readonly batch: number;
  /** Batches on the heap. */
  readonly batches: number;
}

/** Behaviour switches of core and mm. */
export interface Profile {
  /** Id in tables and options. */
  readonly id: string;
  /**
   * What tlb_finish_mmu does when another gather is open on the mm (mm_tlb_flush_nested):
   * - `range-reset`: flush the hull of the arguments after a reset that forgot levels and freed tables (4.13 to 5.1)
   * - `range-all-levels`: the same range, but every level and freed tables set (proposed in the May 2019 thread)
   * - `whole-mm`: fullmm, and freed_tables after the reset (5.2 on, 7a30df49f63a)
   * - `none`: nothing (before 4.13; wrong, bug B03)
   */
  readonly nestedFinish: 'range-reset' | 'range-all-levels' | 'whole-mm' | 'none';
  /** When the pending counter is lowered: after the flush, or (wrong) before it. */
  readonly decPending: 'after-flush' | 'before-flush';
  /** Pages that fit in a gather before it must flush. */
  readonly gatherBatch: GatherBatch;
  /** Table pages per table batch. */
  readonly tableBatch: number;
  /** Whether freeing waits for the flush (the order of every kernel) or (wrong) comes first. */
  readonly freePages: 'after-flush' | 'before-flush';
  /**
   * How mprotect and other users of change_protection flush: `range` counts them in tlb_flush_pending and flushes the whole
   * range if any entry changed (up to 5.18); `gather` uses mmu_gather and records only entries that need it (5.19 on).
   */
  readonly changeProtection: 'range' | 'gather' | 'none';
  /** Which entries change_protection records: all that changed, or those of pte_needs_flush (5.19 on). */
  readonly needsFlush: 'always' | 'architecture';
  /** Whether zapping merges the ranges of neighbouring VMAs (MMU_GATHER_MERGE_VMAS). */
  readonly mergeVmas: boolean;
  /** Whether MADV_DONTNEED frees page tables it emptied (PT_RECLAIM, 6.14 on). */
  readonly ptReclaim: boolean;
  /** Whether one madvise call opens one gather for all its VMAs (6.16 on) or one for each. */
  readonly madviseGather: 'per-call' | 'per-vma';
  /** Whether munmap goes on as a reader of mmap_lock once its VMAs are out of reach (4.20 on). */
  readonly munmapDowngrade: boolean;
  /** Whether a dirty file page keeps its rmap reference until after the flush (6.2 on; without: trace T9). */
  readonly delayedRmap: boolean;
  /** Whether VMAs without struct page are flushed before they are unlinked from their file (5.19 on; without: trace T15). */
  readonly pfnmapFlush: boolean;
  /**
   * When a write fault on a private page takes it without a copy: if it is marked as exclusive (5.19 on), or only if nobody
   * else holds a reference, which anybody may take for a moment (5.8 to 5.18, 09854ba94c6a; trace T10 needs it).
   */
  readonly anonReuse: 'exclusive' | 'only-reference';
  /** Whether mprotect makes entries of exclusive anonymous pages writable at once (6.1 on), or leaves it to a fault. */
  readonly mprotectWritable: boolean;
  /** What fork does after write-protecting the parent: one flush_tlb_mm, or (wrong) nothing. */
  readonly forkFlush: 'mm' | 'none';
  /** What a copy-on-write fault does with the old entry: ptep_clear_flush, or (wrong) clear only. */
  readonly cowFlush: 'clear-flush' | 'clear';
  /** Whether a write fault on a userfaultfd-protected page flushes when a flush is pending (5.12 on). */
  readonly uffdWpPendingFlush: boolean;
  /** Whether pte_accessible counts a PROTNONE entry as accessible while a flush is pending (3.13 on; bug B06). */
  readonly accessiblePending: boolean;
  /** Reclaim's deferral: counters (5.17 on), the boolean before, or (wrong) nothing to see for others (bug B02). */
  readonly batchedPending: 'counters' | 'flag' | 'none';
  /** Reclaim defers flushes of unmapped pages to the end of a batch (TTU_BATCH_FLUSH). */
  readonly reclaimBatch: boolean;
}

/** Pages of a gather as on 64-bit kernels with 4 KiB pages, since 6.9. */
export const REAL_BATCH: GatherBatch = { bundle: 8, batch: 510, batches: 19 };

/** Linux 5.11: the kernel that the 2021 RFC was written against. */
export const LINUX_5_11: Profile = {
  id: 'linux-5.11',
  nestedFinish: 'whole-mm',
  decPending: 'after-flush',
  gatherBatch: REAL_BATCH,
  tableBatch: 509,
  freePages: 'after-flush',
  changeProtection: 'range',
  needsFlush: 'always',
  mergeVmas: true,
  ptReclaim: false,
  madviseGather: 'per-vma',
  munmapDowngrade: true,
  delayedRmap: false,
  pfnmapFlush: false,
  anonReuse: 'only-reference',
  mprotectWritable: false,
  forkFlush: 'mm',
  cowFlush: 'clear-flush',
  uffdWpPendingFlush: false,
  accessiblePending: true,
  batchedPending: 'flag',
  reclaimBatch: true,
};

/** Linux 6.18. */
export const LINUX_6_18: Profile = {
  ...LINUX_5_11,
  id: 'linux-6.18',
  changeProtection: 'gather',
  needsFlush: 'architecture',
  ptReclaim: true,
  madviseGather: 'per-call',
  delayedRmap: true,
  pfnmapFlush: true,
  anonReuse: 'exclusive',
  mprotectWritable: true,
  uffdWpPendingFlush: true,
  batchedPending: 'counters',
};
