/**
 * Counting machine: runs operations one after another, each access at once, and counts what they cost.
 *
 * It has no TLB: what it answers is which flushes the running code makes, on which CPU, in which order. An IPI runs its
 * handler on the target at once. In the direct build nothing pauses; in the stepped build an operation pauses where it has
 * to wait for another one, so that operations that overlapped in a recording can be run on its schedule. With `holdIpis`
 * they also wait for their IPIs, until the user of the machine delivers them.
 *
 * A direct and a stepped machine may share one memory: each operation then runs on the one that suits it.
 */
import {
  ACCESSED,
  type Address,
  type BootOptions,
  bootKernel,
  type CacheName,
  type Cell,
  type Claims,
  type Cpu,
  DIRTY,
  entryCell,
  entryPresent,
  type Entry,
  entrySet,
  entrySize,
  entryTarget,
  EVERYTHING,
  FAULT,
  type Kernel,
  Mm,
  type OracleId,
  Page,
  pageSize,
  PRESENT,
  PSE,
  RW,
  type Scope,
  type Step,
  type Steps,
  type Test,
} from '@mmu-gather/core/stepped';
import { GrowingArena } from './arena.ts';

/** The pause of an operation that waits for another one. */
const WAITS: Step = Object.freeze({ kind: 0 });

/** A wait that lasts for so many turns never ends: nobody else is going to run. */
const PATIENCE = 1_000_000;

/** What operations cost so far. */
export interface Counts {
  /** Context loads that kept the TLB. */
  contextLoads: number;
  /** Context loads that dropped an ASID's entries. */
  contextFlushes: number;
  /** Invalidations of everything under an ASID, or of all ASIDs. */
  fullFlushes: number;
  /** Invalidations of a range. */
  rangeFlushes: number;
  /** Interrupts sent. */
  ipis: number;
}

/** A failed claim: the running code noticed that something cannot be. */
export interface Complaint {
  /** The oracle that the claim belongs to. */
  readonly oracle: OracleId;
  /** One line. */
  readonly message: string;
}

/** An interrupt that was sent and is not handled yet. */
export interface PendingIpi {
  /** The CPU that waits for it. */
  readonly from: number;
  /** The CPU that handles it. */
  readonly target: number;
  /** Index among `kernel.handlers`. */
  readonly handler: number;
  /** What the handler is given. */
  readonly argument: Address;
}

/** A context load. */
export interface ContextLoad {
  /** Which event it is. */
  readonly kind: 'load';
  /** The top-level table, 0 for none. */
  readonly root: Address;
  /** The address-space tag. */
  readonly asid: number;
  /** Whether what is cached under the tag stays. */
  readonly noflush: boolean;
}

/** An invalidation; `change`: in one step with the change of an entry. */
export interface Invalidation {
  /** Which event it is. */
  readonly kind: 'invalidate' | 'change';
  /** What it drops. */
  readonly scope: Scope;
}

/** A wait for broadcast invalidations. */
export interface InvalidationBarrier {
  /** Which event it is. */
  readonly kind: 'barrier';
}

/** An interrupt that is sent. */
export interface SentIpi {
  /** Which event it is. */
  readonly kind: 'ipi';
  /** The CPU that takes it. */
  readonly target: number;
}

/** What the running code asked of an MMU, or of another CPU. */
export type MmuEvent = ContextLoad | Invalidation | InvalidationBarrier | SentIpi;

/** Receives what the running code asks of MMUs. */
export type OnMmu = (cpu: number, event: MmuEvent) => void;

/** Receives tracepoints of the running code. */
export type OnTrace = (cpu: number, event: string, values: readonly number[]) => void;

/** Watches interrupts that are handled the moment they are sent. */
export interface OnIpi {
  /** A CPU is about to handle one. */
  arrives(target: number): void;
  /** It has. */
  handled(): void;
  /** Their sender waits for all that it sent. */
  awaited(): void;
}

