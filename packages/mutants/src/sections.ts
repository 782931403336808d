/**
 * Sections: what begins and ends, and is left out as a whole.
 *
 * A lock may end in another function than it began in. So it is left out where it is taken, and its unlock, wherever that is, is left
 * out because the lock was not taken (switchboard.ts). Interrupts and RCU count, and both ends stand in one function.
 */

/** Taking. */
export const LOCKS: Readonly<Record<string, true>> = {
  spinLock: true,
  downRead: true,
  downWrite: true,
  downReadTrylock: true,
};

/** Letting go, or less. */
export const UNLOCKS: ReadonlySet<string> = new Set(['spinUnlock', 'upRead', 'upWrite', 'downgradeWrite']);

/** Sections that count. */
export const SECTIONS: Readonly<Record<string, { readonly of: string; readonly opens: boolean }>> = {
  localIrqDisable: { of: 'interrupts off', opens: true },
  localIrqEnable: { of: 'interrupts off', opens: false },
  rcuReadLock: { of: 'RCU', opens: true },
  rcuReadUnlock: { of: 'RCU', opens: false },
};
