/**
 * Switches of deferrals: how open ones are recorded, so that others can see them and the end of a gather can skip or narrow its flush.
 *
 * Generations are those of the RFC "TLB batching consolidation and enhancements" (N. Amit, 2021-01-30, here "RFC" with the number
 * of a patch); D1 to D17 are its defects as docs/rfc-2021.md lists them. Where `deferral` is `counter`, only the switches of
 * reclaim's mask and of madvise are looked at.
 */
import { type Axes, axis } from './axis.ts';

/** Behaviour switches of deferrals. */
export interface DeferralSwitches {
  /**
   * What records that entries were changed and not flushed yet:
   * - `counter`: tlb_flush_pending of the mm, and nothing else (Linux)
   * - `vma-gen`: besides, a generation in the VMA (RFC 15)
   * - `table-gen`: a generation in the page of the table (RFC 16)
   * - `ring`: a slot of the flush ring; `queue`: records in the page of the table (profile/designs.ts)
   *
   * Generations are recorded by gathers only, so all who defer must use one (`changeProtection: 'gather'` and its sisters), and the
   * backend must publish what is completed.
   */
  readonly deferral: 'counter' | 'vma-gen' | 'table-gen' | 'ring' | 'queue';
  /**
   * When a deferral takes its generation:
   * - `end`: in tlb_end_ptes, after the changes and before the PTL is released
   * - `start`: in tlb_start_ptes: wrong, a CPU may catch up to it and cache an entry that is changed later
   * - `flush`: when the gather flushes: wrong, others who take the PTL before see the changes and no record
   */
  readonly recordDeferral: 'end' | 'start' | 'flush';
  /**
   * Which generation: a new one for each deferral, or (RFC 15 as posted, wrong: D3, traces T1 and T2) the gather's last one if
   * nobody has moved the mm's since.
   */
  readonly newGeneration: 'each' | 'reused';
  /** When a recorded generation is pending: while it is not completed, or (RFC 15 as posted, wrong: D1) once it is. */
  readonly genPending: 'uncompleted' | 'inverted';
  /**
   * A flush of what no recorded generation covers (unlinked tables, a nested finish, a gather that recorded nothing):
   * - `own`: takes a generation of its own
   * - `own-if-none`: only if nothing was recorded: wrong, an unlinked table came after what was (D5, trace T4)
   * - `as-recorded`: never (RFC 15 as posted): wrong, it goes out with no generation, which CPUs that are up to date ignore (D4, trace T3)
   */
  readonly untrackedGen: 'own' | 'own-if-none' | 'as-recorded';
  /**
   * When the end of a gather finds its flush done by others:
   * - `never`
   * - `past`: a generation after the recorded one is completed (RFC 15 as posted)
   * - `at-least`: the recorded one is
   * - `tables-too`: even if tables were unlinked: wrong, lazy CPUs were not interrupted for the others' flush
   */
  readonly skipCompleted: 'never' | 'past' | 'at-least' | 'tables-too';
  /**
   * When a finished flush raises the completed generation: always (RFC 08), or only while a deferred one is above it (RFC 17), which
   * saves an exchange and lets it lag.
   */
  readonly completedUpdate: 'always' | 'conditional';
  /** Whether a VMA that fork copies keeps the parent's generation (RFC 15 as posted, D16: pending for nothing) or starts without. */
  readonly forkVmaGen: 'none' | 'inherited';
  /** Whether mprotect merges neighbours that became alike. Off: two neighbours without a gap flush as one does. */
  readonly vmaMerge: boolean;
  /**
   * What of the parent's generations fork copies with the mm: nothing, the newest deferred one (RFC 17 as posted, D15: conservative),
   * or the completed one (wrong: the child's generations count from 0).
   */
  readonly forkMmGens: 'none' | 'deferred' | 'completed';
  /** Whether there may be large folios that small entries map (PG_LARGE): MADV_FREE and MADV_COLD drop the PTL to split them. */
  readonly madviseSplits: boolean;
  /** What they do with the open bracket then: end it and start anew, or (RFC 13, 15 as posted, wrong: D10, trace T30) nothing. */
  readonly madviseRelock: 'ends-bracket' | 'stays-open';
  /**
   * When they settle what reclaim has emptied and not flushed: each time that they have taken the PTL (6.16 on, 383c4613c67c), or (wrong,
   * bug B12) only when they take it first.
   */
  readonly madviseDrains: 'each-lock' | 'first-lock';
  /**
   * When a CPU leaves reclaim's mask (RFC 20):
   * - `arrival`: when a request arrives, before it looks at what to flush. With `batchedTargets: 'shared'` right for user accesses
   *   only: until the handler has flushed, an NMI that reads user memory could still use a page that is freed meanwhile (O1s)
   * - `before-full-flush`: only if it has to flush all; bits stay behind, and others flush for nothing (D9)
   * - `after-full-flush`: as posted, wrong: D6, trace T5
   */
  readonly batchedAck: 'arrival' | 'before-full-flush' | 'after-full-flush';
  /** How CPUs enter it: always with an atomic OR, or only if a bit is missing (RFC 19, D8). */
  readonly batchedOr: 'always' | 'if-missing';
  /**
   * Whom the flush at the end of reclaim's batch interrupts: the CPUs of its `own` deferrals, so that the mask is for others to look at,
   * or (RFC 20) whoever is left in the `shared` mask, which saves those that others have flushed since.
   */
  readonly batchedTargets: 'own' | 'shared';
  /** Which comes first when an unmap is deferred: the new generation, or (RFC 20 as posted, wrong: D7, trace T6) the mask. */
  readonly batchedOrder: 'generation-first' | 'mask-first';
  /** Which old entry decides whether a change needs a flush: the one that was exchanged, or (wrong, RFC 03's review) one read before. */
  readonly flushDecision: 'exchanged' | 'seen';
  /** What the default tlb_flush passes to flush_tlb_range: a VMA made up for it, or (RFC 12, wrong: D13) the gather's, if it has one. */
  readonly defaultFlushVma: 'fabricated' | 'real';
}

