/**
 * Switches of what the reverse map finds pages for: reclaim, writeback, migration, same-page merging, dirty tracking.
 */
import { type Axes, axis, COUNT } from './axis.ts';

/** Behaviour switches of users of the reverse map. */
export interface RmapSwitches {
  /** Whether a dirty file page keeps its rmap reference until after the flush (6.2 on; without: trace T9). */
  readonly delayedRmap: boolean;
  /**
   * Without `delayedRmap`, when the entry of a dirty file page that was zapped is flushed: before the PTL is dropped (3.15 on,
   * 1cf35d47712d), or with the batch, after it (wrong: bug B18).
   */
  readonly zapDirtyFlush: 'under-lock' | 'after-unlock';
  /** Whether pte_accessible counts a PROTNONE entry as accessible while a flush is pending (3.13 on; bug B06). */
  readonly accessiblePending: boolean;
  /**
   * Which entry ptep_clear_flush asks pte_accessible about: the `old` one that the exchange returned (Linux), or the one in the
   * `slot`, which is clear by then, so nothing is ever flushed (RFC 09 as posted; defect D2, trace T13).
   */
  readonly accessibleEntry: 'old' | 'slot';
  /**
   * Reclaim's deferral, as others see it:
   * - `counters`: pending and flushed counts in one word (5.17 on, "mm/rmap: fix potential batched TLB flush race")
   * - `two-words`: this project's: each count has 64 bits of its own and never starts anew, so none can be mistaken (trace T26)
   * - `generation`: this project's: the newest generation that reclaim deferred, against the completed one (mm/batch-generations.ts)
   * - `cpumask`: one mask of CPUs for all mms, which CPUs leave when they flush (RFC 20; `batchedAck` and its sisters)
   * - `flag`: a boolean, cleared after the flush (up to 5.16; trace T7)
   * - `none`: nothing to see (bug B02)
   */
  readonly batchedPending: 'counters' | 'two-words' | 'generation' | 'cpumask' | 'flag' | 'none';
  /**
   * Pending count past which `counters` start anew (TLB_FLUSH_BATCH_PENDING_LARGE, 0x3fff). If so many deferrals fit into one
   * flush of somebody else, that one notes them as flushed (trace T26): wrong if small, and not excluded in theory if large.
   */
  readonly batchedLarge: number;
  /** Reclaim defers flushes of unmapped pages to the end of a batch (TTU_BATCH_FLUSH). */
  readonly reclaimBatch: boolean;
  /** Whether reclaim flushes deferrals of dirty entries before it writes a page out (try_to_unmap_flush_dirty; trace T20). */
  readonly pageoutFlush: 'dirty' | 'none';
  /** Whether MADV_PAGEOUT makes young entries old first, and flushes them in the end (up to 6.9), or reclaim is told not to mind. */
  readonly pageoutAges: boolean;
  /** Whether reclaim frees pages after try_to_unmap_flush, or (wrong) before it. */
  readonly reclaimFree: 'after-flush' | 'before-flush';
  /** Whether KSM write-protects again an entry that is read-only and clean while a flush is pending (4.14 on; trace T11). */
  readonly ksmPending: boolean;
  /** Whether migration flushes what it unmapped before it copies the first page, or (wrong) after the last. */
  readonly migrateFlush: 'before-copy' | 'after-copy';
  /** What folio_mkclean does with an entry: ptep_clear_flush under its PTL, or (wrong) clear only. */
  readonly mkcleanFlush: 'clear-flush' | 'clear';
  /**
   * Whether folio_mkclean flushes an entry that is read-only and clean while a flush is pending, as KSM does (this project's). Linux
   * does not: false is right only where nobody takes the dirty bits of a file's entries and defers the flush.
   */
  readonly mkcleanPending: boolean;
  /**
   * How the dirty tracking of a mapping flushes (mm/mapping_dirty_helpers.c):
   * - `pending`: counts itself in tlb_flush_pending; one range for each VMA, the whole one if somebody else is pending (Linux)
   * - `gather`: an mmu_gather for each VMA (RFC 04)
   * - `none`: not at all (wrong)
   */
  readonly dirtyHelpers: 'pending' | 'gather' | 'none';
  /**
   * Whether dirty tracking lets secondary MMUs go on (mmu_notifier_invalidate_range_end) after its flush (Linux), or before
   * (RFC 04 as posted; defect D12).
   */
  readonly notifierEnd: 'after-flush' | 'before-flush';
  /**
   * Whether dirty tracking, and clear_refs with a gather, settle deferrals of reclaim under each PTL (RFC 13). Linux does not: it has no
   * such clear_refs, and dirty tracking is right without for pages that reclaim never takes, as those of the one driver that uses it.
   */
  readonly helpersSettle: boolean;
}

/** As in Linux 5.11. */
export const RMAP_5_11: RmapSwitches = {
  delayedRmap: false,
  zapDirtyFlush: 'under-lock',
  accessiblePending: true,
  accessibleEntry: 'old',
  batchedPending: 'flag',
  batchedLarge: 0x3fff,
  reclaimBatch: true,
  pageoutFlush: 'dirty',
  pageoutAges: true,
  reclaimFree: 'after-flush',
  ksmPending: true,
  migrateFlush: 'before-copy',
  mkcleanFlush: 'clear-flush',
  mkcleanPending: false,
  dirtyHelpers: 'pending',
  notifierEnd: 'after-flush',
  helpersSettle: false,
};

/** What Linux 6.18 changed. */
export const RMAP_6_18: Partial<RmapSwitches> = {
  delayedRmap: true,
  batchedPending: 'counters',
  pageoutAges: false,
};

/** Values of the switches. */
export const RMAP_AXES: Axes<RmapSwitches> = {
  delayedRmap: axis([true], [false]),
  zapDirtyFlush: axis(['under-lock'], ['after-unlock']),
  accessiblePending: axis([true], [false]),
  accessibleEntry: axis(['old'], ['slot']),
  batchedPending: axis(['counters', 'two-words', 'generation', 'cpumask'], ['flag', 'none']),
  batchedLarge: COUNT,
  reclaimBatch: axis([true, false]),
  pageoutFlush: axis(['dirty'], ['none']),
  pageoutAges: axis([true, false]),
  reclaimFree: axis(['after-flush'], ['before-flush']),
  ksmPending: axis([true], [false]),
  migrateFlush: axis(['before-copy'], ['after-copy']),
  mkcleanFlush: axis(['clear-flush'], ['clear']),
  mkcleanPending: axis([true], [false]),
  dirtyHelpers: axis(['pending', 'gather'], ['none']),
  notifierEnd: axis(['after-flush'], ['before-flush']),
  helpersSettle: axis([true], [false]),
};
