/**
 * What more than one architecture says of the suite: families of scenarios and twins that stand or fall together, for one reason. The
 * reason is each architecture's own.
 */
import type { Skip } from '../architecture.ts';
import type { Broken } from '../profiles/spec.ts';

/** Scenarios that do not apply, for one reason. */
export function skipsOf(why: string, ...scenarios: readonly string[]): Skip[] {
  return scenarios.map((scenario) => ({ scenario, why }));
}

/** Twins that are right, for one reason. */
export function mendsOf(why: string, ...twins: readonly string[]): Record<string, string> {
  return Object.fromEntries(twins.map((twin) => [twin, why]));
}

/** Scenarios that do not hold, for one reason. */
export function breaksOf(broken: Broken, ...scenarios: readonly string[]): Record<string, Broken> {
  return Object.fromEntries(scenarios.map((scenario) => [scenario, broken]));
}

/** Ids with conditions: where they are meant (keys.ts). */
export function at(where: string, ids: readonly string[]): string[] {
  return ids.map((id) => `${id}@${where}`);
}

/** Profiles that flush at the end of each VMA where the architecture does: all but those that merge VMAs (RFC 11). */
export const PER_VMA: string = 'mergeVmas=false';

// ---- scenarios ----

/** The mask of RFC 20, which flush handlers empty. */
export const MASK_OF_RFC_20: readonly string[] = ['rfc/mask-*', 'T5/*', 'T6/*'];
/** Rings that tell CPUs what they missed. */
export const RINGS: readonly string[] = ['ring/*', 'T21/*', 'T22/*'];
/** Completed generations that a flush publishes. */
export const COMPLETED_GENERATIONS: readonly string[] = ['generations/skip-with-tables', 'rfc/D15', 'queue/merge'];
/** Reclaim's deferrals, remembered by a generation. */
export const RECORDED_RECLAIM: readonly string[] = ['queue/reclaim', 'queue/reclaim-two-mms'];
/** Tables that are freed after a flush, and GUP-fast has been waited for by its interrupts. */
export const TABLES_AFTER_INTERRUPTS: readonly string[] = [
  'gup-fast/pt-reclaim-batched',
  'gup-fast/pt-reclaim-immediate',
  'gup-fast/batch-fails',
];

// ---- twins ----

/** Wrong in what they do with generations that CPUs compare. */
export const GENERATION_TWINS: readonly string[] = [
  'T1/*',
  'T2/*',
  'T3/*',
  'T4/*',
  'rfc/D3a',
  'rfc/D3b',
  'rfc/D4',
  'rfc/D5',
];
/** Wrong in the order of the finish's flush and what it tells others. */
export const LATE_FINISH_TWINS: readonly string[] = [
  'T8/dec-first',
  'T8/range-reset/dec-first',
  'T8/range-all-levels/dec-first',
  'T11/dec-first',
  'T23/naive',
  'rfc/D12',
  'nested-counters/zap-twice/uncount-first',
  'nested-counters/zap-twice/closed-first',
  'sync-finish/zap-twice/close-first',
];
/** Free pages before the finish has flushed. */
export const FREE_FIRST_TWINS: readonly string[] = [
  'munmap/running-thread/free-first',
  'mremap/shrink/free-first',
  'huge/munmap/free-first',
  'storm/reclaim-beside-gather/free-first',
];
/** Unlink VMAs before the finish has flushed. */
export const UNLINK_FIRST_TWINS: readonly string[] = ['T15/naive', 'T15/unlink/late', 'bug:B17/buggy'];
/** Wrong in what they do with flushes that reclaim has deferred. */
export const RECLAIM_TWINS: readonly string[] = [
  'bug:B02/buggy',
  'T7/naive',
  'T7/none',
  'T20/naive',
  'T26/naive',
  'T26/two-words/one-word',
  'reclaim/clean-file-page/free-first',
  'reclaim/dirty-file-page/no-flush',
  'reclaim/pageout/no-flush',
  'migration/running-thread/copy-first',
  'migration/store/copy-first',
  'clear-refs/reclaim/unseen',
  'clear-refs/reclaim/not-settled',
  'dirty-helpers/reclaim/as-in-linux',
  'storm/reclaim-beside-gather/hidden',
];

/** Go on with a page that reclaim or migration has unmapped before the deferred flush. */
export const UNMAP_TWINS: readonly string[] = [
  'T20/naive',
  'reclaim/clean-file-page/free-first',
  'reclaim/dirty-file-page/no-flush',
  'reclaim/pageout/no-flush',
  'migration/running-thread/copy-first',
  'migration/store/copy-first',
];

// ---- what does not hold ----

/** Under weak a lock acquires and no more: what stands before it may be seen after what stands in it. */
export const UNORDERED_NONE: Broken = {
  oracle: 'O10',
  why: 'who finds an upper entry empty without its lock may read from before that whether another gather is open: nothing orders the two',
};
