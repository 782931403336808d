/**
 * Bare steps: the accesses and fences of bare.ts as numbers, as pending steps carry them.
 *
 *     bareLoad    cell, order, slot, addr                                bareRmw    cell, operand, operation, order, slot, addr, data, ctrl
 *     bareStore   cell, value, order, addr, data, ctrl                   bareCas    cell, value, old,       order, slot, addr, data, ctrl
 *     bareFence   kind, ctrl
 */
import type { FenceKind, LoadAccess, LoadOrder, RmwAccess, RmwOperation, RmwOrder, StoreAccess } from './bare.ts';

/** Orders of loads, by number. */
export const LOAD_ORDERS: readonly LoadOrder[] = ['relaxed', 'acquirePc', 'acquire'];
/** Orders of read-modify-writes, by number. */
export const RMW_ORDERS: readonly RmwOrder[] = ['relaxed', 'acquire', 'release', 'acquireRelease', 'full'];
/** Added to the number of an order: its result is not used. */
export const NO_RETURN = 8;
/** Slot of a load that is kept nowhere. */
const NO_SLOT = -1;

/** What a fence orders. `full` also waits for the store buffer under TSO. */
export type FenceClass = 'full' | 'loads' | 'loadsOnly' | 'stores' | 'light' | 'instructions';

const FENCES: Readonly<Record<FenceKind, FenceClass>> = {
  'dmb sy': 'full',
  'dsb sy': 'full',
  mfence: 'full',
  sync: 'full',
  mb: 'full',
  'dmb ld': 'loads',
  'dsb ld': 'loads',
  rmb: 'loadsOnly',
  'dmb st': 'stores',
  'dsb st': 'stores',
  wmb: 'stores',
  eieio: 'stores',
  lwsync: 'light',
  isb: 'instructions',
  isync: 'instructions',
};
/** Fences by number. */
export const FENCE_KINDS: readonly FenceKind[] = Object.keys(FENCES) as FenceKind[];

/** What a fence orders, by its number. */
export function fenceClass(kind: number): FenceClass {
  return FENCES[FENCE_KINDS[kind]!];
}

/** What a read-modify-write stores, by the number of its operation. */
const OPERATIONS: Readonly<Record<RmwOperation, (old: number, operand: number) => number>> = {
  swap: (_, operand) => operand,
  add: (old, operand) => old + operand,
  or: (old, operand) => old | operand,
  andNot: (old, operand) => old & ~operand,
  xor: (old, operand) => old ^ operand,
  max: Math.max,
  min: Math.min,
};
/** Operations by number. */
export const RMW_OPERATIONS: readonly RmwOperation[] = Object.keys(OPERATIONS) as RmwOperation[];

/** What a read-modify-write stores. */
export function operate(operation: number, old: number, operand: number): number {
  return OPERATIONS[RMW_OPERATIONS[operation]!](old, operand);
}

/** Arguments of a load behind its cell. */
export function loadArguments({ order = 'relaxed', slot = NO_SLOT, addr = 0 }: LoadAccess): number[] {
  return [LOAD_ORDERS.indexOf(order), slot, addr];
}

/** Arguments of a store behind its cell and value. */
export function storeArguments({ order = 'relaxed', addr = 0, data = 0, ctrl = 0 }: StoreAccess): number[] {
  return [order === 'release' ? 1 : 0, addr, data, ctrl];
}

/** Arguments of a read-modify-write behind its first three. */
export function rmwArguments(access: RmwAccess): number[] {
  const { order = 'relaxed', slot = NO_SLOT, addr = 0, data = 0, ctrl = 0, noReturn = false } = access;
  return [RMW_ORDERS.indexOf(order) + (noReturn ? NO_RETURN : 0), slot, addr, data, ctrl];
}

/** The order of a read-modify-write by its number. */
export function rmwOrder(order: number): { order: RmwOrder; acquires: boolean; releases: boolean; result: boolean } {
  const name = RMW_ORDERS[order % NO_RETURN]!;
  return {
    order: name,
    acquires: name === 'acquire' || name === 'acquireRelease',
    releases: name === 'release' || name === 'acquireRelease',
    result: order < NO_RETURN,
  };
}
