/**
 * Op: one step that a process is about to take, as numbers. Which one that is of every process is kept in a quiet word of the
 * state, so that going back restores it without running the process.
 */

/** Number of argument words of an op. */
export const ARGUMENTS = 9;

/** Kinds of steps. The names are the port's. */
export const OP_NAMES = [
  'none',
  'readOnce',
  'writeOnce',
  'loadAcquire',
  'storeRelease',
  'xchg',
  'cmpxchg',
  'atomicAdd',
  'atomicAddReturn',
  'atomicOr',
  'atomicAndNot',
  'bareLoad',
  'bareLoadExclusive',
  'bareStore',
  'bareStoreExclusive',
  'bareRmw',
  'bareCas',
  'atomicFetchAndNot',
  'smpMb',
  'smpWmb',
  'smpRmb',
  'smpMbAfterAtomic',
  'bareFence',
  'waitFor',
  'spinLock',
  'spinUnlock',
  'downRead',
  'downReadTrylock',
  'upRead',
  'downWrite',
  'upWrite',
  'downgradeWrite',
  'alloc',
  'free',
  'mayFail',
  'rcuReadLock',
  'rcuReadUnlock',
  'freeRcu',
  'synchronizeRcu',
  'awaitReaders',
  'localIrqDisable',
  'localIrqEnable',
  'sendIpi',
  'awaitIpis',
  'loadContext',
  'invalidate',
  'cmpxchgAndInvalidate',
  'invalidationBarrier',
  'userRead',
  'userWrite',
  'kernelRead',
  'viaLoad',
  'viaLoadExclusive',
  'viaStore',
  'viaStoreExclusive',
  'viaRmw',
  'viaCas',
  'bareInvalidate',
  'enterUser',
  'enterKernel',
  'irqReturn',
] as const;

/** Name of a kind of step. */
export type OpName = (typeof OP_NAMES)[number];

/** Kind numbers by name: `OP.readOnce`. */
export const OP: Readonly<Record<OpName, number>> = Object.fromEntries(OP_NAMES.map((name, i) => [name, i])) as Record<
  OpName,
  number
>;

/** Operand of `waitFor`, as a number. */
export const TESTS = ['equal', 'notEqual', 'atLeast'] as const;

/** Does a value pass a `waitFor` test? */
export function passes(test: number, value: number, operand: number): boolean {
  return test === 0 ? value === operand : test === 1 ? value !== operand : value >= operand;
}

/** An rwsem is one word: number of readers, or -1 for a writer. */
export const WRITER = -1;

/** Of an `invalidate`: its second argument says which entries besides, and where. */
export const SCOPE_GLOBALS = 1;
/** On every CPU, see `invalidationBarrier`. */
export const SCOPE_BROADCAST = 2;
/** Above these bits which level, plus one; 0: every level. */
export const SCOPE_LEVEL = 4;
/** Leaves that do not allow execution only. */
export const SCOPE_DATA: number = 1 << 14;
/** What is cached of a table of roots, too. */
export const SCOPE_ROOTS: number = 1 << 15;
/** And above these on which CPUs, instead of here; 0: here, or with {@link SCOPE_BROADCAST} everywhere. */
export const SCOPE_CPUS: number = 1 << 16;

/** Is an invalidation a broadcast, by its second argument? */
export function isBroadcast(how: number): boolean {
  return (how & SCOPE_BROADCAST) !== 0;
}

/** The level that an invalidation is about, by its second argument; -1: every level. */
export function scopeLevel(how: number): number {
  return Math.floor((how % SCOPE_DATA) / SCOPE_LEVEL) - 1;
}

/** CPUs on which an invalidation takes effect instead of here, by its second argument; 0 if it does here. */
export function scopeCpus(how: number): number {
  return Math.floor(how / SCOPE_CPUS);
}

/** Kinds of steps that load, store or lock the cell in their first argument. */
export function touchesCell(kind: number): boolean {
  return kind >= OP.readOnce && kind <= OP.downgradeWrite && (kind < OP.smpMb || kind > OP.bareFence);
}

/** Those of them that do not change it. */
export function onlyReads(kind: number): boolean {
  return kind === OP.readOnce || kind === OP.loadAcquire || kind === OP.bareLoad || kind === OP.waitFor;
}
