/**
 * Port: the Cpu port as a process sees it. Every marked call announces a step and returns one reused iterator: its first
 * `next` is the pause, its second, after the machine has performed the step, the result.
 */
import type {
  Access,
  Address,
  CacheName,
  Cell,
  Claims,
  Extent,
  Kernel,
  OracleId,
  Scope,
  Step,
  Steps,
  Test,
} from '@mmu-gather/core/stepped';
import type {
  BarePort,
  FenceKind,
  Invalidation,
  LoadAccess,
  RmwAccess,
  RmwOperation,
  StoreAccess,
  TranslatedBy,
} from './bare.ts';
import {
  FENCE_KINDS,
  loadArguments,
  RMW_OPERATIONS,
  rmwArguments,
  storeArguments,
  viaLoadArguments,
  viaRmwArguments,
  viaStoreArguments,
} from './bare-steps.ts';
import { OP, SCOPE_BROADCAST, SCOPE_CPUS, SCOPE_DATA, SCOPE_GLOBALS, SCOPE_LEVEL, SCOPE_ROOTS, TESTS } from './op.ts';

/** Cache names by number, as `alloc` and `free` carry them. */
export const CACHE_NAMES: readonly CacheName[] = ['mm', 'vma', 'page', 'table', 'mapping', 'area'];

/** The largest bound that an argument word holds: everything. */
export const EVERYTHING_WORD = 0x7fffffff;

/** What the port needs of its process. */
export interface PortOwner extends Step {
  /** The CPU. */
  readonly cpuId: number;
  /** Arguments of the announced step. */
  readonly args: Int32Array;
  /** Are fences steps that order what is not ordered already? */
  readonly fences: boolean;
  /** Has the machine performed the announced step? */
  readonly performed: boolean;
  /** Announces a step. */
  announce(kind: number, a: number, b: number, c: number): void;
  /** Announces what is no step here. */
  nothing(): void;
  /** Ends the call. */
  takeResult(): number;
  /** Plain load. */
  plainRead(cell: Cell): number;
  /** Plain store. */
  plainWrite(cell: Cell, value: number): void;
  /** Checks a claim. */
  claim(check: (claims: Claims) => void): void;
  /** All but some values is forgotten. */
  forget(progress: number, live: readonly number[]): void;
  /** Passes a tracepoint on. */
  trace(event: string, values: readonly number[]): void;
}

