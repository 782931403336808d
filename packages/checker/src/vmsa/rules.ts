/**
 * Rules: what the VMSA machine orders, by name. Tests leave one out at a time, and some litmus file must notice.
 */

/** The rules. */
export const VMSA_RULES = [
  /** Everything behind an ISB, an exception entry or a return comes after what it waited for. */
  'isb',
  /** A DSB waits, and holds back what follows. */
  'dsb',
  /** A DMB waits, and holds back accesses and faults. */
  'dmb',
  /** What follows an acquiring load comes after it. */
  'acquire',
  /** A release comes after all earlier accesses. */
  'release',
  /** LDAR comes after earlier releases. */
  'release-acquire',
  /** A store comes after the walks of earlier accesses. */
  'walk-store',
  /** A store comes after earlier accesses and walks of its cell. */
  'same-cell',
  /** ETS2: a walk that faults comes after all earlier accesses. */
  'ets2-fault',
  /** Address, data and control dependencies. */
  'dependencies',
  /** A load behind an own store comes after what the store depends on. */
  'through-memory',
  /** The store of an atomic, of a hardware update, and the access behind a walk come after it. */
  'mate',
  /** A load comes before the stores that it did not see. */
  'from-read',
  /** Two loads of one cell by one thread do not go backwards. */
  'load-load',
  /** A walk that faults for a translation or an access flag comes from memory: before the stores that it did not see. */
  'fault-from-memory',
  /** What a walk read from comes before the walk, also in its own thread. */
  'walk-reads-from',
  /** Hardware updates of entries keep the order of stores. */
  'update-order',
  /** A completed TLBI is ordered with the walks that it covers. */
  'tlbi',
  /** ... and with the accesses that went through them. */
  'tlbi-access',
  /** ... and with earlier walks of the same place. */
  'tlbi-earlier-walk',
  /** What overwrites an entry that was walked after a TLBI comes after the TLBI. */
  'tlbi-first',
] as const;

/** A rule. */
export type VmsaRule = (typeof VMSA_RULES)[number];

/** Rules that are left out: none, unless a test asks what one is for. */
export type Without = ReadonlySet<VmsaRule>;
