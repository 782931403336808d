/**
 * Switches of designs that were proposed and never merged: the flush ring, the queue of pending flushes, the finish that waits,
 * counters for each level. And what this project's aggressive profile adds to them.
 */
import { type Axes, axis, COUNT } from './axis.ts';
import type { DeferralSwitches } from './deferral.ts';
import type { GatherSwitches } from './gather.ts';
import type { MoveSwitches } from './moves.ts';
import type { RightsSwitches } from './rights.ts';
import type { RmapSwitches } from './rmap.ts';

/** Behaviour switches of these designs. */
export interface DesignSwitches {
  // ---- flush ring (A. Lutomirski, 2021-02-01) ----

  /** Slots of each mm's ring, where `deferral` is `ring`. */
  readonly ringSlots: number;
  /** Who reads the ring: the CPU that starts a flush, for all, or besides each CPU in its handler, from its own generation on. */
  readonly ringReader: 'initiator' | 'handler';
  /**
   * Which slots are folded: those past the completed generation, up to the newest one that the flusher read; or (posted, wrong: trace T21)
   * one less on both ends, for an entry's own generation is the one after its increment.
   */
  readonly ringFold: 'past-completed' | 'off-by-one';
  /** What is published as completed: the newest generation that was folded, or (posted, wrong: trace T22) the newest by then. */
  readonly ringPublish: 'snapshot' | 'newest';
  /** Whether a reader looks at the slot's generation again after it read the slot. False is wrong: it may mix two entries. */
  readonly ringRecheck: boolean;
  /** Whether a folded range is used by CPUs only that have what came before it. False is wrong. */
  readonly ringBase: boolean;

  // ---- pending records (A. Lutomirski, 2020-12-23) ----

  /** Records of pending flushes in the page of each table. At least 1 where `deferral` is `queue`. */
  readonly queueRecords: number;
  /** Generation of a record that takes in a neighbour: the newer one, or (wrong) it keeps its own. */
  readonly queueMerge: 'newer' | 'older';
  /** What a fault does that meets a pending flush, under its PTL: flushes itself, or (wrong) sleeps until its owner has. */
  readonly queueWaiter: 'flushes' | 'sleeps';
  /** Whether each PTE table has a lock of its own (SPLIT_PTE_PTLOCKS), or the mm one for all. */
  readonly splitPtl: boolean;
  /** Whether a write fault that copies looks for a pending flush in every VMA, or in those of userfaultfd only (5.12 on). */
  readonly wpFaultPending: 'uffd' | 'all';

  /**
   * How a batch of reclaim flushes, where `batchedPending` is `generation`: all its mms with one interrupt for each CPU, or each mm up to
   * its generation, which others may have completed.
   */
  readonly batchFlush: 'mask' | 'each-mm';

  // ---- finish that waits (P. Zijlstra, 2019-05-09) ----

  /**
   * How tlb_finish_mmu deals with another open gather:
   * - `none`: as `nestedFinish` says
   * - `counter`: lowers tlb_flush_pending and waits until it is 0, as sketched: it also waits for gathers that are opened later, and
   *   for those whose owner needs a lock of the waiter (wrong: trace T27)
   * - `wait-first`: waits until its own count is the last one, and lowers it then: wrong, two wait for each other
   * - `epoch`: waits for those only that were open at entry and need nothing of it; else as `nestedFinish` says
   */
  readonly finishSync: 'none' | 'counter' | 'wait-first' | 'epoch';

  // ---- counters for each level (N. Amit, May 2019) ----

  /**
   * What a finish flushes that finds levels counted by others (`nestedFinish: 'level-counters'`): everything, or (wrong) its own
   * hull with those levels, for nobody told it the addresses.
   */
  readonly levelRange: 'whole-mm' | 'own-hull';
  /** When a gather lowers its counts: after its flush, or (wrong) before. */
  readonly levelDec: 'after-flush' | 'before-flush';
  /**
   * When a gather that empties a PTE table tells others what it cleared: before it unlinks the table, or after. Others see the
   * missing table without a lock, so after is wrong for all who look at what was told and not at tlb_flush_pending.
   */
  readonly unlinkTable: 'after-record' | 'before-record';

  // ---- aggressive ----

  /** Which entries that lose the accessed bit, or the dirty one, MADV_FREE and MADV_COLD flush: all, dirty ones, or (wrong) none. */
  readonly agingFlush: 'always' | 'dirty' | 'none';
}

/** As in Linux 5.11: none of them. */
export const DESIGNS_5_11: DesignSwitches = {
  ringSlots: 16,
  ringReader: 'initiator',
  ringFold: 'past-completed',
  ringPublish: 'snapshot',
  ringRecheck: true,
  ringBase: true,
  queueRecords: 1,
  queueMerge: 'newer',
  queueWaiter: 'flushes',
  splitPtl: true,
  wpFaultPending: 'uffd',
  batchFlush: 'mask',
  finishSync: 'none',
  levelRange: 'whole-mm',
  levelDec: 'after-flush',
  unlinkTable: 'after-record',
  agingFlush: 'always',
};

/** What Linux 6.18 changed: nothing. */
export const DESIGNS_6_18: Partial<DesignSwitches> = {};

/** Values of the switches. */
export const DESIGN_AXES: Axes<DesignSwitches> = {
  ringSlots: COUNT,
  ringReader: axis(['initiator', 'handler']),
  ringFold: axis(['past-completed'], ['off-by-one']),
  ringPublish: axis(['snapshot'], ['newest']),
  ringRecheck: axis([true], [false]),
  ringBase: axis([true], [false]),
  queueRecords: COUNT,
  queueMerge: axis(['newer'], ['older']),
  queueWaiter: axis(['flushes'], ['sleeps']),
  splitPtl: axis([true, false]),
  wpFaultPending: axis(['uffd', 'all']),
  batchFlush: axis(['mask', 'each-mm']),
  finishSync: axis(['none', 'epoch'], ['counter', 'wait-first']),
  levelRange: axis(['whole-mm'], ['own-hull']),
  levelDec: axis(['after-flush'], ['before-flush']),
  unlinkTable: axis(['after-record', 'before-record']),
  agingFlush: axis(['always', 'dirty'], ['none']),
};

/**
 * The batching that the RFC said it would enable, as far as the oracles allow, on top of the newest kernel: changes are recorded in a
 * ring, so that
 *
 * - a gather is flushed once, with the hull of what is not completed, and not at all if somebody else has done it;
 * - a finish flushes what others changed in its range, whether they are still open or not, and no more;
 * - reclaim's deferrals are pending for as long as their generation is, and no longer;
 * - fork flushes what lost the right to write, MADV_COLD nothing, mremap once for a call;
 * - an mprotect that grants writing leaves entries to the next write fault: one flush less if the right is taken back before, one
 *   fault more if not.
 *
 * NUMA hinting flushes as before: with nothing left to flush for it, a CPU could use the old entry for ever, and the hint would be lost.
 */
export const AGGRESSIVE: Partial<DesignSwitches> &
  Partial<DeferralSwitches> &
  Partial<GatherSwitches> &
  Partial<RightsSwitches> &
  Partial<RmapSwitches> &
  Partial<MoveSwitches> = {
  deferral: 'ring',
  nestedFinish: 'overlapping',
  madviseGather: 'per-call',
  changeProtection: 'gather',
  clearRefs: 'gather',
  dirtyHelpers: 'gather',
  batchedPending: 'generation',
  forkFlush: 'protected',
  mprotectWritable: false,
  agingFlush: 'dirty',
  movePtes: 'gather',
  vmapReuse: 'generation',
};
