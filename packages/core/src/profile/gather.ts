/**
 * Switches of mmu_gather: batches, nested finishes, the order of flush and free, and the end of an mm.
 */
import { type Axes, axis, COUNT } from './axis.ts';

/** How many pages a gather holds (MMU_GATHER_BUNDLE, MAX_GATHER_BATCH, MAX_GATHER_BATCH_COUNT). */
export interface GatherBatch {
  /** Slots on the stack. */
  readonly bundle: number;
  /** Slots of a batch on the heap. */
  readonly batch: number;
  /** Batches on the heap. */
  readonly batches: number;
  /** Slots of each that stay free: 1 since 6.9, where a folio's page count must always fit behind its page. */
  readonly spare: number;
}

/** Pages of a gather as on 64-bit kernels with 4 KiB pages, since 6.9. */
export const REAL_BATCH: GatherBatch = { bundle: 8, batch: 510, batches: 19, spare: 1 };

/** Behaviour switches of mmu_gather. */
export interface GatherSwitches {
  /**
   * What tlb_finish_mmu does when another gather is open on the mm (mm_tlb_flush_nested):
   * - `range-reset`: flush the hull of the arguments after a reset that forgot levels and freed tables (4.13 to 5.1)
   * - `range-all-levels`: the same range, but every level and freed tables set (proposed in the May 2019 thread)
   * - `whole-mm`: fullmm, and freed_tables after the reset (5.2 on, 7a30df49f63a)
   * - `whole-mm-reset-last`: wrong: the same, but the reset comes last and forgets freed_tables (trace T17)
   * - `need-flush-all`: need_flush_all instead of fullmm, for the mm is not dying (RFC 01)
   * - `level-counters`: looks which levels open gathers have cleared (N. Amit, May 2019; profile/designs.ts); without
   *   `deferral: 'counter'` it is `whole-mm`
   * - `overlapping`: flushes to the newest pending generation that touched the range of the arguments; nothing if none did
   *   (this project's; without `deferral: 'ring'` it is `whole-mm`)
   * - `none`: nothing (before 4.13; wrong, bug B03)
   */
  readonly nestedFinish:
    | 'range-reset'
    | 'range-all-levels'
    | 'whole-mm'
    | 'need-flush-all'
    | 'level-counters'
    | 'overlapping'
    | 'whole-mm-reset-last'
    | 'none';
  /** When the pending counter is lowered: after the flush, or (wrong) before it. */
  readonly decPending: 'after-flush' | 'before-flush';
  /** Pages that fit in a gather before it must flush (__tlb_remove_folio_pages reserved a slot of each batch in 6.9). */
  readonly gatherBatch: GatherBatch;
  /** Table pages per table batch. */
  readonly tableBatch: number;
  /** Whether freeing waits for the flush (the order of every kernel) or (wrong) comes first. */
  readonly freePages: 'after-flush' | 'before-flush';
  /** Whether zapping merges the ranges of neighbouring VMAs (MMU_GATHER_MERGE_VMAS). */
  readonly mergeVmas: boolean;
  /** Whether one madvise call opens one gather for all its VMAs (6.16 on) or one for each. */
  readonly madviseGather: 'per-call' | 'per-vma';
  /** Whether munmap goes on as a reader of mmap_lock once its VMAs are out of reach (4.20 on). */
  readonly munmapDowngrade: boolean;
}

/** As in Linux 5.11. */
export const GATHER_5_11: GatherSwitches = {
  nestedFinish: 'whole-mm',
  decPending: 'after-flush',
  gatherBatch: { ...REAL_BATCH, spare: 0 },
  tableBatch: 509,
  freePages: 'after-flush',
  mergeVmas: true,
  madviseGather: 'per-vma',
  munmapDowngrade: true,
};

/** What Linux 6.18 changed. */
export const GATHER_6_18: Partial<GatherSwitches> = { gatherBatch: REAL_BATCH, madviseGather: 'per-call' };

/** Values of the switches. */
export const GATHER_AXES: Axes<GatherSwitches> = {
  nestedFinish: axis(
    ['range-reset', 'range-all-levels', 'whole-mm', 'need-flush-all', 'level-counters', 'overlapping'],
    ['none', 'whole-mm-reset-last'],
  ),
  decPending: axis(['after-flush'], ['before-flush']),
  gatherBatch: COUNT,
  tableBatch: COUNT,
  freePages: axis(['after-flush'], ['before-flush']),
  mergeVmas: axis([true, false]),
  madviseGather: axis(['per-vma', 'per-call']),
  munmapDowngrade: axis([true, false]),
};
