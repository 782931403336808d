/**
 * ThreadMemory: what a thread of a test asks of a machine, in values. There is an adapter without page tables (on-machine.ts), one with (on-tables.ts), and one
 * for the sets of kernel scenarios (on-sets.ts).
 */
import type { FaultKind, FenceKind, RmwOperation } from '@mmu-gather/checker';
import type { Steps } from '@mmu-gather/core/stepped';
import type { Value } from './values.ts';

/** What an access depends on, as masks of slots of earlier loads of the thread. */
export interface Dependencies {
  /** Loads that the address was computed from. */
  readonly addr: number;
  /** The same, or through what a comparison picked. */
  readonly pickAddr: number;
  /** Loads that the stored value was computed from, or picked by. */
  readonly data: number;
  /** Loads that the stored value was computed from. */
  readonly trueData: number;
  /** Loads that the branches before it depend on. */
  readonly ctrl: number;
  /** Loads that the addresses of earlier accesses depend on. */
  readonly earlier: number;
}

/** No dependency. */
export const FREE: Dependencies = { addr: 0, pickAddr: 0, data: 0, trueData: 0, ctrl: 0, earlier: 0 };

/** An access. */
export interface Access extends Dependencies {
  readonly bits: number;
  readonly acquire?: 'acquire' | 'acquirePc';
  readonly release?: boolean;
  readonly full?: boolean;
  readonly noReturn?: boolean;
  /** Slot of what is read; -1: it is not kept. */
  readonly slot: number;
  /** It runs in a fault handler. */
  readonly privileged: boolean;
}

/** What an access returns: a value, or why it faults. */
export type Outcome = { readonly value: Value; readonly fault?: undefined } | { readonly fault: FaultKind };

/** The memory of one thread. */
export interface ThreadMemory {
  load(address: Value, access: Access): Steps<Outcome>;
  /** The outcome's value means nothing. */
  store(address: Value, value: Value, access: Access): Steps<Outcome>;
  rmw(address: Value, operation: RmwOperation, operand: Value, access: Access): Steps<Outcome>;
  compareAndSwap(address: Value, old: Value, value: Value, access: Access): Steps<Outcome>;
  loadExclusive(address: Value, access: Access): Steps<Outcome>;
  /** The value is 0 if it has stored, 1 if not. */
  storeExclusive(address: Value, value: Value, access: Access): Steps<Outcome>;
  fence(kind: FenceKind | 'eret', on: Dependencies): Steps<void>;
  /** @param address undefined: everything */
  invalidate(address: Value | undefined, broadcast: boolean, on: Dependencies): Steps<void>;
  /** A choice that the architecture leaves open. */
  choose(count: number): Steps<number>;
  /** Blocks until the lock is free, and takes it. */
  lock(address: Value): Steps<void>;
  unlock(address: Value): Steps<void>;
  rcuReadLock(): Steps<void>;
  rcuReadUnlock(): Steps<void>;
  synchronizeRcu(): Steps<void>;
  /** The execution is given up: it is no behaviour of the test. `limited`: it might have been one (a loop was cut). */
  giveUp(limited: boolean): Steps<void>;
  /** Notes a result of the thread, once, at its end. */
  result(index: number, word: number): void;
}

/** Slots that a thread may use. */
export const SLOTS = 31;
