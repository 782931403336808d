/**
 * Descriptor: what a walk makes of a leaf entry, as Arm's hardware does.
 *
 *     PRESENT valid     ACCESSED access flag     USER user code may use it     DIRTY stores are allowed     RW hardware may set DIRTY (DBM)
 *
 *     no hardware management     not ACCESSED: access-flag fault; a store, not DIRTY: permission fault
 *     HA                         not ACCESSED: that is set in memory, and the access goes on
 *     HA and HD                  also a store, RW and not DIRTY: both are set in memory
 */
import { ACCESSED, DIRTY, type Entry, entrySet, PRESENT, RW, USER } from '@mmu-gather/core/stepped';

/** Why an access faults. */
export type FaultKind = 'Translation' | 'AccessFlag' | 'Permission';

/** What an access that faults returns, by the kind of its fault. No value of a program is one of these. */
export const FAULTS: Readonly<Record<FaultKind, number>> = {
  Translation: -0x7fffff01,
  AccessFlag: -0x7fffff02,
  Permission: -0x7fffff03,
};

/** The kind of fault that a result stands for; undefined if it is a value. */
export function faultOf(result: number): FaultKind | undefined {
  if (result > FAULTS.Translation) return undefined;
  return (['Translation', 'AccessFlag', 'Permission'] as const).find((kind) => FAULTS[kind] === result);
}

/** What a CPU does by hardware for an access, and as whom. */
export interface Walker {
  /** It sets access flags (HA, or HD). */
  readonly accessFlag: boolean;
  /** It sets dirty state, and access flags (HD). */
  readonly dirty: boolean;
  /** It runs user code. */
  readonly el0: boolean;
}

/** A walk that ends in a fault. */
export interface Faulted {
  /** Why. */
  readonly fault: FaultKind;
}

/** A walk that goes on to the access. */
export interface Translated {
  /** There is none. */
  readonly fault?: undefined;
  /** The entry as hardware leaves it. */
  readonly updated: Entry;
}

/**
 * Walks an entry.
 * @param write the access stores, or is an atomic
 * @param mayDirty hardware may set the dirty state for it: not for a compare-and-swap that fails and leaves it alone
 */
export function walk(entry: Entry, write: boolean, mayDirty: boolean, by: Walker): Faulted | Translated {
  const has = (flag: number): boolean => (entry & flag) !== 0;
  const accessFlag = by.accessFlag || by.dirty;
  if (!has(PRESENT)) return { fault: 'Translation' };
  if (!accessFlag && !has(ACCESSED)) return { fault: 'AccessFlag' };
  if (by.el0 && !has(USER)) return { fault: 'Permission' };
  if (write && !has(DIRTY) && !(by.dirty && has(RW))) return { fault: 'Permission' };
  const flags = (accessFlag ? ACCESSED : 0) | (by.dirty && write && mayDirty ? DIRTY : 0);
  return { updated: entrySet(entry, flags) };
}

/** Does the fault come from memory, because no such entry is ever cached? */
export function isUncacheable(fault: FaultKind | undefined): boolean {
  return fault === 'Translation' || fault === 'AccessFlag';
}
