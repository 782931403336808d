/**
 * Bare steps: the accesses and fences of bare.ts as numbers, as pending steps carry them.
 *
 *     bareLoad    cell, order, slot, addr                                bareRmw    cell, operand, operation, order, slot, addr, data, ctrl
 *     bareStore   cell, value, order, addr, data, ctrl                   bareCas    cell, value, old,       order, slot, addr, data, ctrl
 *     bareFence   kind, ctrl
 *
 *     viaLoad     address, how, slot, addr, ctrl                         viaRmw     as bareRmw, with an address and how; picked
 *     viaStore    address, value, how, addr, data, ctrl, picked          viaCas     as bareCas, with an address and how; picked
 *     bareInvalidate   address or -1, broadcast, addr, ctrl
 *
 * where `how` is the order, and what the CPU does by hardware.
 */
import type {
  FenceKind,
  LoadAccess,
  LoadOrder,
  RmwAccess,
  RmwOperation,
  RmwOrder,
  StoreAccess,
  TranslatedBy,
} from './bare.ts';
import { OP } from './op.ts';

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
export function storeArguments({ order = 'relaxed', addr = 0, data = 0, ctrl = 0, picked = 0 }: StoreAccess): number[] {
  return [order === 'release' ? 1 : 0, addr, data, ctrl | picked];
}

/** Arguments of a read-modify-write behind its first three. */
export function rmwArguments(access: RmwAccess): number[] {
  const { order = 'relaxed', slot = NO_SLOT, addr = 0, data = 0, ctrl = 0, picked = 0, noReturn = false } = access;
  return [RMW_ORDERS.indexOf(order) + (noReturn ? NO_RETURN : 0), slot, addr, data, ctrl | picked];
}

/** The order of a read-modify-write by its number. */
export function rmwOrder(number: number): { order: RmwOrder; acquires: boolean; releases: boolean; result: boolean } {
  const order = number % (2 * NO_RETURN);
  const name = RMW_ORDERS[order % NO_RETURN]!;
  return {
    order: name,
    acquires: name === 'acquire' || name === 'acquireRelease',
    releases: name === 'release' || name === 'acquireRelease',
    result: order < NO_RETURN,
  };
}

/** Added to the order of an access that is translated: how. */
const VIA = { accessFlag: 16, dirty: 32, el0: 64, handler: 128 } as const;

function how({ accessFlag = false, dirty = false, el0 = false, handler = false }: TranslatedBy): number {
  const bit = (flag: boolean, value: number): number => (flag ? value : 0);
  return bit(accessFlag, VIA.accessFlag) + bit(dirty, VIA.dirty) + bit(el0, VIA.el0) + bit(handler, VIA.handler);
}

/** How an access is translated, by its order. */
export function translatedBy(order: number): Required<TranslatedBy> {
  const has = (flag: number): boolean => (order & flag) !== 0;
  return { accessFlag: has(VIA.accessFlag), dirty: has(VIA.dirty), el0: has(VIA.el0), handler: has(VIA.handler) };
}

/** Arguments of a translated load behind its address. */
export function viaLoadArguments(by: TranslatedBy, access: LoadAccess): number[] {
  const [order, slot, addr] = loadArguments(access);
  return [order! + how(by), slot!, addr!, access.ctrl ?? 0];
}

/** Arguments of a translated store behind its address and value. */
export function viaStoreArguments(by: TranslatedBy, { picked = 0, ...access }: StoreAccess): number[] {
  const [order, ...masks] = storeArguments(access);
  return [order! + how(by), ...masks, picked];
}

/** Arguments of a translated read-modify-write behind its first three. */
export function viaRmwArguments(by: TranslatedBy, { picked = 0, ...access }: RmwAccess): number[] {
  const [order, ...rest] = rmwArguments(access);
  return [order! + how(by), ...rest, picked];
}

/** Which argument of a translated access is which; -1: it has none. */
export interface ViaArguments {
  /** The kind of access that it is without translation. */
  readonly kind: number;
  /** What is stored, or the operand. */
  readonly value: number;
  /** Number of the operation, or what a compare-and-swap expects. */
  readonly operand: number;
  /** The order, and how it is translated. */
  readonly order: number;
  readonly slot: number;
  readonly addr: number;
  readonly data: number;
  readonly ctrl: number;
  readonly picked: number;
}

const LOAD = { value: -1, operand: -1, order: 1, slot: 2, addr: 3, data: -1, ctrl: 4, picked: -1 };
const STORE = { value: 1, operand: -1, order: 2, slot: -1, addr: 3, data: 4, ctrl: 5, picked: 6 };
const ATOMIC = { value: 1, operand: 2, order: 3, slot: 4, addr: 5, data: 6, ctrl: 7, picked: 8 };

const VIAS: ReadonlyMap<number, ViaArguments> = new Map([
  [OP.viaLoad, { kind: OP.bareLoad, ...LOAD }],
  [OP.viaLoadExclusive, { kind: OP.bareLoadExclusive, ...LOAD }],
  [OP.viaStore, { kind: OP.bareStore, ...STORE }],
  [OP.viaStoreExclusive, { kind: OP.bareStoreExclusive, ...STORE }],
  [OP.viaRmw, { kind: OP.bareRmw, ...ATOMIC }],
  [OP.viaCas, { kind: OP.bareCas, ...ATOMIC }],
]);

/** The arguments of a translated access, by its kind of step; undefined if it is no such step. */
export function viaOf(kind: number): ViaArguments | undefined {
  return VIAS.get(kind);
}