/** The machine. */
export class CountingMachine {
  /** What is linked. */
  readonly kernel: Kernel;
  /** Its CPUs. */
  readonly cpus: readonly Cpu[];
  /** Its memory. */
  readonly arena: GrowingArena;
  /** What was counted. */
  readonly counts: Counts = { contextLoads: 0, contextFlushes: 0, fullFlushes: 0, rangeFlushes: 0, ipis: 0 };
  /** Claims that failed. */
  readonly complaints: Complaint[] = [];
  /** The clock that `jiffies` reads; the user of the machine moves it. */
  now = 0;
  /** Called at each tracepoint. */
  onTrace: OnTrace = () => {};
  /** Called at each context load, invalidation, barrier of one, and interrupt, if set. */
  onMmu: OnMmu | undefined;
  /** Told of interrupts, if set and unless they are held. */
  onIpi: OnIpi | undefined;
  /** Leaves interrupts pending until {@link deliver}. Only in the stepped build, where their senders can wait. */
  holdIpis = false;
  /** RCU sections that are open now, on all CPUs. */
  readers = 0;
  /** Frees that wait until no RCU section is open. */
  readonly deferred: (() => void)[] = [];
  /** Interrupts that were sent and are not handled yet, in order. */
  readonly pending: PendingIpi[] = [];

  /** @param memory that of another machine, booted with the same options, to share it */
  constructor(options: BootOptions, memory?: GrowingArena) {
    this.arena = memory ?? new GrowingArena(options);
    this.kernel = bootKernel(memory?.again() ?? this.arena, options);
    this.cpus = Array.from({ length: options.cpus }, (_, id) => new CountingCpu(this, id));
  }

  /** Handles one of the pending interrupts on its target. */
  *deliver(ipi: PendingIpi): Steps<void> {
    this.pending.splice(this.pending.indexOf(ipi), 1);
    yield* this.kernel.handlers[ipi.handler]!(this.cpus[ipi.target]!, ipi.argument);
  }
}

class CountingCpu implements Cpu {
  readonly id: number;
  readonly kernel: Kernel;
  readonly claim: Claims;
  readonly #machine: CountingMachine;
  readonly #arena: GrowingArena;
  #root: Address = 0;
  #asid = 0;
  readonly #readable: number;
  readonly #writable: number;
  /** Level of the leaf entry that was found last. */
  #leafLevel = 0;

  constructor(machine: CountingMachine, id: number) {
    this.id = id;
    this.kernel = machine.kernel;
    this.#machine = machine;
    this.#arena = machine.arena;
    this.claim = claims(machine);
    const { accessed, dirty } = machine.kernel.backend.isa;
    this.#readable = PRESENT | (accessed === 'software' ? ACCESSED : 0);
    this.#writable = this.#readable | RW | (dirty === 'software' ? DIRTY : 0);
  }