/** Makes the port of a process. */
export function makePort(process: PortOwner, kernel: Kernel): BarePort {
  type Paused = BarePort & Steps<never>;
  const announce = (kind: number, a = 0, b = 0, c = 0): Paused => {
    process.announce(kind, a, b, c);
    return paused;
  };
  const announceMore = (kind: number, args: readonly number[]): Paused => {
    process.announce(kind, 0, 0, 0);
    process.args.set(args);
    return paused;
  };
  const nothing = (): Paused => {
    process.nothing();
    return paused;
  };
  const step: IteratorResult<Step, never> = { value: process, done: false };
  const result = { value: 0, done: true } as unknown as IteratorReturnResult<never>;
  const returned = result as unknown as { value: number };
  const port = {
    id: process.cpuId,
    kernel,
    [Symbol.iterator]() {
      return port;
    },
    next() {
      if (!process.performed) return step;
      returned.value = process.takeResult();
      return result;
    },
    read: (cell: Cell) => process.plainRead(cell),
    write: (cell: Cell, value: number) => process.plainWrite(cell, value),
    readOnce: (cell: Cell) => announce(OP.readOnce, cell),
    writeOnce: (cell: Cell, value: number) => announce(OP.writeOnce, cell, value),
    loadAcquire: (cell: Cell) => announce(OP.loadAcquire, cell),
    storeRelease: (cell: Cell, value: number) => announce(OP.storeRelease, cell, value),
    xchg: (cell: Cell, value: number, order?: 'relaxed') => announce(OP.xchg, cell, value, order === undefined ? 0 : 1),
    cmpxchg: (cell: Cell, old: number, value: number, order?: 'relaxed') =>
      order === undefined ? announce(OP.cmpxchg, cell, value, old) : announceMore(OP.cmpxchg, [cell, value, old, 1]),
    atomicAdd: (cell: Cell, delta: number) => announce(OP.atomicAdd, cell, delta),
    atomicAddReturn: (cell: Cell, delta: number) => announce(OP.atomicAddReturn, cell, delta),
    atomicOr: (cell: Cell, bits: number) => announce(OP.atomicOr, cell, bits),
    atomicAndNot: (cell: Cell, bits: number) => announce(OP.atomicAndNot, cell, bits),
    atomicFetchAndNot: (cell: Cell, bits: number) => announce(OP.atomicFetchAndNot, cell, bits),
    smpMb: (of?: 'stores') => announce(OP.smpMb, of === undefined ? 0 : 1),
    // Under SC and TSO these order nothing that is not ordered already: no step.
    smpWmb: () => (process.fences ? announce(OP.smpWmb) : nothing()),
    smpRmb: () => (process.fences ? announce(OP.smpRmb) : nothing()),
    smpMbAfterAtomic: () => (process.fences ? announce(OP.smpMbAfterAtomic) : nothing()),
    waitFor: (cell: Cell, test: Test, operand: number) => announce(OP.waitFor, cell, operand, TESTS.indexOf(test)),
    spinLock: (lock: Cell) => announce(OP.spinLock, lock),
    spinUnlock: (lock: Cell) => announce(OP.spinUnlock, lock),
    downRead: (lock: Cell) => announce(OP.downRead, lock),
    downReadTrylock: (lock: Cell) => announce(OP.downReadTrylock, lock),
    upRead: (lock: Cell) => announce(OP.upRead, lock),
    downWrite: (lock: Cell) => announce(OP.downWrite, lock),
    upWrite: (lock: Cell) => announce(OP.upWrite, lock),
    downgradeWrite: (lock: Cell) => announce(OP.downgradeWrite, lock),
    alloc: (cache: CacheName, count = 1) => announce(OP.alloc, CACHE_NAMES.indexOf(cache), count),
    free: (cache: CacheName, object: Address) => announce(OP.free, CACHE_NAMES.indexOf(cache), object),
    mayFail: () => announce(OP.mayFail),
    rcuReadLock: () => announce(OP.rcuReadLock),
    rcuReadUnlock: () => announce(OP.rcuReadUnlock),
    freeRcu: (cache: CacheName, object: Address) => announce(OP.freeRcu, CACHE_NAMES.indexOf(cache), object),
    // Two steps: it notes who reads now, and waits until they have left.
    *synchronizeRcu(): Steps<void> {
      yield* announce(OP.synchronizeRcu);
      yield* announce(OP.awaitReaders);
    },
    localIrqDisable: () => announce(OP.localIrqDisable),
    localIrqEnable: () => announce(OP.localIrqEnable),
    sendIpi: (target: number, handler: number, argument: Address) => announce(OP.sendIpi, target, handler, argument),
    awaitIpis: () => announce(OP.awaitIpis),
    loadContext: (root: Address, asid: number, noflush: boolean) =>
      announce(OP.loadContext, root, asid, noflush ? 1 : 0),
    invalidate(scope: Scope) {
      process.announce(OP.invalidate, 0, 0, 0);
      putScope(process.args, 0, scope);
      return port;
    },
    cmpxchgAndInvalidate(cell: Cell, old: number, value: number, scope: Scope) {
      process.announce(OP.cmpxchgAndInvalidate, cell, value, old);
      putScope(process.args, 3, scope);
      return port;
    },
    invalidationBarrier: () => announce(OP.invalidationBarrier),
    userRead: (address: number, loaded = false) => announce(OP.userRead, address, 0, loaded ? 1 : 0),
    userWrite: (address: number, value: number, loaded = false) =>
      announce(OP.userWrite, address, value, loaded ? 1 : 0),
    kernelRead: (address: number) => announce(OP.kernelRead, address),
    enterUser: (value?: number) => announce(OP.enterUser, value ?? 0, value === undefined ? 0 : 1),
    enterKernel: () => announce(OP.enterKernel),
    forget: (progress: number, ...live: number[]) => process.forget(progress, live),
    load: (cell: Cell, access: LoadAccess = {}) => announceMore(OP.bareLoad, [cell, ...loadArguments(access)]),
    loadExclusive: (cell: Cell, access: LoadAccess = {}) =>
      announceMore(OP.bareLoadExclusive, [cell, ...loadArguments(access)]),
    store: (cell: Cell, value: number, access: StoreAccess = {}) =>
      announceMore(OP.bareStore, [cell, value, ...storeArguments(access)]),
    storeExclusive: (cell: Cell, value: number, access: StoreAccess = {}) =>
      announceMore(OP.bareStoreExclusive, [cell, value, ...storeArguments(access)]),
    rmw: (cell: Cell, operation: RmwOperation, operand: number, access: RmwAccess = {}) =>
      announceMore(OP.bareRmw, [cell, operand, RMW_OPERATIONS.indexOf(operation), ...rmwArguments(access)]),
    compareAndSwap: (cell: Cell, old: number, value: number, access: RmwAccess = {}) =>
      announceMore(OP.bareCas, [cell, value, old, ...rmwArguments(access)]),
    fence: (kind: FenceKind, ctrl = 0) => announce(OP.bareFence, FENCE_KINDS.indexOf(kind), ctrl),
    loadVia: (address: number, by: TranslatedBy, access: LoadAccess = {}) =>
      announceMore(OP.viaLoad, [address, ...viaLoadArguments(by, access)]),
    loadExclusiveVia: (address: number, by: TranslatedBy, access: LoadAccess = {}) =>
      announceMore(OP.viaLoadExclusive, [address, ...viaLoadArguments(by, access)]),
    storeVia: (address: number, value: number, by: TranslatedBy, access: StoreAccess = {}) =>
      announceMore(OP.viaStore, [address, value, ...viaStoreArguments(by, access)]),
    storeExclusiveVia: (address: number, value: number, by: TranslatedBy, access: StoreAccess = {}) =>
      announceMore(OP.viaStoreExclusive, [address, value, ...viaStoreArguments(by, access)]),
    rmwVia: (address: number, operation: RmwOperation, operand: number, by: TranslatedBy, access: RmwAccess = {}) =>
      announceMore(OP.viaRmw, [address, operand, RMW_OPERATIONS.indexOf(operation), ...viaRmwArguments(by, access)]),
    compareAndSwapVia: (address: number, old: number, value: number, by: TranslatedBy, access: RmwAccess = {}) =>
      announceMore(OP.viaCas, [address, value, old, ...viaRmwArguments(by, access)]),
    invalidateVia: ({ address = -1, broadcast, addr = 0, ctrl = 0 }: Invalidation) =>
      announceMore(OP.bareInvalidate, [address, broadcast ? 1 : 0, addr, ctrl]),
    jiffies: () => 0,
    trace(event: string, ...values: number[]) {
      process.trace(event, values);
    },
    claim: {
      limit(root: Address, range: Extent, access: Access) {
        const at = copyOf(range);
        process.claim((claims) => claims.limit(root, at, access));
      },
      settled: (root: Address, address: number) => process.claim((claims) => claims.settled(root, address)),
      observed(root: Address, range: Extent) {
        const at = copyOf(range);
        process.claim((claims) => claims.observed(root, at));
      },
      finished: () => process.claim((claims) => claims.finished()),
      changing(root: Address, range: Extent, begins: boolean) {
        const at = copyOf(range);
        process.claim((claims) => claims.changing(root, at, begins));
      },
      caughtUp: (root: Address, asid: number, gen: number) =>
        process.claim((claims) => claims.caughtUp(root, asid, gen)),
      clean: (page: Address) => process.claim((claims) => claims.clean(page)),
      stable: (page: Address, begins: boolean) => process.claim((claims) => claims.stable(page, begins)),
      moved(root: Address, range: Extent) {
        const at = copyOf(range);
        process.claim((claims) => claims.moved(root, at));
      },
      reassigned(range: Extent) {
        const at = copyOf(range);
        process.claim((claims) => claims.reassigned(at));
      },
      held: (lock: Cell, how?: 'write') => process.claim((claims) => claims.held(lock, how)),
      irqsOff: () => process.claim((claims) => claims.irqsOff()),
      that: (holds: boolean, oracle: OracleId, message: string) => {
        if (!holds) process.claim((claims) => claims.that(holds, oracle, message));
      },
    },
  };
  const paused = port as unknown as Paused;
  return paused;
}

/** A claim is checked again and again, also when its range has changed. */
function copyOf({ start, end }: Extent): Extent {
  return { start, end };
}

/** A scope as six arguments. */
function putScope(args: Int32Array, at: number, scope: Scope): void {
  const level = scope.level === undefined ? 0 : (scope.level + 1) * SCOPE_LEVEL;
  args[at] = scope.asid;
  const how = (scope.globals ? SCOPE_GLOBALS : 0) | (scope.broadcast ? SCOPE_BROADCAST : 0) | level;
  const only = (scope.roots === true ? SCOPE_ROOTS : 0) + (scope.data === true ? SCOPE_DATA : 0);
  args[at + 1] = how + only + (scope.cpus ?? 0) * SCOPE_CPUS;
  args[at + 2] = bound(scope.leaves.start);
  args[at + 3] = bound(scope.leaves.end);
  args[at + 4] = bound(scope.walks.start);
  args[at + 5] = bound(scope.walks.end);
}

/** Addresses as 32-bit numbers: the end of everything becomes the largest one. */
function bound(address: number): number {
  return Math.min(address, EVERYTHING_WORD);
}
