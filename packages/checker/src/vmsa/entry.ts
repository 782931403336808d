/**
 * Entry: which accesses a page-table entry allows, and what hardware updates in it first (check_ptw of herd's AArch64 semantics).
 *
 *     no hardware management     af = 0: access-flag fault; a store with db = 0: permission fault
 *     HA                         af = 0: the access flag is set in memory, and the access goes on
 *     HA and HD                  also a store with db = 0 and dbm = 1: both flags are set in memory
 */
import type { FaultKind } from './port.ts';

/** What hardware looks at in an entry. */
export interface EntryFields {
  /** It may be used at all. */
  readonly valid: boolean;
  /** Access flag. */
  readonly accessed: boolean;
  /** db: stores are allowed. */
  readonly dirty: boolean;
  /** dbm: hardware may set db. */
  readonly managed: boolean;
  /** el0: user code may use it. */
  readonly user: boolean;
}

/** What a thread's CPU does by hardware (TTHM), and as whom it runs. */
export interface Management {
  /** It sets access flags (HA). */
  readonly accessFlag: boolean;
  /** It sets dirty state, and access flags (HD). */
  readonly dirty: boolean;
  /** It runs user code. */
  readonly el0: boolean;
}

/** What comes of a walk: a fault, or the flags that hardware sets first (perhaps none). */
export type Walk = Faulted | Translated;

/** The access faults. */
export interface Faulted {
  /** Why. */
  readonly fault: FaultKind;
}

/** The access goes on. */
export interface Translated {
  /** It does not fault. */
  readonly fault?: undefined;
  /** Hardware sets the access flag first. */
  readonly setAccessed: boolean;
  /** Hardware sets the dirty state first. */
  readonly setDirty: boolean;
}

/**
 * @param write the access stores, or is an atomic
 * @param mayDirty hardware may set the dirty state for it: not for a compare-and-swap that fails and leaves it alone
 */
export function walkOf(entry: EntryFields, write: boolean, mayDirty: boolean, by: Management): Walk {
  const accessFlag = by.accessFlag || by.dirty;
  if (!entry.valid) return { fault: 'Translation' };
  if (!accessFlag && !entry.accessed) return { fault: 'AccessFlag' };
  if (by.el0 && !entry.user) return { fault: 'Permission' };
  if (write && !entry.dirty && !(by.dirty && entry.managed)) return { fault: 'Permission' };
  const setDirty = by.dirty && write && mayDirty && !entry.dirty;
  return { setAccessed: accessFlag && !entry.accessed, setDirty };
}
