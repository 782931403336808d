/**
 * Machine: the exploring machine. It runs the kernel code of a few CPUs one step at a time, forward and back.
 *
 *     process    pauses before each port call and announces it (process.ts)
 *     machine    knows which calls can take effect now, performs one, feeds its result to the process
 *     state      all words that this changed, with a journal and a key (state.ts)
 *     mmu        what TLBs may hold (mmu.ts), oracles what must hold (oracles.ts)
 *
 * Memory models: `sc`, every call takes effect at once; `tso`, stores wait in a first-in-first-out buffer per CPU, loads look
 * into their own buffer first, and atomics, barriers and serialising instructions wait until it is empty. Draining one
 * store is a step of its own. User data is not ordered by the model: user loads and stores go to memory.
 * The interrupt side of a CPU excludes its main code and shares its store buffer.
 */
import {
  type Address,
  type BootOptions,
  bootKernel,
  type Cell,
  type Claims,
  type Cpu,
  DIRTY,
  type Entry,
  entryFlags,
  entryTarget,
  EVERYTHING,
  FAULT,
  type Kernel,
  type MemoryModel,
  Mm,
  type OracleId,
  Page,
  PRESENT,
  RW,
  type Scope,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import type { Explorable, Touch, TouchMode, Violation } from './explorable.ts';
import { DEFAULT_POOLS, FREED, Layout, LIVE, type PoolSizes } from './layout.ts';
import { Mmu } from './mmu.ts';
import { ARGUMENTS, OP, OP_NAMES, type OpName, passes, WRITER } from './op.ts';
import { type OracleHost, Oracles } from './oracles.ts';
import { type Body, CACHE_NAMES, Process, type ProcessHost } from './process.ts';
import { chain, State } from './state.ts';

/** Runs steps on a CPU to their end while nothing else runs; for a program's setup. */
export type Run = <T>(cpu: number, body: (cpu: Cpu) => Steps<T>) => T;

/** What a machine runs. */
export interface Program<E> {
  /** Reserves the program's own words. */
  reserve?(layout: Layout): void;
  /** Brings the machine to where the race begins; returns what the threads need to know (addresses). */
  setup(run: Run, kernel: Kernel): E;
  /** The main code of each CPU; a CPU without one stays as the setup left it, and takes interrupts. */
  threads(env: E, kernel: Kernel): readonly (Body | undefined)[];
  /** A check of the end of every execution: a message if it may not end so. */
  final?(peek: (cell: Cell) => number, env: E): string | undefined;
}

/** How to build a machine. */
export interface MachineOptions extends BootOptions {
  /** Instead of the backend's own. */
  readonly memoryModel?: MemoryModel;
  /** Objects that each CPU may allocate. */
  readonly pools?: Partial<PoolSizes>;
  /** Also check O1s: at the time a page is freed no CPU may hold an entry to it, whatever it runs. */
  readonly strict?: boolean;
}

/** One store buffer holds this many stores; a CPU whose buffer is full waits for a drain. Real ones hold about 50. */
const BUFFER = 8;
/** Calls that may be queued for one CPU at a time. */
const QUEUE = 4;
/** Plain accesses between two steps that are remembered for race checks. */
const SEGMENT = 24;

// Words of each CPU.
const IRQ_OFF = 0; // how many times interrupts were disabled
const USER_MODE = 1;
const IN_IRQ = 2; // handler number + 1 while the interrupt side runs
const IRQ_ARG = 3;
const IRQ_SOURCE = 4;
const OUTSTANDING = 5; // calls that this CPU queued elsewhere and that have not returned
const QUEUED = 6;
const QUEUE_AT = 7; // QUEUE times handler, argument, source
const BUFFERED = QUEUE_AT + 3 * QUEUE;
const BUFFER_AT = BUFFERED + 1; // BUFFER times cell, value
const POOL_AT = BUFFER_AT + 2 * BUFFER; // objects taken per cache
const CPU_WORDS = POOL_AT + 4;

// Words of each process that are part of the key.
const RUNNING = 0;
const HISTORY = 1; // two words
const PROCESS_WORDS = 3;

// Quiet words of each process.
const LOG_LENGTH = 0;
const LOG_BASE = 1;
const SAVED_HISTORY = 2; // two words, from enterKernel to enterUser
const PENDING = 4; // kind, then arguments
const SEGMENT_LENGTH = PENDING + 1 + ARGUMENTS;
const SEGMENT_AT = SEGMENT_LENGTH + 1;
const QUIET_WORDS = SEGMENT_AT + SEGMENT;

/** The exploring machine. */
export class Machine<E = unknown> implements Explorable {
  /** What is linked. */
  readonly kernel: Kernel;
  /** Where everything lives. */
  readonly layout: Layout;
  /** What the program's setup returned. */
  readonly env: E;
  /** The memory model. */
  readonly memoryModel: MemoryModel;
  readonly actors: number;
  readonly state: State;
  /** The TLBs. */
  readonly mmu: Mmu;
  violation: Violation | undefined;
  /** Called at each tracepoint of the kernel code, if set. */
  onTrace: ((cpu: number, event: string, values: readonly number[]) => void) | undefined;

  readonly #options: MachineOptions;
  readonly #program: Program<E>;
  readonly #cpus: number;
  readonly #tso: boolean;
  readonly #oracles: Oracles;
  readonly #processes: Process[] = [];
  readonly #logs: Int32Array[] = [];
  readonly #lastResult: number[] = [];
  readonly #bodies: (Body | undefined)[];
  readonly #irqBodies = new Map<number, Body>();
  readonly #cpuBase: number;
  readonly #poolBase: number;
  readonly #processBase: number;
  readonly #quietBase: number;
  readonly #arenaWords: number;

  constructor(options: MachineOptions, program: Program<E>) {
    const n = options.cpus;
    this.#options = options;
    this.#program = program;
    this.#cpus = n;
    this.memoryModel = options.memoryModel ?? options.backend.isa.memoryModel;
    if (this.memoryModel === 'weak') throw new Error("memory model 'weak' is not there yet: use 'sc' or 'tso'");
    this.#tso = this.memoryModel === 'tso';
    this.actors = 3 * n;
    const layout = (this.layout = new Layout());
    this.kernel = bootKernel(layout, options);
    program.reserve?.(layout);
    layout.reservePools(options, { ...DEFAULT_POOLS, ...options.pools });
    const roots = layout.pool('table').count;
    this.#arenaWords = layout.words;
    this.#cpuBase = layout.words;
    this.#poolBase = this.#cpuBase + n * CPU_WORDS;
    const objects = layout.pool('page').count + layout.pool('table').count + layout.pool('vma').count + layout.pool('mm').count;
    const mmuBase = this.#poolBase + objects;
    const oracleBase = mmuBase + Mmu.words(options);
    const pages = 2 ** options.geometry.bits.reduce((a, b) => a + b, 0);
    this.#processBase = oracleBase + Oracles.words(n, roots, pages);
    this.#quietBase = this.#processBase + 2 * n * PROCESS_WORDS;
    this.state = new State(this.#quietBase + 2 * n * QUIET_WORDS, this.#quietBase);
    for (const [cell, value] of layout.initial) this.state.set(cell, value);
    this.mmu = new Mmu(
      this.state,
      layout,
      options,
      mmuBase,
      (address) => this.#objectState(address) === FREED,
      (cpu, table) => this.#violate('O4', `a walk on CPU ${cpu} can read ${this.nameOf(table)}, which was freed`),
    );
    this.#oracles = new Oracles(this.state, this.mmu, this.#oracleHost(), oracleBase, roots, options.strict === true);
    const host = this.#processHost();
    for (let i = 0; i < 2 * n; i++) {
      this.#processes.push(new Process(i, i % n, this.kernel, host));
      this.#logs.push(new Int32Array(256));
    }
    this.#bodies = new Array<Body | undefined>(n).fill(undefined);
    this.env = program.setup((cpu, body) => this.#run(cpu, body), this.kernel);
    if (this.violation !== undefined) throw new Error(`the setup violates ${this.violation.oracle}: ${this.violation.message}`);
    for (let i = 0; i < 2 * n; i++) {
      const process = this.#process(i);
      for (let w = 0; w < PROCESS_WORDS; w++) this.state.set(process + w, 0);
      this.#setQuiet(i, LOG_LENGTH, 0);
      this.#setQuiet(i, LOG_BASE, 0);
    }
    const threads = program.threads(this.env, this.kernel);
    for (let cpu = 0; cpu < n; cpu++) {
      const body = threads[cpu];
      this.#bodies[cpu] = body;
      if (body !== undefined) this.#start(cpu, body);
    }
    this.state.settle();
  }

  // ---- Explorable ----

  get keyLow(): number {
    return this.state.keyLow;
  }
  get keyHigh(): number {
    return this.state.keyHigh;
  }

  mark(): number {
    return this.state.mark();
  }

  undo(mark: number): void {
    this.state.undo(mark);
    this.violation = undefined;
  }

  choices(actor: number): number {
    const n = this.#cpus;
    if (actor >= 2 * n) return this.#cpuWord(actor - 2 * n, BUFFERED) > 0 ? 1 : 0;
    const cpu = actor % n;
    if (actor >= n) {
      if (this.#cpuWord(cpu, IN_IRQ) !== 0) return this.#enabled(actor);
      return this.#cpuWord(cpu, QUEUED) > 0 && this.#cpuWord(cpu, IRQ_OFF) === 0 ? 1 : 0;
    }
    if (this.#cpuWord(cpu, IN_IRQ) !== 0 || this.state.words[this.#process(cpu) + RUNNING] === 0) return 0;
    return this.#enabled(cpu);
  }

  finished(): boolean {
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      if (this.state.words[this.#process(cpu) + RUNNING] !== 0) return false;
      if (this.#cpuWord(cpu, QUEUED) !== 0 || this.#cpuWord(cpu, IN_IRQ) !== 0 || this.#cpuWord(cpu, BUFFERED) !== 0) return false;
    }
    return true;
  }

  perform(actor: number, choice: number): void {
    const n = this.#cpus;
    if (actor >= 2 * n) this.#drain(actor - 2 * n);
    else if (actor >= n && this.#cpuWord(actor - n, IN_IRQ) === 0) this.#deliver(actor - n);
    else this.#step(actor, choice);
  }

  checkEnd(): Violation | undefined {
    if (!this.finished()) {
      const waits: string[] = [];
      for (let i = 0; i < 2 * this.#cpus; i++) if (this.#alive(i)) waits.push(`CPU ${i % this.#cpus} waits at ${this.stepText(i)}`);
      return { oracle: 'deadlock', message: waits.join(', ') };
    }
    const before = this.violation;
    this.#oracles.end();
    this.#pendingCounters();
    const message = this.#program.final?.((cell) => this.state.words[cell]!, this.env);
    if (message !== undefined) this.violation ??= { oracle: 'assert', message };
    const found = this.violation;
    this.violation = before;
    return found;
  }

  footprint(actor: number, touch: Touch): void {
    const n = this.#cpus;
    const cpu = actor % n;
    if (actor >= 2 * n) {
      const cell = this.#cpuWord(cpu, BUFFER_AT);
      touch(cell, 'write');
      touch(this.#cpuBase + cpu * CPU_WORDS + BUFFERED, 'write');
      if (this.#isEntry(cell)) touch(this.#mmuLocation(), 'write');
      return;
    }
    if (actor >= n && this.#cpuWord(cpu, IN_IRQ) === 0) {
      touch(this.#cpuBase + cpu * CPU_WORDS + IN_IRQ, 'write');
      touch(this.#cpuBase + cpu * CPU_WORDS + QUEUED, 'write');
      touch(this.#mmuLocation(), 'write');
      return;
    }
    this.#stepFootprint(actor, cpu, touch);
  }

  observation(): string {
    return this.state.words.subarray(0, this.#arenaWords).join() + '|' + this.#processes.map((p) => this.#historyOf(p.number)).join();
  }

  // ---- for people: names and texts of steps ----

  /** The process whose step an actor would take, or undefined for a drain or a delivery. */
  processOf(actor: number): Process | undefined {
    if (actor >= 2 * this.#cpus) return undefined;
    if (actor >= this.#cpus && this.#cpuWord(actor - this.#cpus, IN_IRQ) === 0) return undefined;
    return this.#processes[actor];
  }

  /** All processes. */
  get processes(): readonly Process[] {
    return this.#processes;
  }

  /** Name of the object at an address. */
  nameOf(address: Address): string {
    return this.layout.name(address).replace(/(\[0\]|\.\w+)$/, '');
  }

  /** A page-table entry for people: where it leads and what it allows. */
  entryName(entry: Entry): string {
    if (entry === 0) return 'none';
    const flags = entryFlags(entry);
    const access = `${(flags & PRESENT) === 0 ? 'not present ' : ''}${(flags & RW) !== 0 ? 'RW' : 'RO'}${(flags & DIRTY) !== 0 ? ' dirty' : ''}`;
    return `${this.nameOf(entryTarget(entry))} ${access}`;
  }

  /** The pending step of a process (not a drain or delivery), as text. */
  stepText(process: number): string {
    const a = (i: number): number => this.#arg(process, i);
    const kind = this.#quiet(process, PENDING);
    const name = OP_NAMES[kind] ?? 'none';
    const cell = (): string => this.layout.name(a(0));
    const value = (v: number): string => (this.#isEntry(a(0)) ? this.entryName(v) : `${v}`);
    switch (name) {
      case 'readOnce':
      case 'loadAcquire':
        return `read ${cell()}`;
      case 'writeOnce':
      case 'storeRelease':
        return `${cell()} := ${value(a(1))}`;
      case 'xchg':
        return `xchg ${cell()} := ${value(a(1))}`;
      case 'cmpxchg':
        return `cmpxchg ${cell()}: ${value(a(2))} -> ${value(a(1))}`;
      case 'atomicAdd':
      case 'atomicAddReturn':
        return `${cell()} ${a(1) < 0 ? '-=' : '+='} ${Math.abs(a(1))}`;
      case 'atomicOr':
        return `${cell()} |= ${a(1)}`;
      case 'atomicAndNot':
      case 'atomicFetchAndNot':
        return `${cell()} &= ~${a(1)}`;
      case 'waitFor':
        return `wait until ${cell()} ${['==', '!=', '>='][a(2)]} ${a(1)}`;
      case 'alloc':
        return `allocate a ${CACHE_NAMES[a(0)]}`;
      case 'free':
        return `free ${this.nameOf(a(1))}`;
      case 'sendIpi':
        return `send IPI to CPU ${a(0)}`;
      case 'awaitIpis':
        return 'wait for IPIs';
      case 'loadContext':
        return `load ${a(0) === 0 ? 'no user table' : this.nameOf(a(0))}, ASID ${a(1)}, ${a(2) !== 0 ? 'no flush' : 'flush'}`;
      case 'invalidate':
        return `invalidate ASID ${a(0)}, ${a(3) >= 0x7fffffff ? 'everything' : `[${a(2) / 4096}, ${a(3) / 4096})`}`;
      case 'userRead':
        return `user load page ${this.mmu.page(a(0))}`;
      case 'userWrite':
        return `user store page ${this.mmu.page(a(0))} := ${a(1)}`;
      case 'enterUser':
        return 'to user mode';
      case 'enterKernel':
        return 'enter kernel';
      case 'irqReturn':
        return 'return from interrupt';
      case 'localIrqDisable':
        return 'interrupts off';
      case 'localIrqEnable':
        return 'interrupts on';
      case 'smpMb':
        return 'smp_mb()';
      case 'spinLock':
      case 'spinUnlock':
      case 'downRead':
      case 'upRead':
      case 'downWrite':
      case 'upWrite':
      case 'downgradeWrite':
        return `${name} ${cell()}`;
      default:
        return name;
    }
  }

  /** What the last step of a process returned. */
  lastResult(process: number): number {
    return this.#lastResult[process] ?? 0;
  }

  /** Lets every process note where its code is at each step (slow), or stop it. */
  noteStacks(on: boolean): void {
    for (const process of this.#processes) {
      process.wantStacks = on;
      process.drop();
    }
  }

  /** The oldest buffered store of a CPU, as text. */
  drainText(cpu: number): string {
    const cell = this.drainCell(cpu);
    return `store of ${this.layout.name(cell)} := ${this.valueText(cell, this.#cpuWord(cpu, BUFFER_AT + 1))} reaches memory`;
  }

  /** The cell of the oldest buffered store of a CPU. */
  drainCell(cpu: number): Cell {
    return this.#cpuWord(cpu, BUFFER_AT);
  }

  /** The interrupt that a CPU takes next, as text. */
  deliveryText(cpu: number): string {
    return `interrupt from CPU ${this.#cpuWord(cpu, QUEUE_AT + 2)}`;
  }

  /** A value of a cell (-1: of no cell) as text. */
  valueText(cell: Cell, value: number): string {
    if (cell >= 0 && this.#isEntry(cell)) return this.entryName(value);
    if (cell < 0 && value === FAULT) return 'fault';
    return cell < 0 && value > 0 && this.#objectWord(value) >= 0 ? this.nameOf(value) : `${value}`;
  }

  /** Is this cell a page-table entry? */
  isPageTableEntry(cell: Cell): boolean {
    return this.#isEntry(cell);
  }

  /** The cell that a process's pending step reads or writes; -1 if it is another kind of step. */
  stepCell(process: number): Cell {
    const kind = this.#quiet(process, PENDING);
    return kind >= OP.readOnce && kind <= OP.downgradeWrite && kind !== OP.smpMb ? this.#arg(process, 0) : -1;
  }

  // ---- steps ----

  #step(number: number, choice: number): void {
    const process = this.#processes[number]!;
    const cpu = process.cpuId;
    if (this.#quiet(number, PENDING) === OP.irqReturn) {
      this.#irqReturn(cpu);
      return;
    }
    this.#setQuiet(number, SEGMENT_LENGTH, 0);
    const kind = this.#quiet(number, PENDING);
    const value = this.#execute(number, cpu, choice);
    if (this.violation !== undefined) return;
    this.#lastResult[number] = value;
    const first = number < this.#cpus ? this.#bodies[number]! : this.#irqBody(cpu);
    this.#record(number, kind, value);
    let done: boolean;
    try {
      done = process.resume(first, this.#logs[number]!, value);
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('not repeatable')) throw error;
      if (this.violation === undefined) this.violation = { oracle: 'assert', message: error instanceof Error ? error.message : String(error) };
      return;
    }
    this.#paused(number, process, done);
  }

  /** Notes where a process is now. */
  #paused(number: number, process: Process, done: boolean): void {
    if (!done) {
      this.#setQuiet(number, PENDING, process.kind);
      for (let i = 0; i < ARGUMENTS; i++) this.#setQuiet(number, PENDING + 1 + i, process.args[i]!);
    } else if (number >= this.#cpus) {
      this.#setQuiet(number, PENDING, OP.irqReturn);
    } else {
      this.#setQuiet(number, PENDING, 0);
      this.state.set(this.#process(number) + RUNNING, 0);
    }
  }

  #start(number: number, body: Body): void {
    const process = this.#processes[number]!;
    this.#setQuiet(number, LOG_BASE, this.#quiet(number, LOG_LENGTH));
    this.#setQuiet(number, SEGMENT_LENGTH, 0);
    const at = this.#process(number);
    this.state.set(at + RUNNING, 1);
    this.state.set(at + HISTORY, 0);
    this.state.set(at + HISTORY + 1, 0);
    this.#paused(number, process, process.start(body));
  }

  /** The result of a step becomes part of what the process knows. */
  #record(number: number, kind: number, value: number): void {
    const at = this.#process(number) + HISTORY;
    const words = this.state.words;
    if (kind === OP.enterUser && this.#arg(number, 1) !== 0) {
      // The system call returns one word, and nothing else of it lives on.
      this.#extend(at, this.#quiet(number, SAVED_HISTORY), this.#quiet(number, SAVED_HISTORY + 1), this.#arg(number, 0));
      return;
    }
    this.#extend(at, words[at]!, words[at + 1]!, value);
    if (kind === OP.enterKernel) {
      this.#setQuiet(number, SAVED_HISTORY, words[at]!);
      this.#setQuiet(number, SAVED_HISTORY + 1, words[at + 1]!);
    }
  }

  #extend(at: number, low: number, high: number, value: number): void {
    this.state.set(at, chain(low, value + 0x51, 0));
    this.state.set(at + 1, chain(high, value + 0x51, 1));
  }

  #enabled(number: number): number {
    const cpu = number % this.#cpus;
    const words = this.state.words;
    const kind = this.#quiet(number, PENDING);
    const empty = !this.#tso || this.#cpuWord(cpu, BUFFERED) === 0;
    const a = this.#arg(number, 0);
    switch (kind) {
      case OP.readOnce:
      case OP.loadAcquire:
      case OP.alloc:
        return 1;
      case OP.writeOnce:
      case OP.storeRelease:
      case OP.spinUnlock:
        return this.#tso && this.#cpuWord(cpu, BUFFERED) === BUFFER ? 0 : 1;
      case OP.localIrqDisable:
      case OP.localIrqEnable:
        return 1;
      case OP.waitFor:
        return passes(this.#arg(number, 2), this.#load(cpu, a), this.#arg(number, 1)) ? 1 : 0;
      case OP.spinLock:
      case OP.downWrite:
        return empty && words[a] === 0 ? 1 : 0;
      case OP.downRead:
        return empty && words[a] !== WRITER ? 1 : 0;
      case OP.awaitIpis:
        return empty && this.#cpuWord(cpu, OUTSTANDING) === 0 ? 1 : 0;
      case OP.userRead:
        return empty ? this.#translations(cpu, a, false).length : 0;
      case OP.userWrite:
        return empty ? this.#translations(cpu, a, true).length : 0;
      case OP.sendIpi:
        return empty && this.#cpuWord(a, QUEUED) < QUEUE ? 1 : 0;
      default:
        return empty ? 1 : 0;
    }
  }

  #execute(number: number, cpu: number, choice: number): number {
    const words = this.state.words;
    const a = this.#arg(number, 0);
    const b = this.#arg(number, 1);
    const kind = this.#quiet(number, PENDING);
    if (kind >= OP.readOnce && kind <= OP.atomicFetchAndNot) this.#raceCheck(number, a, kind !== OP.readOnce && kind !== OP.loadAcquire);
    switch (kind) {
      case OP.readOnce:
      case OP.loadAcquire:
        return this.#load(cpu, a);
      case OP.writeOnce:
      case OP.storeRelease:
        this.#store(cpu, a, b);
        return 0;
      case OP.xchg:
        return this.#exchange(a, b);
      case OP.cmpxchg:
        return words[a] === this.#arg(number, 2) ? this.#exchange(a, b) : words[a]!;
      case OP.atomicAdd:
        this.#exchange(a, words[a]! + b);
        return 0;
      case OP.atomicAddReturn:
        return this.#exchange(a, words[a]! + b) + b;
      case OP.atomicOr:
        this.#exchange(a, words[a]! | b);
        return 0;
      case OP.atomicAndNot:
        this.#exchange(a, words[a]! & ~b);
        return 0;
      case OP.atomicFetchAndNot:
        return this.#exchange(a, words[a]! & ~b);
      case OP.waitFor:
        return this.#load(cpu, a);
      case OP.spinLock:
        this.state.set(a, 1);
        return 0;
      case OP.spinUnlock:
        this.#store(cpu, a, 0);
        return 0;
      case OP.downRead:
        this.state.set(a, words[a]! + 1);
        return 0;
      case OP.upRead:
        this.state.set(a, words[a]! - 1);
        return 0;
      case OP.downWrite:
        this.state.set(a, WRITER);
        return 0;
      case OP.upWrite:
        this.state.set(a, 0);
        return 0;
      case OP.downgradeWrite:
        this.state.set(a, 1);
        return 0;
      case OP.alloc:
        return this.#alloc(cpu, a);
      case OP.free:
        this.#free(a, b);
        return 0;
      case OP.localIrqDisable:
        this.#setCpu(cpu, IRQ_OFF, this.#cpuWord(cpu, IRQ_OFF) + 1);
        return 0;
      case OP.localIrqEnable:
        this.#setCpu(cpu, IRQ_OFF, this.#cpuWord(cpu, IRQ_OFF) - 1);
        return 0;
      case OP.sendIpi:
        this.#send(cpu, a, b, this.#arg(number, 2));
        return 0;
      case OP.loadContext: {
        const leaked = this.mmu.loadContext(cpu, a, b, this.#arg(number, 2) !== 0);
        if (leaked !== 0) {
          this.#violate('O8', `CPU ${cpu} loads ${a === 0 ? 'the kernel' : this.nameOf(a)} under ASID ${b}, which still holds entries of ${this.nameOf(leaked)}`);
        }
        return 0;
      }
      case OP.invalidate:
        this.#invalidate(number, cpu);
        return 0;
      case OP.userRead:
      case OP.userWrite:
        return this.#userAccess(cpu, a, kind === OP.userWrite, b, choice);
      case OP.enterUser:
        this.#setCpu(cpu, USER_MODE, 1);
        this.#oracles.userMode(cpu);
        return 0;
      case OP.enterKernel:
        this.#setCpu(cpu, USER_MODE, 0);
        return 0;
      default:
        return 0;
    }
  }

  #stepFootprint(number: number, cpu: number, touch: Touch): void {
    const kind = this.#quiet(number, PENDING);
    const a = this.#arg(number, 0);
    const cpuAt = this.#cpuBase + cpu * CPU_WORDS;
    if (this.#cpus > 0 && this.#irqPossible) touch(cpuAt + IN_IRQ, 'read');
    const mmu = (mode: TouchMode): void => touch(this.#mmuLocation(), mode);
    const buffer = (mode: TouchMode): void => {
      if (this.#tso) touch(cpuAt + BUFFERED, mode);
    };
    if (this.#claims) mmu('read');
    const write = (cell: Cell): void => {
      touch(cell, 'write');
      if (this.#isEntry(cell)) mmu('write');
    };
    switch (kind) {
      case OP.readOnce:
      case OP.loadAcquire:
        touch(a, 'read');
        buffer('read');
        return;
      case OP.writeOnce:
      case OP.storeRelease:
        if (this.#tso) buffer('write');
        else write(a);
        return;
      case OP.spinUnlock:
        if (this.#tso) buffer('write');
        else touch(a, 'release');
        return;
      case OP.atomicAdd:
        buffer('read');
        touch(a, 'add');
        return;
      case OP.xchg:
      case OP.cmpxchg:
      case OP.atomicAddReturn:
      case OP.atomicOr:
      case OP.atomicAndNot:
      case OP.atomicFetchAndNot:
        buffer('read');
        write(a);
        return;
      case OP.waitFor:
        buffer('read');
        touch(a, 'await');
        return;
      case OP.spinLock:
        buffer('read');
        touch(a, 'acquire');
        return;
      case OP.downRead:
      case OP.downWrite:
      case OP.upRead:
      case OP.upWrite:
      case OP.downgradeWrite:
        buffer('read');
        touch(a, 'write');
        return;
      case OP.alloc:
        return;
      case OP.localIrqDisable:
      case OP.localIrqEnable:
        touch(cpuAt + IN_IRQ, 'write');
        return;
      case OP.smpMb:
        buffer('read');
        return;
      case OP.sendIpi:
        buffer('read');
        touch(this.#cpuBase + a * CPU_WORDS + QUEUED, 'write');
        touch(cpuAt + OUTSTANDING, 'write');
        return;
      case OP.awaitIpis:
        buffer('read');
        touch(cpuAt + OUTSTANDING, 'write');
        return;
      case OP.irqReturn:
        buffer('read');
        touch(cpuAt + IN_IRQ, 'write');
        touch(this.#cpuBase + this.#cpuWord(cpu, IRQ_SOURCE) * CPU_WORDS + OUTSTANDING, 'write');
        mmu('write');
        return;
      default:
        buffer('read');
        mmu('write');
    }
  }

  // ---- memory ----

  /** A load by a CPU: its own newest buffered store, or memory. */
  #load(cpu: number, cell: Cell): number {
    if (this.#tso) {
      const base = this.#cpuBase + cpu * CPU_WORDS;
      for (let i = this.state.words[base + BUFFERED]! - 1; i >= 0; i--) {
        if (this.state.words[base + BUFFER_AT + 2 * i] === cell) return this.state.words[base + BUFFER_AT + 2 * i + 1]!;
      }
    }
    return this.state.words[cell]!;
  }

  #isBuffered(cpu: number, cell: Cell): boolean {
    for (let i = this.#cpuWord(cpu, BUFFERED) - 1; i >= 0; i--) if (this.#cpuWord(cpu, BUFFER_AT + 2 * i) === cell) return true;
    return false;
  }

  #store(cpu: number, cell: Cell, value: number): void {
    if (!this.#tso) {
      this.#exchange(cell, value);
      return;
    }
    const count = this.#cpuWord(cpu, BUFFERED);
    if (count >= BUFFER) throw new Error(`more than ${BUFFER} plain stores in a row: raise BUFFER`);
    this.#setCpu(cpu, BUFFER_AT + 2 * count, cell);
    this.#setCpu(cpu, BUFFER_AT + 2 * count + 1, value);
    this.#setCpu(cpu, BUFFERED, count + 1);
  }

  /** A store that takes effect. Returns the old value. */
  #exchange(cell: Cell, value: number): number {
    const old = this.state.words[cell]!;
    this.state.set(cell, value);
    if (old !== value && this.#isEntry(cell)) {
      this.mmu.refillAll();
      this.#oracles.coherent();
    }
    return old;
  }

  #drain(cpu: number): void {
    const base = this.#cpuBase + cpu * CPU_WORDS;
    const words = this.state.words;
    const count = words[base + BUFFERED]! - 1;
    const cell = words[base + BUFFER_AT]!;
    const value = words[base + BUFFER_AT + 1]!;
    for (let i = 0; i < 2 * count; i++) this.state.set(base + BUFFER_AT + i, words[base + BUFFER_AT + i + 2]!);
    this.state.set(base + BUFFER_AT + 2 * count, 0);
    this.state.set(base + BUFFER_AT + 2 * count + 1, 0);
    this.state.set(base + BUFFERED, count);
    this.#exchange(cell, value);
  }

  // ---- objects ----

  #alloc(cpu: number, cache: number): Address {
    const pool = this.layout.pool(CACHE_NAMES[cache]!);
    const perCpu = pool.count / this.#cpus;
    const taken = this.#cpuWord(cpu, POOL_AT + cache);
    if (taken >= perCpu) throw new Error(`CPU ${cpu} allocates more than ${perCpu} objects of '${pool.cache}': raise pools.${pool.cache} of the scenario`);
    this.#setCpu(cpu, POOL_AT + cache, taken + 1);
    const address = pool.base + (cpu * perCpu + taken) * pool.size;
    this.#setObjectState(address, LIVE);
    return address;
  }

  #free(cache: number, address: Address): void {
    if (this.#objectState(address) !== LIVE) this.#violate('O16', `${this.nameOf(address)} is freed, which is not allocated`);
    this.#setObjectState(address, FREED);
    if (CACHE_NAMES[cache] === 'page') this.#oracles.pageFreed(address);
    if (CACHE_NAMES[cache] === 'table') this.mmu.refillAll();
  }

  #objectWord(address: Address): number {
    let at = this.#poolBase;
    for (const cache of CACHE_NAMES) {
      const i = this.layout.indexIn(cache, address);
      if (i >= 0) return at + i;
      at += this.layout.pool(cache).count;
    }
    return -1;
  }

  #objectState(address: Address): number {
    const at = this.#objectWord(address);
    return at < 0 ? LIVE : this.state.words[at]!;
  }

  #setObjectState(address: Address, value: number): void {
    const at = this.#objectWord(address);
    if (at < 0) throw new Error(`${address} is no object of a pool`);
    this.state.set(at, value);
  }

  // ---- interrupts ----

  #send(cpu: number, target: number, handler: number, argument: Address): void {
    const at = this.#cpuWord(target, QUEUED);
    this.#setCpu(target, QUEUE_AT + 3 * at, handler);
    this.#setCpu(target, QUEUE_AT + 3 * at + 1, argument);
    this.#setCpu(target, QUEUE_AT + 3 * at + 2, cpu);
    this.#setCpu(target, QUEUED, at + 1);
    this.#setCpu(cpu, OUTSTANDING, this.#cpuWord(cpu, OUTSTANDING) + 1);
  }

  #deliver(cpu: number): void {
    const [handler, argument, source] = [0, 1, 2].map((i) => this.#cpuWord(cpu, QUEUE_AT + i)) as [number, number, number];
    const left = this.#cpuWord(cpu, QUEUED) - 1;
    for (let i = 0; i < 3 * left; i++) this.#setCpu(cpu, QUEUE_AT + i, this.#cpuWord(cpu, QUEUE_AT + i + 3));
    for (let i = 0; i < 3; i++) this.#setCpu(cpu, QUEUE_AT + 3 * left + i, 0);
    this.#setCpu(cpu, QUEUED, left);
    this.#setCpu(cpu, IN_IRQ, handler + 1);
    this.#setCpu(cpu, IRQ_ARG, argument);
    this.#setCpu(cpu, IRQ_SOURCE, source);
    this.#start(this.#cpus + cpu, this.#irqBody(cpu));
  }

  /** One body per handler and argument, so that a rebuild finds the one that ran. */
  #irqBody(cpu: number): Body {
    const handler = this.#cpuWord(cpu, IN_IRQ) - 1;
    const argument = this.#cpuWord(cpu, IRQ_ARG);
    const key = handler * this.#arenaWords + argument;
    let body = this.#irqBodies.get(key);
    if (body === undefined) this.#irqBodies.set(key, (body = (port: Cpu) => this.kernel.handlers[handler]!(port, argument)));
    return body;
  }

  #irqReturn(cpu: number): void {
    const number = this.#cpus + cpu;
    const source = this.#cpuWord(cpu, IRQ_SOURCE);
    this.#setCpu(source, OUTSTANDING, this.#cpuWord(source, OUTSTANDING) - 1);
    for (const word of [IN_IRQ, IRQ_ARG, IRQ_SOURCE]) this.#setCpu(cpu, word, 0);
    const at = this.#process(number);
    for (let w = 0; w < PROCESS_WORDS; w++) this.state.set(at + w, 0);
    if (this.#canAccess(cpu)) this.#oracles.userMode(cpu);
  }

  // ---- MMU ----

  #invalidate(number: number, cpu: number): void {
    const arg = (i: number): number => this.#arg(number, i);
    const end = (v: number): number => (v >= 0x7fffffff ? EVERYTHING : v);
    const scope: Scope = {
      asid: arg(0),
      globals: (arg(1) & 1) !== 0,
      broadcast: (arg(1) & 2) !== 0,
      leaves: { start: arg(2), end: end(arg(3)) },
      walks: { start: arg(4), end: end(arg(5)) },
    };
    if (scope.broadcast) throw new Error('this machine has no broadcast invalidation yet');
    this.mmu.invalidate(cpu, scope);
  }

  /** The entries that a user access of a CPU may go through now; `undefined` stands for a fault. */
  #translations(cpu: number, address: number, write: boolean): (Entry | undefined)[] {
    const page = this.mmu.page(address);
    const need = PRESENT | USER | (write ? RW : 0);
    const now = this.mmu.inMemory(this.mmu.liveRoot(cpu), page);
    const through: (Entry | undefined)[] = [];
    this.mmu.leaves(cpu, page, (entry) => {
      if ((entry & need) !== need) return;
      // A store through a clean entry walks again, to set the dirty bit in memory: only the present entry can pass.
      if (write && (entry & DIRTY) === 0 && entry !== now) return;
      through.push(entry);
    });
    // Any cached entry may have been evicted: then memory decides.
    if ((now & need) !== need) through.push(undefined);
    return through;
  }

  #userAccess(cpu: number, address: number, write: boolean, value: number, choice: number): number {
    const entry = this.#translations(cpu, address, write)[choice];
    if (entry === undefined) return FAULT;
    const data = Page.at(entryTarget(entry)).data;
    if (!write) return this.state.words[data]!;
    if ((entry & DIRTY) === 0) this.#exchange(this.mmu.leafCell(this.mmu.liveRoot(cpu), this.mmu.page(address)), entry + DIRTY);
    this.state.set(data, value);
    return 0;
  }

  #canAccess(cpu: number): boolean {
    return this.#cpuWord(cpu, USER_MODE) !== 0 && this.#cpuWord(cpu, IN_IRQ) === 0;
  }

  // ---- plain accesses ----

  /** Remembers a plain access until the process takes its next step; meanwhile a conflicting one elsewhere is a data race. */
  #plain(number: number, cell: Cell, write: boolean): void {
    this.#raceCheck(number, cell, write);
    const length = this.#quiet(number, SEGMENT_LENGTH);
    if (length >= SEGMENT) return;
    this.#setQuiet(number, SEGMENT_AT + length, cell * 2 + (write ? 1 : 0));
    this.#setQuiet(number, SEGMENT_LENGTH, length + 1);
  }

  #raceCheck(number: number, cell: Cell, write: boolean): void {
    for (let other = 0; other < 2 * this.#cpus; other++) {
      if (other % this.#cpus === number % this.#cpus || !this.#alive(other)) continue;
      const length = this.#quiet(other, SEGMENT_LENGTH);
      for (let i = 0; i < length; i++) {
        const access = this.#quiet(other, SEGMENT_AT + i);
        if (access >> 1 === cell && (write || (access & 1) !== 0)) {
          this.violation ??= {
            oracle: 'race',
            message: `data race on ${this.layout.name(cell)}: CPU ${other % this.#cpus} ${(access & 1) !== 0 ? 'writes' : 'reads'} it plainly while CPU ${number % this.#cpus} ${write ? 'writes' : 'reads'} it`,
          };
        }
      }
    }
  }

  // ---- setup ----

  #run<T>(cpu: number, body: (cpu: Cpu) => Steps<T>): T {
    this.#bodies[cpu] = body;
    this.#start(cpu, body);
    const n = this.#cpus;
    for (;;) {
      let moved = false;
      for (let actor = 3 * n - 1; actor >= 0; actor--) {
        // Drains and interrupts first: nothing is left behind when the body returns.
        if (this.choices(actor) === 0) continue;
        this.perform(actor, 0);
        if (this.violation !== undefined) throw new Error(`the setup violates ${this.violation.oracle}: ${this.violation.message}`);
        moved = true;
        break;
      }
      if (!moved) break;
    }
    if (!this.finished()) throw new Error(`the setup is stuck: ${this.checkEnd()?.message ?? ''}`);
    this.#bodies[cpu] = undefined;
    return this.#processes[cpu]!.returned as T;
  }

  // ---- words ----

  #cpuWord(cpu: number, word: number): number {
    return this.state.words[this.#cpuBase + cpu * CPU_WORDS + word]!;
  }
  #setCpu(cpu: number, word: number, value: number): void {
    this.state.set(this.#cpuBase + cpu * CPU_WORDS + word, value);
  }
  #process(number: number): number {
    return this.#processBase + number * PROCESS_WORDS;
  }
  #quiet(number: number, word: number): number {
    return this.state.words[this.#quietBase + number * QUIET_WORDS + word]!;
  }
  #setQuiet(number: number, word: number, value: number): void {
    this.state.set(this.#quietBase + number * QUIET_WORDS + word, value);
  }
  #arg(number: number, i: number): number {
    return this.state.words[this.#quietBase + number * QUIET_WORDS + PENDING + 1 + i]!;
  }
  #alive(number: number): boolean {
    return this.state.words[this.#process(number) + RUNNING] !== 0;
  }
  #historyOf(number: number): string {
    const at = this.#process(number) + HISTORY;
    return `${this.state.words[at]}.${this.state.words[at + 1]}`;
  }
  #mmuLocation(): number {
    return this.state.words.length;
  }
  #isEntry(cell: Cell): boolean {
    return this.layout.isEntry(this.#options, cell);
  }

  /** Whether interrupts and claims can matter: bare programs of memory accesses have neither. */
  get #irqPossible(): boolean {
    return this.kernel.handlers.length > 0;
  }
  /** The kind of the pending step of a process. */
  stepKind(process: number): OpName {
    return OP_NAMES[this.#quiet(process, PENDING)] ?? 'none';
  }

  get #claims(): boolean {
    return this.kernel.handlers.length > 0;
  }

  #violate(oracle: OracleId, message: string): void {
    this.violation ??= { oracle, message };
  }

  #pendingCounters(): void {
    const pool = this.layout.pool('mm');
    for (let i = 0; i < pool.count; i++) {
      const address = pool.base + i * pool.size;
      if (this.#objectState(address) !== LIVE) continue;
      const left = this.state.words[Mm.at(address).tlbFlushPending]!;
      if (left !== 0) this.#violate('O16', `${this.nameOf(address)}.tlbFlushPending is ${left} after all operations are done`);
    }
  }

  #oracleHost(): OracleHost {
    return {
      cpus: this.#cpus,
      canAccess: (cpu) => this.#canAccess(cpu),
      freed: (address) => this.#objectState(address) === FREED,
      nameOf: (address) => this.nameOf(address),
      entryName: (entry) => this.entryName(entry),
      rootNumber: (root) => Math.max(0, this.layout.indexIn('table', root)),
      violate: (oracle, message) => this.#violate(oracle, message),
    };
  }

  #processHost(): ProcessHost {
    return {
      plainRead: (process, cell) => {
        this.#plain(process.number, cell, false);
        const value = this.#load(process.cpuId, cell);
        const at = this.#process(process.number) + HISTORY;
        this.#extend(at, this.state.words[at]!, this.state.words[at + 1]!, value);
        return value;
      },
      plainWrite: (process, cell, value) => {
        this.#plain(process.number, cell, true);
        // Nobody may look at it before the next ordering step (race check): it need not wait in the buffer, unless an
        // older store of the same cell does.
        if (this.#isBuffered(process.cpuId, cell)) this.#store(process.cpuId, cell, value);
        else this.#exchange(cell, value);
      },
      claim: (process, check) => {
        if (!process.feeding) check();
      },
      claimsOf: (process) => this.#claimsOf(process.cpuId),
      trace: (process, event, values) => this.onTrace?.(process.cpuId, event, values),
      logLength: (process) => this.#quiet(process.number, LOG_LENGTH),
      logBase: (process) => this.#quiet(process.number, LOG_BASE),
      append: (process, value) => this.#append(process.number, value),
      recordedStep: (process) => {
        const args = Array.from({ length: ARGUMENTS }, (_, i) => this.#arg(process.number, i));
        return `${this.#quiet(process.number, PENDING)}:${args.join()}`;
      },
    };
  }

  #claimsOf(cpu: number): Claims {
    return this.#oracles.claimsOf(cpu);
  }

  #append(number: number, value: number): void {
    const length = this.#quiet(number, LOG_LENGTH);
    let log = this.#logs[number]!;
    if (length >= log.length) {
      const bigger = new Int32Array(log.length * 2);
      bigger.set(log);
      this.#logs[number] = log = bigger;
    }
    log[length] = value;
    this.#setQuiet(number, LOG_LENGTH, length + 1);
  }
}
