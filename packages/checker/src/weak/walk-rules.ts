/**
 * Walk rules: what is ordered because accesses are translated, by name. Tests leave one out at a time, and some litmus file must notice.
 */

/** The rules. */
export const WALK_RULES = [
  /** An ISB, an exception entry or a return holds back walks. */
  'isb',
  /** A DSB waits for walks. */
  'dsb-waits',
  /** A DSB holds back TLBIs and ISBs; with ETS2 walks, too. */
  'dsb',
  /** A fault comes after what a DMB or an acquire holds back. */
  'fault-held-back',
  /** An access comes after its walk. */
  'access',
  /** A store comes after the walks of earlier accesses. */
  'walk-store',
  /** A store comes after earlier walks of its cell, those that faulted among them. */
  'same-cell',
  /** A walk comes after what its address depends on. */
  'address',
  /** ETS2: a walk that faults for a translation or an access flag comes after all earlier accesses. */
  'ets2-fault',
  /** A walk that faults so comes from memory: before the stores that it did not see. */
  'fault-from-memory',
  /** A walk comes after the store that it reads from. */
  'walk-reads-from',
  /** An update of an entry by hardware comes after all earlier accesses of the entry, and after its walk. */
  'update-order',
  /** A completed TLBI is ordered with the walks that it covers. */
  'tlbi',
  /** ... and with the accesses behind them. */
  'tlbi-access',
  /** ... and with earlier walks of the same place. */
  'tlbi-earlier-walk',
  /** What replaces an entry that was walked after a TLBI comes after the TLBI. */
  'tlbi-first',
] as const;

/** A rule. */
export type WalkRule = (typeof WALK_RULES)[number];

/** Rules that are left out: none, unless a test asks what one is for. */
export type Without = ReadonlySet<WalkRule>;
