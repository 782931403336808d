/**
 * Process: one flow of kernel code, the main code of a CPU or its interrupt side, and the port as that flow sees it.
 *
 * A generator cannot be cloned, but it is a function of the values it was fed. A process keeps the log of these values; to
 * go back, the machine shortens the log, and the generator is made anew and fed from the log only when the process runs
 * again. While that happens every call is answered from the log and has no effect, and the step that the process ends up
 * at must be the one that was recorded: if not, the run fails loudly, for the code depends on something it may not.
 */
import type { Access, Address, CacheName, Cell, Claims, Cpu, Extent, Kernel, OracleId, Scope, Step, Steps, Test } from '@mmu-gather/core/stepped';
import { ARGUMENTS, OP, OP_NAMES, TESTS } from './op.ts';

/** What a process needs from the machine while its code runs between two steps. */
export interface ProcessHost {
  /** Plain load by a process. */
  plainRead(process: Process, cell: Cell): number;
  /** Plain store by a process. */
  plainWrite(process: Process, cell: Cell, value: number): void;
  /** A claim was made: runs its check. */
  claim(process: Process, check: () => void): void;
  /** The oracles behind the claims of a process. */
  claimsOf(process: Process): Claims;
  /** A tracepoint. */
  trace(process: Process, event: string, values: readonly number[]): void;
  /** Number of log entries of this process on the current path. */
  logLength(process: Process): number;
  /** Where the log of the process's present body begins. */
  logBase(process: Process): number;
  /** Appends a value that the process was fed. */
  append(process: Process, value: number): void;
  /** The step that the process was paused before when its log had its present length: kind, then arguments. */
  recordedStep(process: Process, word: number): number;
}

/** A process did something else when it was fed the same values again. */
export class NotRepeatable extends Error {
  override readonly name = 'NotRepeatable';
}

/** The body of a process. */
export type Body = (cpu: Cpu) => Steps<unknown>;

const CACHE_NUMBERS: Readonly<Record<CacheName, number>> = { mm: 0, vma: 1, page: 2, table: 3 };
/** Cache names by number, as `alloc` and `free` carry them. */
export const CACHE_NAMES: readonly CacheName[] = ['mm', 'vma', 'page', 'table'];

type PausedCpu = Cpu & Steps<never>;

/** One flow of kernel code on one CPU. */
export class Process implements Step {
  /** Number among all processes: CPU c's main code is c, its interrupt side n + c. */
  readonly number: number;
  /** The CPU it runs on. */
  readonly cpuId: number;
  readonly #host: ProcessHost;
  /** The port as this process sees it. */
  readonly port: PausedCpu;
  /** Whether to note where the code is at every call: slow, for diagrams. */
  wantStacks = false;
  /** Stack of the call that was performed last, if stacks are wanted. */
  performedStack = '';
  #stack = '';

  /** Kind of the step that the process is paused before (its port call). */
  kind = 0;
  /** Arguments of that step. */
  readonly args: Int32Array = new Int32Array(ARGUMENTS);
  #result = 0;
  #performed = false;
  /** A call was announced and has not returned. */
  #open = false;

  #steps: Steps<unknown> | undefined;
  #body: Body | undefined;
  #position = -1;
  #base = -1;
  #log: Int32Array = new Int32Array(0);
  #feeding = false;
  /** What the body returned, once it has. */
  returned: unknown;

  constructor(number: number, cpuId: number, kernel: Kernel, host: ProcessHost) {
    this.number = number;
    this.cpuId = cpuId;
    this.#host = host;
    this.port = this.#makePort(kernel);
  }

  /** While true the code is being rebuilt: calls have no effect. */
  get feeding(): boolean {
    return this.#feeding;
  }

  /**
   * Brings the process to where its log ends and then, with `value`, one step further.
   * @returns true if the body has returned
   */
  resume(body: Body, log: Int32Array, value: number): boolean {
    const base = this.#host.logBase(this);
    const length = this.#host.logLength(this);
    if (this.#steps === undefined || this.#position !== length || this.#base !== base || this.#body !== body) {
      this.#rebuild(body, log, base, length);
    }
    this.performedStack = this.#stack;
    this.#host.append(this, value);
    this.#position = length + 1;
    return this.#feed(value);
  }

