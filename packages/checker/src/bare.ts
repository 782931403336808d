/**
 * Bare: the port for programs of bare instructions (litmus tests), whose orders and dependencies are exact.
 *
 * Kernel code states its orders by the port's own calls, and its address dependencies are found by the machine. Programs of
 * instructions state everything: each load of a thread has a *slot*, a number from 0 to {@link SLOTS} - 1, and each later access
 * names the slots that its address, its data, or the branches before it depend on, as a bit mask.
 *
 *     LDR  X1,[X0]            r1 = yield* bare.load(x, { slot: 0 })
 *     EOR  X2,X1,X1
 *     LDR  X3,[X4,X2]         r3 = yield* bare.load(y, { slot: 1, addr: 1 << 0 })
 *     CBNZ X3,out ; ISB       yield* bare.fence('isb', 1 << 1)
 *     STR  X3,[X5]            yield* bare.store(z, r3, { data: 1 << 1, ctrl: 1 << 1 })
 *
 * A register that was computed from several loads carries all their slots. A slot that is used again stands for its last load.
 * Under `sc` and `tso` masks and relaxed orders say nothing, and fences act as those models say. All other calls of the port (locks, RCU,
 * interrupts, the MMU) are there, too.
 */
import type { Cell, Cpu, Steps } from '@mmu-gather/core/stepped';

/** Number of slots of a thread. */
export const SLOTS = 31;

/** What an access depends on: masks of slots, 0 if not given. */
export interface Dependencies {
  /** Loads that the address was computed from. Orders the access after them, and later stores too. */
  readonly addr?: number;
  /** Loads that the stored value (or the operand) was computed from. */
  readonly data?: number;
  /** Loads that the branches before this access depend on. Orders stores after them; loads only behind a fence `isb`. */
  readonly ctrl?: number;
  /** Loads that picked the stored value (CSEL, CAS). Orders the store after them, but not the walk or the exception entry of its instruction. */
  readonly picked?: number;
}

/**
 * Order of a load: `acquire` is LDAR (after every earlier release of its thread), `acquirePc` LDAPR. smp_load_acquire is
 * `acquirePc`.
 */
export type LoadOrder = 'relaxed' | 'acquire' | 'acquirePc';

/** A load. */
export interface LoadAccess extends Dependencies {
  /** `relaxed` if not given. */
  readonly order?: LoadOrder;
  /** Where what was read is kept; nowhere if not given. */
  readonly slot?: number;
}

/** A store. */
export interface StoreAccess extends Dependencies {
  /** `release` is STLR; `relaxed` if not given. */
  readonly order?: 'relaxed' | 'release';
}

/** Order of a read-modify-write: its load half, its store half, or both; `full` has smp_mb() on both sides (LKMM: those with a result). */
export type RmwOrder = 'relaxed' | 'acquire' | 'release' | 'acquireRelease' | 'full';

/** A read-modify-write. */
export interface RmwAccess extends Dependencies {
  /** `relaxed` if not given. A compare-and-swap that fails has the order of its load half; `full`, of none. */
  readonly order?: RmwOrder;
  /** Where what was read is kept; nowhere if not given. */
  readonly slot?: number;
  /** The form without a result (STADD, SWP to WZR, atomic_add): what it reads orders nothing after it, whatever acquire or `dmb ld` says. */
  readonly noReturn?: boolean;
}

/** What a read-modify-write stores, by what it read and its operand. */
export type RmwOperation = 'swap' | 'add' | 'or' | 'andNot' | 'xor' | 'max' | 'min';

/**
 * Fences.
 *
 * - full: `dmb sy`, `dsb sy`, `mfence`, `sync`, `mb` (smp_mb, also after an atomic or a spin_lock)
 * - loads before loads and stores: `dmb ld`, `dsb ld`; loads before loads: `rmb`
 * - stores before stores: `dmb st`, `dsb st`, `wmb`, `eieio`
 * - all but stores before loads: `lwsync`
 * - the branches in `ctrl` (and addresses) before all later loads: `isb`, `isync`
 *
 * An `sfence` or `lfence` of x86 is no fence of this list: under TSO they order nothing that is not ordered.
 */