/** As in Linux 5.11. */
export const DEFERRAL_5_11: DeferralSwitches = {
  deferral: 'counter',
  recordDeferral: 'end',
  newGeneration: 'each',
  genPending: 'uncompleted',
  untrackedGen: 'own',
  skipCompleted: 'at-least',
  completedUpdate: 'always',
  forkVmaGen: 'none',
  vmaMerge: false,
  forkMmGens: 'none',
  madviseSplits: false,
  madviseRelock: 'ends-bracket',
  madviseDrains: 'first-lock',
  batchedAck: 'arrival',
  batchedOr: 'always',
  batchedTargets: 'own',
  batchedOrder: 'generation-first',
  flushDecision: 'exchanged',
  defaultFlushVma: 'fabricated',
};

/** What Linux 6.18 changed. */
export const DEFERRAL_6_18: Partial<DeferralSwitches> = { madviseDrains: 'each-lock' };

/** Values of the switches. */
export const DEFERRAL_AXES: Axes<DeferralSwitches> = {
  deferral: axis(['counter', 'vma-gen', 'table-gen', 'ring', 'queue']),
  recordDeferral: axis(['end'], ['start', 'flush']),
  newGeneration: axis(['each'], ['reused']),
  genPending: axis(['uncompleted'], ['inverted']),
  untrackedGen: axis(['own'], ['own-if-none', 'as-recorded']),
  skipCompleted: axis(['never', 'past', 'at-least'], ['tables-too']),
  completedUpdate: axis(['always', 'conditional']),
  forkVmaGen: axis(['none', 'inherited']),
  vmaMerge: axis([false, true]),
  forkMmGens: axis(['none', 'deferred'], ['completed']),
  madviseSplits: axis([false, true]),
  madviseRelock: axis(['ends-bracket'], ['stays-open']),
  madviseDrains: axis(['each-lock'], ['first-lock']),
  batchedAck: axis(['arrival', 'before-full-flush'], ['after-full-flush']),
  batchedOr: axis(['always', 'if-missing']),
  batchedTargets: axis(['own', 'shared']),
  batchedOrder: axis(['generation-first'], ['mask-first']),
  flushDecision: axis(['exchanged'], ['seen']),
  defaultFlushVma: axis(['fabricated'], ['real']),
};