  read(cell: Cell): number {
    return this.#arena.words[cell]!;
  }
  write(cell: Cell, value: number): void {
    this.#arena.words[cell] = value;
  }
  *readOnce(cell: Cell): Steps<number> {
    return this.#arena.words[cell]!;
  }
  *writeOnce(cell: Cell, value: number): Steps<void> {
    this.#arena.words[cell] = value;
  }
  *loadAcquire(cell: Cell): Steps<number> {
    return this.#arena.words[cell]!;
  }
  *storeRelease(cell: Cell, value: number): Steps<void> {
    this.#arena.words[cell] = value;
  }
  *xchg(cell: Cell, value: number): Steps<number> {
    const old = this.#arena.words[cell]!;
    this.#arena.words[cell] = value;
    return old;
  }
  *cmpxchg(cell: Cell, old: number, value: number): Steps<number> {
    const seen = this.#arena.words[cell]!;
    if (seen === old) this.#arena.words[cell] = value;
    return seen;
  }
  *atomicAdd(cell: Cell, delta: number): Steps<void> {
    this.#arena.words[cell] = this.#arena.words[cell]! + delta;
  }
  *atomicAddReturn(cell: Cell, delta: number): Steps<number> {
    return (this.#arena.words[cell] = this.#arena.words[cell]! + delta);
  }
  *atomicOr(cell: Cell, bits: number): Steps<void> {
    this.#arena.words[cell] = this.#arena.words[cell]! | bits;
  }
  *atomicAndNot(cell: Cell, bits: number): Steps<void> {
    this.#arena.words[cell] = this.#arena.words[cell]! & ~bits;
  }
  *atomicFetchAndNot(cell: Cell, bits: number): Steps<number> {
    const old = this.#arena.words[cell]!;
    this.#arena.words[cell] = old & ~bits;
    return old;
  }
  *smpMb(): Steps<void> {}
  *smpWmb(): Steps<void> {}
  *smpRmb(): Steps<void> {}
  *smpMbAfterAtomic(): Steps<void> {}
  *waitFor(cell: Cell, test: Test, operand: number): Steps<number> {
    const passes = (v: number): boolean =>
      test === 'equal' ? v === operand : test === 'notEqual' ? v !== operand : v >= operand;
    for (let turns = 0; !passes(this.#arena.words[cell]!); turns++) {
      this.#patience(turns);
      yield WAITS;
    }
    return this.#arena.words[cell]!;
  }

  *spinLock(lock: Cell): Steps<void> {
    for (let turns = 0; this.#arena.words[lock] !== 0; turns++) {
      this.#patience(turns);
      yield WAITS;
    }
    this.#arena.words[lock] = 1;
  }
  *spinUnlock(lock: Cell): Steps<void> {
    this.#arena.words[lock] = 0;
  }
  *downRead(lock: Cell): Steps<void> {
    for (let turns = 0; this.#arena.words[lock]! < 0; turns++) {
      this.#patience(turns);
      yield WAITS;
    }
    this.#arena.words[lock] = this.#arena.words[lock]! + 1;
  }
  *downReadTrylock(lock: Cell): Steps<number> {
    if (this.#arena.words[lock]! < 0) return 0;
    this.#arena.words[lock] = this.#arena.words[lock]! + 1;
    return 1;
  }
  *upRead(lock: Cell): Steps<void> {
    this.#arena.words[lock] = this.#arena.words[lock]! - 1;
  }
  *downWrite(lock: Cell): Steps<void> {
    for (let turns = 0; this.#arena.words[lock] !== 0; turns++) {
      this.#patience(turns);
      yield WAITS;
    }
    this.#arena.words[lock] = -1;
  }
  *upWrite(lock: Cell): Steps<void> {
    this.#arena.words[lock] = 0;
  }
  *downgradeWrite(lock: Cell): Steps<void> {
    this.#arena.words[lock] = 1;
  }

  *alloc(cache: CacheName, count = 1): Steps<Address> {
    return this.#arena.alloc(cache, count);
  }
  *free(cache: CacheName, object: Address): Steps<void> {
    this.#arena.free(cache, object);
  }
  *mayFail(): Steps<number> {
    return 0;
  }

  // Readers are those of operations that wait for another one in the middle of a section: there is hardly ever any.
  *rcuReadLock(): Steps<void> {
    this.#machine.readers++;
  }
  *rcuReadUnlock(): Steps<void> {
    const { deferred } = this.#machine;
    if (--this.#machine.readers === 0 && deferred.length > 0) for (const free of deferred.splice(0)) free();
  }
  *freeRcu(cache: CacheName, object: Address): Steps<void> {
    const free = (): void => this.#arena.free(cache, object);
    if (this.#machine.readers === 0) free();
    else this.#machine.deferred.push(free);
  }
  *synchronizeRcu(): Steps<void> {
    for (let turns = 0; this.#machine.readers !== 0; turns++) {
      this.#patience(turns);
      yield WAITS;
    }
  }

  // An interrupt is handled the moment it is sent, so it does not matter whether interrupts are off.
  *localIrqDisable(): Steps<void> {}
  *localIrqEnable(): Steps<void> {}
  *sendIpi(target: number, handler: number, argument: Address): Steps<void> {
    this.#machine.counts.ipis++;
    this.#machine.onTrace(this.id, 'csd_queue_cpu', [target, handler]);
    this.#machine.onMmu?.(this.id, { kind: 'ipi', target });
    if (this.#machine.holdIpis) {
      this.#machine.pending.push({ from: this.id, target, handler, argument });
      return;
    }
    this.#machine.onIpi?.arrives(target);
    yield* this.kernel.handlers[handler]!(this.#machine.cpus[target]!, argument);
    this.#machine.onIpi?.handled();
  }
  *awaitIpis(): Steps<void> {
    const { pending, holdIpis, onIpi } = this.#machine;
    if (!holdIpis) onIpi?.awaited();
    for (let turns = 0; pending.some(({ from }) => from === this.id); turns++) {
      this.#patience(turns);
      yield WAITS;
    }
  }

  *loadContext(root: Address, asid: number, noflush: boolean): Steps<void> {
    this.#machine.onMmu?.(this.id, { kind: 'load', root, asid, noflush });
    this.#root = root;
    this.#asid = asid;
    if (noflush) this.#machine.counts.contextLoads++;
    else this.#machine.counts.contextFlushes++;
  }
  *invalidate(scope: Scope): Steps<void> {
    this.#machine.onMmu?.(this.id, { kind: 'invalidate', scope });
    if (scope.leaves.end === EVERYTHING) this.#machine.counts.fullFlushes++;
    else this.#machine.counts.rangeFlushes++;
  }
  *cmpxchgAndInvalidate(cell: Cell, old: number, value: number, scope: Scope): Steps<number> {
    const now = this.#arena.words[cell]!;
    if (now !== old) return now;
    this.#machine.onMmu?.(this.id, { kind: 'change', scope });
    this.#arena.words[cell] = value;
    if (scope.leaves.end === EVERYTHING) this.#machine.counts.fullFlushes++;
    else this.#machine.counts.rangeFlushes++;
    return now;
  }
  *invalidationBarrier(): Steps<void> {
    this.#machine.onMmu?.(this.id, { kind: 'barrier' });
  }
  *userRead(address: number): Steps<number> {
    const entry = this.#translate(address, this.#readable);
    return entry === 0 ? FAULT : this.#arena.words[Page.at(this.#frame(entry, address)).data]!;
  }
  *userWrite(address: number, value: number): Steps<number> {
    const entry = this.#translate(address, this.#writable);
    if (entry === 0) return FAULT;
    this.#arena.words[Page.at(this.#frame(entry, address)).data] = value;
    if ((entry & DIRTY) === 0) this.#arena.words[this.#leafCell(this.#root, address)] = entrySet(entry, DIRTY);
    return 0;
  }
  *kernelRead(address: number): Steps<number> {
    const entry = this.#leaf(this.#arena.words[Mm.at(this.kernel.initMm).pgd]!, address);
    return entryPresent(entry) ? this.#arena.words[Page.at(this.#frame(entry, address)).data]! : FAULT;
  }
  *enterUser(_result?: number): Steps<void> {}
  *enterKernel(): Steps<void> {}

  jiffies(): number {
    return this.#machine.now;
  }
  trace(event: string, ...values: number[]): void {
    this.#machine.onTrace(this.id, event, values);
  }

  /** The entry that user code goes through, from the table of translations or from page tables; 0 if none has the bits `need`. */
  #translate(address: number, need: number): Entry {
    const { translationTable } = this.kernel.backend;
    if (translationTable === null) {
      const entry = this.#leaf(this.#root, address);
      return (entry & need) === need ? entry : 0;
    }
    const entries = translationTable.lookup((cell) => this.#arena.words[cell]!, this.#asid, address, this.id);
    const entry = entries.find((each) => (each & need) === need) ?? 0;
    this.#leafLevel = (entry & PSE) === 0 ? 0 : 1;
    return entry;
  }

  /** The leaf entry for an address under a root; 0 if a table is missing. */
  #leaf(root: Address, address: number): Entry {
    const cell = this.#leafCell(root, address);
    return cell === 0 ? 0 : this.#arena.words[cell]!;
  }

  /** The cell of the leaf entry for an address under a root, 0 if a table is missing. */
  #leafCell(root: Address, address: number): Cell {
    const { geometry } = this.kernel;
    let table = root;
    for (let level = geometry.bits.length - 1; table !== 0; level--) {
      const cell = entryCell(geometry, table, level, address);
      const entry = this.#arena.words[cell]!;
      this.#leafLevel = level;
      if (level === 0 || (entry & PSE) !== 0) return cell;
      table = entryPresent(entry) ? entryTarget(entry) : 0;
    }
    return 0;
  }

  /** The page that the leaf entry which was found last maps an address to: a huge one maps a row. */
  #frame(entry: Entry, address: number): Address {
    const { geometry } = this.kernel;
    const offset = address % entrySize(geometry, this.#leafLevel);
    return entryTarget(entry) + Math.floor(offset / pageSize(geometry)) * Page.words;
  }

  #patience(turns: number): void {
    if (turns >= PATIENCE) throw new Error(`CPU ${this.id} waits for what nobody will do`);
  }
}

/** Claims about TLBs mean nothing without TLBs; the others are kept as complaints. */
function claims(machine: CountingMachine): Claims {
  const nothing = (): void => {};
  return {
    limit: nothing,
    settled: nothing,
    observed: nothing,
    finished: nothing,
    changing: nothing,
    caughtUp: nothing,
    clean: nothing,
    stable: nothing,
    moved: nothing,
    reassigned: nothing,
    held: nothing,
    irqsOff: nothing,
    that(holds, oracle, message) {
      if (!holds) machine.complaints.push({ oracle, message });
    },
  };
}