export type FenceKind =
  | 'dmb sy'
  | 'dmb ld'
  | 'dmb st'
  | 'dsb sy'
  | 'dsb ld'
  | 'dsb st'
  | 'isb'
  | 'mfence'
  | 'lwsync'
  | 'sync'
  | 'eieio'
  | 'isync'
  | 'mb'
  | 'rmb'
  | 'wmb';

/** How an access is translated: what its CPU does by hardware, and as whom. All false if not given. */
export interface TranslatedBy {
  /** Hardware sets access flags (HA). */
  readonly accessFlag?: boolean;
  /** Hardware sets dirty state, and access flags (HD). */
  readonly dirty?: boolean;
  /** It is user code (EL0). */
  readonly el0?: boolean;
  /** A fault is taken by a handler: an exception entry, which synchronises. */
  readonly handler?: boolean;
}

/** A TLBI. */
export interface Invalidation extends Dependencies {
  /** The address whose leaf entry goes; all entries if not given. */
  readonly address?: number;
  /** On every CPU, when a DSB has completed it, or only on this one. */
  readonly broadcast: boolean;
}

/** The port of a thread of bare instructions. */
export interface BarePort extends Cpu {
  /** A load. Returns what it read. */
  load(cell: Cell, access?: LoadAccess): Steps<number>;
  /** A store. */
  store(cell: Cell, value: number, access?: StoreAccess): Steps<void>;
  /** A read-modify-write that always stores. Returns what it read. */
  rmw(cell: Cell, operation: RmwOperation, operand: number, access?: RmwAccess): Steps<number>;
  /** Stores `value` if the cell holds `old`. Returns what it read: it has stored if that is `old`. One that fails may read stale. */
  compareAndSwap(cell: Cell, old: number, value: number, access?: RmwAccess): Steps<number>;
  /** LDXR, LDAXR, lwarx: a load that reserves the cell. A later one takes the reservation away. */
  loadExclusive(cell: Cell, access?: LoadAccess): Steps<number>;
  /**
   * STXR, STLXR, stwcx: stores if no other thread has stored since the load that reserved the cell. Returns 0 if it has stored, 1 if not;
   * it may fail without a reason, and always does without a reservation of this cell.
   */
  storeExclusive(cell: Cell, value: number, access?: StoreAccess): Steps<number>;
  /**
   * No step: from here on the code depends on nothing that it was fed, but on where it is and these values. States then merge in which it came
   * here in other ways: what a loop knows is said at its head. If it is not so, states are lost;
   * `checkKeys` finds that out where the next step shows it. `progress`, from 1 to 1023, says where it
   * is, and grows from one call to the next.
   */
  forget(progress: number, ...live: number[]): void;
  /** A fence. `ctrl`: slots that the branches before it depend on (`isb` and `isync` only). */
  fence(kind: FenceKind, ctrl?: number): Steps<void>;

  // Through page tables, under `weak` in a program that has some. Addresses: page << pageShift, plus the number of the word in the page.
  // Each returns what its namesake does, or one of FAULTS.

  /** A load. */
  loadVia(address: number, by: TranslatedBy, access?: LoadAccess): Steps<number>;
  /** A store. Returns 0. */
  storeVia(address: number, value: number, by: TranslatedBy, access?: StoreAccess): Steps<number>;
  /** A read-modify-write. */
  rmwVia(
    address: number,
    operation: RmwOperation,
    operand: number,
    by: TranslatedBy,
    access?: RmwAccess,
  ): Steps<number>;
  /** A compare-and-swap. One that fails may store what it read. */
  compareAndSwapVia(address: number, old: number, value: number, by: TranslatedBy, access?: RmwAccess): Steps<number>;
  /** LDXR, LDAXR. */
  loadExclusiveVia(address: number, by: TranslatedBy, access?: LoadAccess): Steps<number>;
  /** STXR, STLXR. */
  storeExclusiveVia(address: number, value: number, by: TranslatedBy, access?: StoreAccess): Steps<number>;
  /** A TLBI, which a `dsb sy` completes. */
  invalidateVia(invalidation: Invalidation): Steps<void>;
}

/** The port of the exploring machine as bare instructions see it; on other machines there is none. */
export function bareOf(cpu: Cpu): BarePort {
  const port = cpu as BarePort;
  if (typeof port.storeExclusive !== 'function')
    throw new TypeError('bare instructions run on the exploring machine only');
  return port;
}
