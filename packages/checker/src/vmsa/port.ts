/**
 * Port: what a thread of bare instructions asks of the VMSA machine. Every call is a step; barriers and TLBIs take effect at once, as
 * nobody else can see them happen.
 *
 * Addresses and values are words, which the program's {@link Values} give a meaning. An access to a virtual address may fault: it then
 * returns one of {@link FAULTS}, and its effects are those of an exception entry.
 */
import type { Step, Steps } from '@mmu-gather/core/stepped';
import type { FenceKind, RmwOperation } from '../bare.ts';

/** What a faulting access returns, by the kind of its fault. No value of a program is one of these. */
export const FAULTS: Readonly<Record<FaultKind, number>> = {
  Translation: -0x7fffff01,
  AccessFlag: -0x7fffff02,
  Permission: -0x7fffff03,
};

/** Why an access faults. */
export type FaultKind = 'Translation' | 'AccessFlag' | 'Permission';

/** The kind of fault that a result stands for; undefined if it is a value. */
export function faultOf(result: number): FaultKind | undefined {
  return result > FAULTS.Translation
    ? undefined
    : (['Translation', 'AccessFlag', 'Permission'] as const).find((kind) => FAULTS[kind] === result);
}

/** What an access depends on, as masks of the slots of earlier loads; 0 if not given. */
export interface VmsaDependencies {
  /** The address was computed from them. */
  readonly addr?: number;
  /** The address was computed from them, or from what a comparison with them picked. */
  readonly pickAddr?: number;
  /** The stored value was computed or picked from them. */
  readonly data?: number;
  /** The stored value was computed from them. */
  readonly trueData?: number;
  /** Branches before it depend on them. */
  readonly ctrl?: number;
  /** Addresses of earlier accesses depend on them. */
  readonly earlier?: number;
}

/** An access. */
export interface VmsaAccess extends VmsaDependencies {
  /** Order of the load, or of the load half of an atomic. */
  readonly acquire?: 'acquire' | 'acquirePc';
  /** Whether the store, or the store half, releases. */
  readonly release?: boolean;
  /** Where what was read is kept. */
  readonly slot?: number;
  /** The result of the atomic is not kept. */
  readonly noReturn?: boolean;
  /** The instruction runs in a fault handler, at EL1. */
  readonly privileged?: boolean;
}

/** What a TLBI drops. */
export interface VmsaInvalidation extends VmsaDependencies {
  /** The address whose entry goes, or undefined for all entries. */
  readonly address?: number;
  /** On every CPU (the IS forms), or only on this one. */
  readonly broadcast: boolean;
}

/** The port. */
export interface VmsaPort {
  /** A load. */
  load(address: number, access?: VmsaAccess): Steps<number>;
  /** A store. Returns 0, or a fault. */
  store(address: number, value: number, access?: VmsaAccess): Steps<number>;
  /** An atomic that always stores. Returns what it read. */
  rmw(address: number, operation: RmwOperation, operand: number, access?: VmsaAccess): Steps<number>;
  /** A compare-and-swap. Returns what it read. One that fails may store what it read. */
  compareAndSwap(address: number, old: number, value: number, access?: VmsaAccess): Steps<number>;
  /** LDXR, LDAXR. */
  loadExclusive(address: number, access?: VmsaAccess): Steps<number>;
  /** STXR, STLXR. Returns 0 if it has stored, 1 if not. */
  storeExclusive(address: number, value: number, access?: VmsaAccess): Steps<number>;
  /** A barrier. `eret`: the return from an exception. */
  fence(kind: FenceKind | 'eret', on?: VmsaDependencies): Steps<void>;
  /** A TLBI. */
  invalidate(what: VmsaInvalidation): Steps<void>;
  /** A choice that the architecture leaves open: 0 to `count` - 1. */
  choose(count: number): Steps<number>;
  /** The execution is given up here: it is no behaviour of the program (a loop was cut, a handler returned to a fault for ever). */
  giveUp(): Steps<void>;
  /** Notes a result of the thread: word `index` of the machine's results. */
  result(index: number, value: number): void;
}

/** Kinds of steps. */
export const STEP = {
  none: 0,
  load: 1,
  store: 2,
  rmw: 3,
  compareAndSwap: 4,
  loadExclusive: 5,
  storeExclusive: 6,
  fence: 7,
  invalidate: 8,
  choose: 9,
  giveUp: 10,
} as const;