  /** Starts a body. @returns true if it returned at once */
  start(body: Body): boolean {
    this.#body = body;
    this.#open = false;
    this.#base = this.#position = this.#host.logLength(this);
    this.#steps = body(this.port);
    return this.#next();
  }

  /** Forgets the generator: it is made anew when next needed. */
  drop(): void {
    this.#steps = undefined;
  }

  /** Answers the call that the process is paused at, and runs to the next one. */
  #feed(value: number): boolean {
    this.#result = value;
    this.#performed = true;
    return this.#next();
  }

  #next(): boolean {
    try {
      const r = this.#steps!.next();
      if (r.done === true) this.returned = r.value;
      return r.done === true;
    } catch (error) {
      this.#steps = undefined;
      throw error;
    }
  }

  #rebuild(body: Body, log: Int32Array, base: number, length: number): void {
    this.#body = body;
    this.#base = base;
    this.#log = log;
    this.#position = base;
    this.#open = false;
    this.#feeding = true;
    try {
      this.#steps = body(this.port);
      let done = this.#next();
      while (this.#position < length) {
        if (done) throw new NotRepeatable(`CPU ${this.cpuId} returned where it went on before`);
        done = this.#feed(log[this.#position++]!);
      }
    } finally {
      this.#feeding = false;
    }
    let same = this.kind === this.#host.recordedStep(this, 0);
    for (let i = 0; same && i < ARGUMENTS; i++) same = this.args[i] === this.#host.recordedStep(this, 1 + i);
    if (same) return;
    const before = Array.from({ length: ARGUMENTS }, (_, i) => this.#host.recordedStep(this, 1 + i));
    throw new NotRepeatable(
      `CPU ${this.cpuId} is at ${describe(this.kind, this.args)} where it was at ${describe(this.#host.recordedStep(this, 0), before)} before; step functions may depend on nothing but what the port returned`,
    );
  }

  /** The announcement: what every marked port call does. */
  #announce(kind: number, a = 0, b = 0, c = 0): PausedCpu {
    if (this.#open) throw new Error(`${OP_NAMES[this.kind]} was called and not run before ${OP_NAMES[kind]}: a yield* is missing, or steps were made early and run late`);
    this.#open = true;
    this.kind = kind;
    const args = this.args;
    args[0] = a;
    args[1] = b;
    args[2] = c;
    args[3] = args[4] = args[5] = args[6] = args[7] = 0;
    this.#performed = false;
    if (this.wantStacks) this.#stack = new Error('here').stack ?? '';
    return this.port;
  }

  #makePort(kernel: Kernel): PausedCpu {
    const self = this;
    const host = this.#host;
    const step: IteratorResult<Step, never> = { value: this as Step, done: false };
    const result = { value: 0, done: true } as unknown as IteratorReturnResult<never>;
    const returned = result as unknown as { value: number };
    const notes: Claims = host.claimsOf(this);
    const port = {
      id: this.cpuId,
      kernel,
      [Symbol.iterator]() {
        return port;
      },
      next() {
        if (!self.#performed) return step;
        self.#performed = false;
        self.#open = false;
        returned.value = self.#result;
        return result;
      },
      read(cell: Cell): number {
        if (self.#feeding) return self.#log[self.#position++]!;
        const value = host.plainRead(self, cell);
        host.append(self, value);
        self.#position++;
        return value;
      },
      write(cell: Cell, value: number): void {
        if (!self.#feeding) host.plainWrite(self, cell, value);
      },
      readOnce: (cell: Cell) => self.#announce(OP.readOnce, cell),
      writeOnce: (cell: Cell, value: number) => self.#announce(OP.writeOnce, cell, value),
      loadAcquire: (cell: Cell) => self.#announce(OP.loadAcquire, cell),
      storeRelease: (cell: Cell, value: number) => self.#announce(OP.storeRelease, cell, value),
      xchg: (cell: Cell, value: number) => self.#announce(OP.xchg, cell, value),
      cmpxchg: (cell: Cell, old: number, value: number) => self.#announce(OP.cmpxchg, cell, value, old),
      atomicAdd: (cell: Cell, delta: number) => self.#announce(OP.atomicAdd, cell, delta),
      atomicAddReturn: (cell: Cell, delta: number) => self.#announce(OP.atomicAddReturn, cell, delta),
      atomicOr: (cell: Cell, bits: number) => self.#announce(OP.atomicOr, cell, bits),
      atomicAndNot: (cell: Cell, bits: number) => self.#announce(OP.atomicAndNot, cell, bits),
      atomicFetchAndNot: (cell: Cell, bits: number) => self.#announce(OP.atomicFetchAndNot, cell, bits),
      smpMb: () => self.#announce(OP.smpMb),
      // Under SC and TSO these order nothing that is not ordered already: no step.
      smpWmb: () => self.#nothing(),
      smpRmb: () => self.#nothing(),
      smpMbAfterAtomic: () => self.#nothing(),
      waitFor: (cell: Cell, test: Test, operand: number) => self.#announce(OP.waitFor, cell, operand, TESTS.indexOf(test)),
      spinLock: (lock: Cell) => self.#announce(OP.spinLock, lock),
      spinUnlock: (lock: Cell) => self.#announce(OP.spinUnlock, lock),
      downRead: (lock: Cell) => self.#announce(OP.downRead, lock),
      upRead: (lock: Cell) => self.#announce(OP.upRead, lock),
      downWrite: (lock: Cell) => self.#announce(OP.downWrite, lock),
      upWrite: (lock: Cell) => self.#announce(OP.upWrite, lock),
      downgradeWrite: (lock: Cell) => self.#announce(OP.downgradeWrite, lock),
      alloc: (cache: CacheName) => self.#announce(OP.alloc, CACHE_NUMBERS[cache]),
      free: (cache: CacheName, object: Address) => self.#announce(OP.free, CACHE_NUMBERS[cache], object),
      localIrqDisable: () => self.#announce(OP.localIrqDisable),
      localIrqEnable: () => self.#announce(OP.localIrqEnable),
      sendIpi: (target: number, handler: number, argument: Address) => self.#announce(OP.sendIpi, target, handler, argument),
      awaitIpis: () => self.#announce(OP.awaitIpis),
      loadContext: (root: Address, asid: number, noflush: boolean) => self.#announce(OP.loadContext, root, asid, noflush ? 1 : 0),
      invalidate(scope: Scope) {
        self.#announce(OP.invalidate, scope.asid, (scope.globals ? 1 : 0) | (scope.broadcast ? 2 : 0));
        self.args[2] = bound(scope.leaves.start);
        self.args[3] = bound(scope.leaves.end);
        self.args[4] = bound(scope.walks.start);
        self.args[5] = bound(scope.walks.end);
        return port;
      },
      invalidationBarrier: () => self.#announce(OP.invalidationBarrier),
      userRead: (address: number) => self.#announce(OP.userRead, address),
      userWrite: (address: number, value: number) => self.#announce(OP.userWrite, address, value),
      enterUser: (value?: number) => self.#announce(OP.enterUser, value ?? 0, value === undefined ? 0 : 1),
      enterKernel: () => self.#announce(OP.enterKernel),
      jiffies: () => 0,
      trace(event: string, ...values: number[]) {
        if (!self.#feeding) host.trace(self, event, values);
      },
      claim: {
        limit: (root: Address, range: Extent, access: Access) => host.claim(self, () => notes.limit(root, range, access)),
        settled: (root: Address, address: number) => host.claim(self, () => notes.settled(root, address)),
        observed: (root: Address, range: Extent) => host.claim(self, () => notes.observed(root, range)),
        finished: () => host.claim(self, () => notes.finished()),
        changing: (root: Address, range: Extent, begins: boolean) => host.claim(self, () => notes.changing(root, range, begins)),
        quiet: (root: Address) => host.claim(self, () => notes.quiet(root)),
        that: (holds: boolean, oracle: OracleId, message: string) => {
          if (!holds) host.claim(self, () => notes.that(holds, oracle, message));
        },
      },
    };
    return port as unknown as PausedCpu;
  }

  /** A call that is no step. */
  #nothing(): PausedCpu {
    this.#open = true;
    this.#result = 0;
    this.#performed = true;
    return this.port;
  }
}

/** Addresses as 32-bit numbers: the end of everything becomes the largest one. */
function bound(address: number): number {
  return Math.min(address, 0x7fffffff);
}

function describe(kind: number, args: ArrayLike<number>): string {
  return `${OP_NAMES[kind] ?? 'no step'}(${Array.from(args).join(', ')})`;
}