/** Arguments of a step, as words: quiet words of the state hold them. */
export const ARG = {
  kind: 0,
  address: 1,
  value: 2,
  other: 3,
  flags: 4,
  slot: 5,
  addr: 6,
  pickAddr: 7,
  data: 8,
  trueData: 9,
  ctrl: 10,
  earlier: 11,
} as const;
/** Number of them. */
export const ARGS = 12;

/** Bits of `ARG.flags`. */
export const FLAG = {
  acquire: 1,
  acquirePc: 2,
  release: 4,
  noReturn: 8,
  privileged: 16,
  broadcast: 32,
  all: 64,
} as const;

/** Atomics by number. */
export const OPERATIONS: readonly RmwOperation[] = ['swap', 'add', 'or', 'andNot', 'xor', 'max', 'min'];

/** Barriers by number. */
export const FENCES: readonly (FenceKind | 'eret')[] = [
  'dmb sy',
  'dmb ld',
  'dmb st',
  'dsb sy',
  'dsb ld',
  'dsb st',
  'isb',
  'eret',
];

/** One thread's port: announces a step, pauses, and returns what the machine fed. */
export class ThreadPort implements VmsaPort, Step {
  /** The announced step. */
  readonly args: Int32Array = new Int32Array(ARGS);
  /** What the machine answers. */
  fed = 0;
  get kind(): number {
    return this.args[ARG.kind]!;
  }
  readonly #note: (index: number, value: number) => void;

  /** @param note takes a result of the thread */
  constructor(note: (index: number, value: number) => void) {
    this.#note = note;
  }

  load(address: number, access: VmsaAccess = {}): Steps<number> {
    return this.#access(STEP.load, address, 0, 0, access);
  }
  store(address: number, value: number, access: VmsaAccess = {}): Steps<number> {
    return this.#access(STEP.store, address, value, 0, access);
  }
  rmw(address: number, operation: RmwOperation, operand: number, access: VmsaAccess = {}): Steps<number> {
    return this.#access(STEP.rmw, address, operand, OPERATIONS.indexOf(operation), access);
  }
  compareAndSwap(address: number, old: number, value: number, access: VmsaAccess = {}): Steps<number> {
    return this.#access(STEP.compareAndSwap, address, value, old, access);
  }
  loadExclusive(address: number, access: VmsaAccess = {}): Steps<number> {
    return this.#access(STEP.loadExclusive, address, 0, 0, access);
  }
  storeExclusive(address: number, value: number, access: VmsaAccess = {}): Steps<number> {
    return this.#access(STEP.storeExclusive, address, value, 0, access);
  }
  *fence(kind: FenceKind | 'eret', on: VmsaDependencies = {}): Steps<void> {
    const number = FENCES.indexOf(kind);
    if (number < 0) throw new TypeError(`${kind} is no barrier of Arm`);
    yield* this.#announce(STEP.fence, 0, number, 0, 0, -1, on);
  }
  *invalidate(what: VmsaInvalidation): Steps<void> {
    const flags = (what.broadcast ? FLAG.broadcast : 0) | (what.address === undefined ? FLAG.all : 0);
    yield* this.#announce(STEP.invalidate, what.address ?? 0, 0, 0, flags, -1, what);
  }
  choose(count: number): Steps<number> {
    return this.#announce(STEP.choose, 0, count, 0, 0, -1, {});
  }
  *giveUp(): Steps<void> {
    yield* this.#announce(STEP.giveUp, 0, 0, 0, 0, -1, {});
  }
  result(index: number, value: number): void {
    this.#note(index, value);
  }

  #access(kind: number, address: number, value: number, other: number, access: VmsaAccess): Steps<number> {
    const flags =
      (access.acquire === 'acquire' ? FLAG.acquire : 0) |
      (access.acquire === 'acquirePc' ? FLAG.acquirePc : 0) |
      (access.release === true ? FLAG.release : 0) |
      (access.noReturn === true ? FLAG.noReturn : 0) |
      (access.privileged === true ? FLAG.privileged : 0);
    return this.#announce(kind, address, value, other, flags, access.slot ?? -1, access);
  }

  *#announce(
    kind: number,
    address: number,
    value: number,
    other: number,
    flags: number,
    slot: number,
    on: VmsaDependencies,
  ): Steps<number> {
    const { addr = 0, pickAddr = 0, data = 0, trueData = 0, ctrl = 0, earlier = 0 } = on;
    this.args.set([
      kind,
      address,
      value,
      other,
      flags,
      slot,
      addr,
      addr | pickAddr,
      data | trueData,
      trueData,
      ctrl,
      earlier,
    ]);
    yield this;
    return this.fed;
  }
}
