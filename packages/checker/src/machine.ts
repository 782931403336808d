/**
 * Machine: the exploring machine. It runs the kernel code of a few CPUs one step at a time, forward and back.
 *
 *     process    pauses before each port call and announces it (process.ts)
 *     machine    knows which calls can take effect now, performs one, feeds its result to the process
 *     state      all words that this changed, with a journal and a key (state.ts, words.ts)
 *     effects    what each call waits for and does (effects.ts)
 *     memory     loads and stores under SC and TSO (memory.ts), races of plain ones (races.ts)
 *     mmu        what TLBs may hold (mmu/), user accesses through it (user-access.ts)
 *     oracles    what must hold (oracles.ts)
 *
 * The interrupt side of a CPU excludes its main code and shares its store buffer (interrupts.ts).
 */
import {
  type BootOptions,
  bootKernel,
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  entryPresent,
  entryTarget,
  type Kernel,
  type MemoryModel,
  Mm,
  type OracleId,
  Page,
  type Steps,
} from '@mmu-gather/core/stepped';
import type { Alike, Explorable, Locality, Touch, Violation } from './explorable.ts';
import { Effects } from './effects.ts';
import { deliveryFootprint, drainFootprint, type FootprintHost, stepFootprint } from './footprint.ts';
import { Interrupts } from './interrupts.ts';
import { DEFAULT_POOLS, Layout, type PoolSizes } from './layout.ts';
import { LocalSteps } from './local-steps.ts';
import { Memory } from './memory.ts';
import { Mmu } from './mmu/mmu.ts';
import { Objects } from './objects.ts';
import { ARGUMENTS, OP, OP_NAMES, type OpName } from './op.ts';
import { type OracleHost, Oracles } from './oracles.ts';
import { type Body, NotRepeatable, Process, type ProcessHost } from './process.ts';
import { Races } from './races.ts';
import { placeIn } from './site.ts';
import { Pauses } from './script.ts';
import { chain, State } from './state.ts';
import { Symmetry } from './symmetry.ts';
import { Text } from './text.ts';
import { UserAccess } from './user-access.ts';
import { AccessFlags } from './weak/access-flags.ts';
import { Invalidations } from './weak/invalidations.ts';
import type { WalkRule } from './weak/walk-rules.ts';
import { LaggingWalkers, type WalkerOptions } from './weak/walkers.ts';
import { Walks } from './weak/walks.ts';
import { WeakMemory, type WeakOptions } from './weak/weak-memory.ts';
import { CPU, CPU_WORDS, PROCESS, PROCESS_WORDS, QUIET, QUIET_WORDS, Words } from './words.ts';

/** Where an mm keeps its root table and its generations, and a page its contents. */
const PGD: number = Mm.fields.indexOf('pgd');
const TLB_GEN: number = Mm.fields.indexOf('tlbGen');
const COMPLETED: number = Mm.fields.indexOf('tlbGenCompleted');
const DATA: number = Page.fields.indexOf('data');
/** Positions of a process that one system call takes: more than any has steps and plain loads. */
const SYSCALL = 1 << 16;

/** No rule of walks. */
const NO_RULE: ReadonlySet<WalkRule> = new Set();
/** Positions from one `forget` to the next that follows it at once. */
const STRETCH = 1 << 12;
/** Largest progress that a `forget` may state. */
const MAX_PROGRESS = 1023;

/** Steps of one call of `run`: far more than any setup takes. One that takes more waits for what does not come, a fault that is not mended for instance. */
const MAX_SETUP_STEPS = 100_000;

/** A program's setup violates an oracle: there is no state to begin a search in. */
export class SetupError extends Error {
  /** Name in messages. */
  override readonly name = 'SetupError';
}

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
  /**
   * Groups of CPUs that run the same code and that nothing else tells apart: no word depends on their numbers. Only programs of bare accesses
   * have such groups, without handlers
   * and pools: a kernel knows its CPUs by number. Without effect under weak, whose views do, too.
   */
  readonly identical?: readonly (readonly number[])[];
  /** A check of the end of every execution: a message if it may not end so. */
  final?(peek: (cell: Cell) => number, env: E): string | undefined;
  /**
   * The program's own oracle, asked in the first state and after every step: a message if the state may not be. It may look at everything,
   * so with one no step is taken to be local, or to commute.
   */
  invariant?(now: Now, env: E): string | undefined;
}

/** What a program's own oracle sees of a state. */
export interface Now {
  /** A word as memory has it: stores in buffers are not there yet. */
  readonly peek: (cell: Cell) => number;
  /** Is a CPU in user mode, with its interrupt side idle? */
  readonly inUser: (cpu: number) => boolean;
  /** Leaf entries that a CPU may hold for a page under the context that it has loaded. In user mode it may use them. */
  readonly held: (cpu: number, page: number) => readonly Entry[];
}

/** How to build a machine. */
export interface MachineOptions extends BootOptions {
  /** Instead of the backend's own. */
  readonly memoryModel?: MemoryModel;
  /** Objects that each CPU may allocate. */
  readonly pools?: Partial<PoolSizes>;
  /** Oracles that report nothing: for tests of what only one of them sees. */
  readonly oraclesOff?: readonly OracleId[];
  /**
   * A program of bare instructions (bare.ts): under weak all orders are followed exactly, and locks can be read. Kernel code is
   * followed as LKMM says.
   */
  readonly exact?: boolean;
  /** Of such a program whose accesses go through page tables: what walks do. It has some if this is given. */
  readonly walks?: WalkOptions;
  /** Note where code calls its steps, for {@link Machine.stepSite}. */
  readonly noteSites?: boolean;
  /** Also check O1s: at the time a page is freed no CPU may hold an entry to it, whatever it runs. */
  readonly strict?: boolean;
}

/** What a CPU is at between two steps. */
export interface Standing {
  /** Where its next instruction is. */
  readonly mode: 'user' | 'kernel' | 'interrupt';
  /** Whether it takes no interrupts. */
  readonly interruptsOff: boolean;
  /** Interrupts that wait for it. */
  readonly queued: number;
  /** Stores in its buffer, the oldest first. */
  readonly buffered: readonly (readonly [cell: Cell, value: number])[];
  /** Its next step, as text; undefined if its code has returned. */
  readonly next: string | undefined;
}

/** What walks of a program of bare instructions do. */
export interface WalkOptions {
  /** Hardware of some CPU sets access flags: it may do so of its own accord, in every valid entry. */
  readonly setsAccessFlags: boolean;
  /** Rules to leave out, for tests of what each is for. */
  readonly without?: ReadonlySet<WalkRule>;
}

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
  /** All words. */
  readonly state: State;
  /** The TLBs. */
  readonly mmu: Mmu;
  /** Names for people. */
  readonly text: Text;
  readonly locality: Locality | undefined;
  readonly alike: Alike | undefined;
  violation: Violation | undefined;
  /** Called at each tracepoint of the kernel code, if set. */
  onTrace: ((cpu: number, event: string, values: readonly number[]) => void) | undefined;

  readonly #program: Program<E>;
  readonly #now: Now;
  /** The race has begun. */
  #begun = false;
  readonly #cpus: number;
  readonly #words: Words;
  readonly #pauses = new Pauses();
  readonly #memory: Memory;
  readonly #weak: WeakMemory | undefined;
  readonly #races: Races;
  readonly #objects: Objects;
  readonly #interrupts: Interrupts;
  readonly #effects: Effects;
  readonly #oracles: Oracles;
  readonly #footprints: FootprintHost;
  readonly #processes: Process[] = [];
  readonly #logs: Int32Array[] = [];
  readonly #lastResult: number[] = [];
  readonly #bodies: (Body | undefined)[];
  readonly #irqBodies = new Map<number, Body>();
  readonly #arenaWords: number;
  readonly #localSteps: LocalSteps;
  readonly #off: ReadonlySet<OracleId>;
  readonly #isEntry: (cell: Cell) => boolean;
  readonly #isTranslation: (cell: Cell) => boolean;
  readonly #accessFlags: AccessFlags | undefined;

  constructor(options: MachineOptions, program: Program<E>) {
    const n = options.cpus;
    this.#program = program;
    this.#cpus = n;
    this.actors = 3 * n + (options.walks?.setsAccessFlags === true ? 1 : 0);
    this.memoryModel = options.memoryModel ?? options.backend.isa.memoryModel;

    const layout = (this.layout = new Layout());
    this.kernel = bootKernel(layout, options);
    program.reserve?.(layout);
    const isWeak = this.memoryModel === 'weak';
    const walking = options.walks !== undefined;
    if (walking && !(isWeak && options.exact === true && options.backend.isa.multiCopyAtomic))
      throw new TypeError('walks of bare instructions are followed under weak, multi-copy atomic, and exact only');
    layout.reservePools(options, { ...DEFAULT_POOLS, ...options.pools });
    this.#arenaWords = layout.words;
    const invalidations = walking ? layout.reserve('tlbi', numbered(Invalidations.cells(n) + 1)) : 0;

    const roots = layout.pool('table').count;
    const pages = 2 ** options.geometry.bits.reduce((a, b) => a + b, 0);
    const sizes = { cpus: n, roots, pages, frames: layout.pool('page').count };
    const cpuBase = layout.words;
    const objectBase = cpuBase + n * CPU_WORDS;
    const mmuBase = objectBase + Objects.words(layout);
    const oracleBase = mmuBase + Mmu.words(options);
    const processBase = oracleBase + Oracles.words(sizes);
    const weakBase = processBase + 2 * n * PROCESS_WORDS;
    const quiet = weakBase + (isWeak ? WeakMemory.words({ cpus: n, cells: layout.words }) : 0);
    const state = (this.state = new State(quiet + 2 * n * QUIET_WORDS, quiet));
    for (const [cell, value] of layout.initial) state.set(cell, value);

    const words = (this.#words = new Words(state, n, cpuBase, processBase, this.#pauses));
    const objects = (this.#objects = new Objects(words, layout, objectBase));
    this.#interrupts = new Interrupts(words);
    const isEntry = (cell: Cell): boolean => layout.isEntry(options, cell);
    const { translationTable, processTable } = this.kernel.backend;
    const isIn = (cell: Cell, base: Address, count: number): boolean => cell >= base && cell < base + count;
    const isTranslation = (cell: Cell): boolean =>
      (translationTable !== null && isIn(cell, translationTable.base, translationTable.words)) ||
      (processTable !== null && isIn(cell, processTable, options.backend.isa.asids));
    this.#isTranslation = isTranslation;
    const isWatched = (cell: Cell): boolean =>
      layout.isField('mm', COMPLETED, cell) ||
      layout.isField('page', DATA, cell) ||
      cell === this.kernel.zeroPage + DATA;
    this.#isEntry = isEntry;
    this.text = new Text(words, layout, isEntry, (address) => objects.starts(address));
    this.#races = new Races(words, (cell, other, otherWrites, cpu, writes) => {
      const one = `CPU ${other} ${otherWrites ? 'writes' : 'reads'} it plainly`;
      this.violation ??= {
        oracle: 'race',
        message: `data race on ${layout.name(cell)}: ${one} while CPU ${cpu} ${writes ? 'writes' : 'reads'} it`,
      };
    });
    this.mmu = new Mmu(state, layout, options, mmuBase, this.kernel, {
      freed: (address) => objects.freed(address),
      inUser: (cpu) => this.#interrupts.inUser(cpu),
      olderEntries: isWeak ? (cpu, cell, visit) => this.#weak!.walkers?.olderEntries(cpu, cell, visit) : undefined,
      freedTable: (cpu, table) =>
        this.#violate('O4', `a walk on CPU ${cpu} can read ${this.text.object(table)}, which was freed`),
      foundTwice: (cpu, page) =>
        this.#violate('O14', `CPU ${cpu} finds two entries for page ${page} in its table of translations`),
      twoSizes: (cpu, page, kernel) =>
        this.#violate('O14', `CPU ${cpu} may hold leaves of two sizes for ${kernel ? 'kernel ' : ''}page ${page}`),
    });
    this.#off = new Set(options.oraclesOff);
    this.#oracles = new Oracles(state, this.mmu, this.#oracleHost(), oracleBase, sizes, {
      strict: options.strict === true,
      isa: options.backend.isa,
    });
    this.#weak = isWeak ? new WeakMemory(state, weakBase, this.#weakOptions(options)) : undefined;
    const { without = NO_RULE } = options.walks ?? {};
    const ets2 = options.backend.isa.ets2 === true;
    const weak = this.#weak;
    const walks =
      walking && weak !== undefined
        ? new Walks(state, weak, invalidations, this.#walkerOptions(options), ets2, without)
        : undefined;
    const walkers = walks ?? (weak && new LaggingWalkers(weak, this.#walkerOptions(options)));
    if (weak !== undefined) weak.walkers = walkers;
    this.#memory = new Memory(words, this.memoryModel === 'tso', this.#weak, (cpu, cell, old) =>
      this.#changed(cpu, cell, old),
    );
    this.#effects = new Effects({
      words,
      memory: this.#memory,
      objects,
      races: this.#races,
      interrupts: this.#interrupts,
      mmu: this.mmu,
      unorderedBroadcasts: options.backend.isa.unorderedBroadcasts === true,
      user: new UserAccess(state, this.mmu, this.#memory, options.backend.isa, (cpu, page) =>
        this.#oracles.dataStored(cpu, page),
      ),
      walkers,
      oracles: this.#oracles,
      text: this.text,
      violate: (oracle, message) => this.#violate(oracle, message),
    });
    this.#accessFlags =
      walks !== undefined && options.walks?.setsAccessFlags === true
        ? new AccessFlags(state, invalidations + Invalidations.cells(n), this.#entries(isEntry), this.#memory, walks)
        : undefined;
    this.#footprints = {
      words,
      tso: this.#memory.tso,
      tlbs: state.words.length,
      hasKernel:
        this.kernel.backend.handlers.length > 0 || layout.pool('page').count > 0 || layout.pool('table').count > 0,
      readersAwaited: () => this.#effects.readersAwaited,
      isWatched: (cell) => isEntry(cell) || isTranslation(cell) || cell === this.kernel.initMm + PGD || isWatched(cell),
      isOrdered: (cell) => this.#footprints.isWatched(cell) || layout.isField('mm', TLB_GEN, cell),
    };
    this.#localSteps = new LocalSteps({
      words,
      objects,
      memory: this.#memory,
      interrupts: this.#interrupts,
      strict: options.strict === true,
      inTables: (cell) =>
        isEntry(cell) ||
        isTranslation(cell) ||
        cell === this.kernel.initMm + PGD ||
        layout.isField('mm', TLB_GEN, cell),
      isWatched,
      readersAwaited: () => this.#effects.readersAwaited,
      tellsFences: this.#weak && ((cpu) => this.#weak!.known.tellsFences(cpu)),
    });
    const isWatchedWhole = program.invariant !== undefined || (isWeak && options.exact === true);
    this.locality = isWatchedWhole ? undefined : this.#localSteps;
    this.#now = this.#whatIsNow();
    this.alike = this.#symmetry(program.identical ?? []);
    const host = this.#processHost(options.noteSites === true);
    for (let i = 0; i < 2 * n; i++) {
      this.#processes.push(new Process(i, i % n, this.kernel, host));
      this.#logs.push(new Int32Array(256));
    }

    this.#bodies = Array.from({ length: n }, () => undefined);
    this.env = program.setup((cpu, body) => this.#run(cpu, body), this.kernel);
    for (let i = 0; i < 2 * n; i++) {
      for (let w = 0; w < PROCESS_WORDS; w++) state.set(words.processAt(i, w), 0);
      for (let w = 0; w < QUIET_WORDS; w++) words.setQuiet(i, w, 0);
    }
    this.#weak?.reset();
    const threads = program.threads(this.env, this.kernel);
    for (let cpu = 0; cpu < n; cpu++) {
      const body = threads[cpu];
      this.#bodies[cpu] = body;
      if (body !== undefined) this.#start(cpu, body);
    }
    this.#begun = true;
    this.#ask();
    // No search would find it: it needs no step.
    if (this.violation !== undefined)
      throw new Error(
        `before their first step the threads violate ${this.violation.oracle}: ${this.violation.message}`,
      );
    state.settle();
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
    if (actor === 3 * n) return this.#accessFlags!.choices(this.#threadsDone());
    const cpu = actor % n;
    if (actor >= 2 * n) return this.#words.cpu(cpu, CPU.buffered) > 0 ? 1 : 0;
    const inIrq = this.#interrupts.running(cpu);
    if (actor < n) return inIrq || !this.#words.running(actor) ? 0 : this.#effects.outcomes(actor, cpu);
    if (inIrq) return this.#effects.outcomes(actor, cpu);
    return this.#interrupts.mayBeTaken(cpu) ? 1 : 0;
  }

  finished(): boolean {
    return this.#threadsDone() && this.#accessFlags?.over !== false;
  }

  #threadsDone(): boolean {
    const words = this.#words;
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      if (words.running(cpu)) return false;
      if (words.cpu(cpu, CPU.queued) !== 0 || words.cpu(cpu, CPU.inIrq) !== 0 || words.cpu(cpu, CPU.buffered) !== 0)
        return false;
    }
    return true;
  }

  perform(actor: number, choice: number): void {
    const n = this.#cpus;
    if (actor === 3 * n) this.#accessFlags!.perform(choice);
    else if (actor >= 2 * n) this.#memory.drain(actor - 2 * n);
    else if (this.processOf(actor) === undefined) this.#deliver(actor - n);
    else this.#step(actor, actor % n, choice);
    this.#weak?.settle();
    if (this.#begun) this.#ask();
  }

  checkEnd(): Violation | undefined {
    if (!this.finished()) {
      const waits = this.#processes
        .filter((p) => this.#words.running(p.number))
        .map((p) => `CPU ${p.cpuId} waits at ${this.text.step(p.number)}`);
      return { oracle: 'deadlock', message: waits.join(', ') };
    }
    this.#oracles.end();
    this.#pendingCounters();
    const message = this.#program.final?.((cell) => this.state.words[cell]!, this.env);
    if (message !== undefined) this.violation ??= { oracle: 'assert', message };
    const found = this.violation;
    this.violation = undefined;
    return found;
  }

  footprint(actor: number, touch: Touch): void {
    if (this.#weak !== undefined || this.#program.invariant !== undefined) {
      // What everybody knows may change what anybody reads: under weak no two steps are taken to commute. Nor are they where somebody looks on.
      touch(this.#footprints.tlbs, 'write');
      return;
    }
    const n = this.#cpus;
    const cpu = actor % n;
    if (actor >= 2 * n) drainFootprint(this.#footprints, cpu, this.#memory.oldest(cpu), touch);
    else if (this.processOf(actor) === undefined) deliveryFootprint(this.#footprints, cpu, touch);
    else stepFootprint(this.#footprints, actor, cpu, touch);
  }

  nextSteps(): string {
    const step = (p: Process): string => {
      if (!this.#words.running(p.number)) return '-';
      const args = Array.from({ length: ARGUMENTS }, (_, i) => this.#words.arg(p.number, i));
      return `${this.#words.kind(p.number)}(${args.join()})`;
    };
    return this.#processes.map(step).join(' ');
  }

  observation(): string {
    const at = (p: Process): number => this.#words.processAt(p.number, PROCESS.history);
    const known = this.#processes.map((p) => `${this.state.words[at(p)]}.${this.state.words[at(p) + 1]}`);
    return `${this.state.words.subarray(0, this.#arenaWords).join()}|${known.join()}`;
  }

  // ---- for diagrams ----

  /** The process whose step an actor would take, or undefined for a drain or a delivery. */
  processOf(actor: number): Process | undefined {
    const n = this.#cpus;
    if (actor >= 2 * n || (actor >= n && this.#words.cpu(actor - n, CPU.inIrq) === 0)) return undefined;
    return this.#processes[actor];
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

  /** Lets code run also where it is known what it does, or stops it: to observe it, and to compare what it does (slow). */
  runCode(always: boolean): void {
    for (const process of this.#processes) {
      process.runsAlways = always;
      process.drop();
    }
  }

  /** An argument of the pending step of a process, in the order of the port call; see port.ts. */
  stepArgument(process: number, i: number): number {
    return this.#words.arg(process, i);
  }

  /** The kind of the pending step of a process. */
  stepKind(process: number): OpName {
    return OP_NAMES[this.#words.kind(process)] ?? 'none';
  }

  /** Under weak: how many newer stores to its cell the pending load of a process misses with this choice. */
  missedStores(process: number, choice: number): number {
    return this.#effects.weak?.missed(process, process % this.#cpus, choice) ?? 0;
  }

  /** Under weak: does the pending wait of a process wait on with this choice, having read the newest value? */
  waitsOn(process: number, choice: number): boolean {
    return this.#effects.weak?.spins(process, process % this.#cpus, choice) === true;
  }

  /** The cell that a process's pending step reads or writes; -1 if it is another kind of step. */
  stepCell(process: number): Cell {
    const kind = this.#words.kind(process);
    return kind >= OP.readOnce && kind <= OP.downgradeWrite && kind !== OP.smpMb ? this.#words.arg(process, 0) : -1;
  }

  /** Where code calls the pending step of a process, `mm/munmap.ts:12`; '' if sites are not noted, or it is no call of code. */
  stepSite(process: number): string {
    return this.#pauses.site(this.#words.quiet(process, QUIET.pause));
  }

  /** Number of stores that wait in a CPU's buffer. */
  buffered(cpu: number): number {
    return this.#words.cpu(cpu, CPU.buffered);
  }

  /** CPUs, one bit each, whose MMU may look at a cell at any time now. */
  walkersOf(cell: Cell): number {
    const { mmu } = this;
    const isRead = (root: Address): boolean => {
      for (let page = 0; page < mmu.pages; page++) if (mmu.isOnTheWay(cell, root, page)) return true;
      return false;
    };
    const translates = this.#isTranslation(cell);
    if (!translates && !this.#isEntry(cell)) return 0;
    let walkers = 0;
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const root = mmu.liveRoot(cpu);
      const kernel = mmu.kernelRoot;
      if (root !== 0 && (translates || isRead(root))) walkers |= 1 << cpu;
      if (kernel !== 0 && !translates && isRead(kernel)) walkers |= 1 << cpu;
    }
    return walkers;
  }

  /** Is this cell a page-table entry? */
  isPageTableEntry(cell: Cell): boolean {
    return this.#isEntry(cell);
  }

  /** The cell of the oldest buffered store of a CPU. */
  drainCell(cpu: number): Cell {
    return this.#memory.oldest(cpu);
  }

  /** The drain of a CPU's oldest buffered store, as text. */
  drainText(cpu: number): string {
    const cell = this.#memory.oldest(cpu);
    return `${this.layout.name(cell)} := ${this.text.value(cell, this.#words.cpu(cpu, CPU.buffer + 1))} reaches memory`;
  }

  /** What a CPU is at. */
  standing(cpu: number): Standing {
    const words = this.#words;
    const inIrq = this.#interrupts.running(cpu);
    const process = inIrq ? this.#cpus + cpu : cpu;
    const buffered = Array.from({ length: words.cpu(cpu, CPU.buffered) }, (_, i): readonly [Cell, number] => [
      words.cpu(cpu, CPU.buffer + 2 * i),
      words.cpu(cpu, CPU.buffer + 2 * i + 1),
    ]);
    return {
      mode: inIrq ? 'interrupt' : words.cpu(cpu, CPU.userMode) !== 0 ? 'user' : 'kernel',
      interruptsOff: words.cpu(cpu, CPU.irqOff) > 0,
      queued: words.cpu(cpu, CPU.queued),
      buffered,
      next: words.running(process) ? this.text.step(process) : undefined,
    };
  }

  /** Was the object at this address given back? */
  isFreed(object: Address): boolean {
    return this.#objects.freed(object);
  }

  /** The interrupt that a CPU takes next, as text. */
  deliveryText(cpu: number): string {
    return `interrupt from CPU ${this.#words.cpu(cpu, CPU.queue + 2)}`;
  }

  // ---- steps ----

  #step(number: number, cpu: number, choice: number): void {
    const kind = this.#words.kind(number);
    const weak = this.#effects.weak;
    if (weak?.spins(number, cpu, choice) === true) {
      weak.spin(number, cpu);
      return;
    }
    this.#races.stepped(number);
    if (kind === OP.irqReturn) {
      this.#irqReturn(cpu);
      return;
    }
    const value = this.#effects.perform(number, cpu, choice);
    this.#lastResult[number] = value;
    if (this.violation !== undefined) return;
    this.#learn(number, kind, value);
    const process = this.#processes[number]!;
    let done: boolean;
    try {
      done = process.resume(number < this.#cpus ? this.#bodies[number]! : this.#irqBody(cpu), value);
    } catch (error) {
      if (error instanceof NotRepeatable) throw error;
      this.violation ??= { oracle: 'assert', message: thrown(error) };
      return;
    }
    this.#paused(number, process, done);
  }

  /** Notes where a process is now. */
  #paused(number: number, process: Process, done: boolean): void {
    const words = this.#words;
    if (!done) {
      words.setQuiet(number, QUIET.pause, process.pause);
      this.#localSteps.announced(number);
      return;
    }
    words.setQuiet(number, QUIET.pause, number < this.#cpus ? Pauses.NONE : Pauses.IRQ_RETURN);
    if (number < this.#cpus) this.state.set(words.processAt(number, PROCESS.running), 0);
  }

  #start(number: number, body: Body): void {
    const words = this.#words;
    words.setQuiet(number, QUIET.logBase, words.quiet(number, QUIET.logLength));
    words.setQuiet(number, QUIET.segmentLength, 0);
    words.setQuiet(number, QUIET.position, 0);
    this.state.set(words.processAt(number, PROCESS.running), 1);
    this.state.set(words.processAt(number, PROCESS.history), 0);
    this.state.set(words.processAt(number, PROCESS.history + 1), 0);
    const process = this.#processes[number]!;
    this.#paused(number, process, process.start(body));
  }

  /** The result of a step becomes part of what the process knows. */
  #learn(number: number, kind: number, value: number): void {
    const at = this.#words.processAt(number, PROCESS.history);
    const words = this.#words;
    if (kind === OP.enterUser && words.arg(number, 1) !== 0) {
      // The system call returns one word, and nothing else of it lives on.
      this.#extend(
        at,
        words.quiet(number, QUIET.savedHistory),
        words.quiet(number, QUIET.savedHistory + 1),
        words.arg(number, 0),
      );
      words.setQuiet(number, QUIET.position, words.quiet(number, QUIET.savedPosition) + SYSCALL);
      return;
    }
    this.#extend(at, this.state.words[at]!, this.state.words[at + 1]!, value);
    words.setQuiet(number, QUIET.position, words.quiet(number, QUIET.position) + 1);
    if (kind !== OP.enterKernel) return;
    words.setQuiet(number, QUIET.savedHistory, this.state.words[at]!);
    words.setQuiet(number, QUIET.savedHistory + 1, this.state.words[at + 1]!);
    words.setQuiet(number, QUIET.savedPosition, words.quiet(number, QUIET.position));
  }

  /** The process's history becomes what it says that it still knows. Its position must follow from that, too. */
  #forget(number: number, progress: number, live: readonly number[]): void {
    const words = this.#words;
    if (this.#footprints.hasKernel) throw new Error('forget is for programs of bare accesses');
    const position = STRETCH * progress;
    if (progress > MAX_PROGRESS || position <= words.quiet(number, QUIET.position))
      throw new Error(
        `forget: progress is ${progress}; it grows, to ${MAX_PROGRESS} at most, and from one call to the next there are less than ${STRETCH} steps and plain loads`,
      );
    words.setQuiet(number, QUIET.position, position);
    const at = words.processAt(number, PROCESS.history);
    this.#extend(at, 0, 0, progress);
    for (const value of live) this.#extend(at, this.state.words[at]!, this.state.words[at + 1]!, value);
  }

  #extend(at: number, low: number, high: number, value: number): void {
    this.state.set(at, chain(low, value + 0x51, 0));
    this.state.set(at + 1, chain(high, value + 0x51, 1));
  }

  // ---- interrupts ----

  #deliver(cpu: number): void {
    this.#effects.weak?.taken(cpu);
    this.#interrupts.take(cpu);
    this.#start(this.#cpus + cpu, this.#irqBody(cpu));
  }

  /** One body per handler and argument, so that a rebuild finds the one that ran. */
  #irqBody(cpu: number): Body {
    const handler = this.#words.cpu(cpu, CPU.inIrq) - 1;
    const argument = this.#words.cpu(cpu, CPU.irqArgument);
    const key = handler * this.#arenaWords + argument;
    let body = this.#irqBodies.get(key);
    if (body === undefined)
      this.#irqBodies.set(key, (body = (port: Cpu) => this.kernel.handlers[handler]!(port, argument)));
    return body;
  }

  #irqReturn(cpu: number): void {
    this.#effects.weak?.returned(cpu);
    this.#interrupts.end(cpu);
    for (let w = 0; w < PROCESS_WORDS; w++) this.state.set(this.#words.processAt(this.#cpus + cpu, w), 0);
    this.#effects.irqReturned(cpu);
    if (!this.#interrupts.inUser(cpu)) return;
    this.mmu.entersUser(cpu);
    this.#oracles.userMode(cpu);
  }

  /** Asks the program's own oracle. */
  #ask(): void {
    if (this.violation !== undefined) return;
    const message = this.#program.invariant?.(this.#now, this.env);
    if (message !== undefined) this.violation = { oracle: 'assert', message };
  }

  #whatIsNow(): Now {
    return {
      peek: (cell) => this.state.words[cell]!,
      inUser: (cpu) => this.#interrupts.inUser(cpu),
      held: (cpu, page) => {
        const found: Entry[] = [];
        this.mmu.leaves(cpu, page, (entry) => found.push(entry));
        return found;
      },
    };
  }

  /** Of identical CPUs: their own words, and those of their processes. */
  #symmetry(groups: readonly (readonly number[])[]): Symmetry | undefined {
    if (groups.length === 0 || this.#weak !== undefined) return undefined;
    if (this.#footprints.hasKernel) throw new Error('identical CPUs are for programs of bare accesses');
    const words = this.#words;
    const wordsOf = (cpu: number): Int32Array =>
      Int32Array.from([
        ...range(words.cpuAt(cpu, 0), CPU_WORDS),
        ...range(words.processAt(cpu, 0), PROCESS_WORDS),
        ...range(words.processAt(this.#cpus + cpu, 0), PROCESS_WORDS),
      ]);
    return new Symmetry(
      this.state,
      groups.map((cpus) => ({ cpus, words: cpus.map(wordsOf) })),
    );
  }

  // ---- setup ----

  #run<T>(cpu: number, body: (cpu: Cpu) => Steps<T>): T {
    this.#bodies[cpu] = body;
    this.#weak?.reset();
    this.#start(cpu, body);
    for (let steps = 0; !this.#threadsDone(); steps++) {
      if (steps === MAX_SETUP_STEPS)
        throw new SetupError(`the setup does not end: after ${steps} steps CPU ${cpu} is at ${this.text.step(cpu)}`);
      // Drains and interrupts first: nothing is left behind when the body returns.
      let actor = 3 * this.#cpus - 1;
      while (actor >= 0 && this.choices(actor) === 0) actor--;
      if (actor < 0) throw new Error(`the setup is stuck: ${this.checkEnd()?.message ?? ''}`);
      this.perform(actor, 0);
      if (this.violation !== undefined)
        throw new SetupError(`the setup violates ${this.violation.oracle}: ${this.violation.message}`);
    }
    this.#bodies[cpu] = undefined;
    return this.#processes[cpu]!.returned as T;
  }

  // ---- what the parts ask for ----

  #violate(oracle: OracleId, message: string): void {
    if (!this.#off.has(oracle)) this.violation ??= { oracle, message };
  }

  /** A store of a CPU has changed a word in memory. */
  #changed(cpu: number, cell: Cell, old: number): void {
    const { words } = this.state;
    if (this.isPageTableEntry(cell)) {
      this.#oracles.entryChanged(cpu, cell);
      this.mmu.refillAll();
      this.#oracles.filled();
    } else if (this.#isTranslation(cell)) {
      this.mmu.refillAll();
      this.#oracles.filled();
    } else if (this.layout.isField('mm', TLB_GEN, cell)) {
      this.#oracles.generationMade(cpu, words[cell - TLB_GEN + PGD]!, words[cell]!);
    } else if (this.layout.isField('mm', COMPLETED, cell)) {
      const mm = cell - COMPLETED;
      this.#oracles.generationCompleted(words[mm + PGD]!, old, words[cell]!, words[mm + TLB_GEN]!);
    } else if (this.layout.isField('page', DATA, cell)) {
      this.#oracles.dataStored(cpu, cell - DATA);
    } else if (cell === this.kernel.initMm + PGD) {
      this.mmu.refillAll();
    }
  }

  #pendingCounters(): void {
    const pool = this.layout.pool('mm');
    for (let i = 0; i < pool.count; i++) {
      const mm = Mm.at(pool.base + i * pool.size);
      const left = this.#objects.live(mm.address) ? this.state.words[mm.tlbFlushPending]! : 0;
      if (left !== 0)
        this.#violate('O16', `${this.layout.name(mm.tlbFlushPending)} is ${left} after all operations are done`);
    }
  }

  #entries(isEntry: (cell: Cell) => boolean): Cell[] {
    const { base, size, count } = this.layout.pool('table');
    return Array.from({ length: size * count }, (_, i) => base + i).filter(isEntry);
  }

  #oracleHost(): OracleHost {
    return {
      cpus: this.#cpus,
      canAccess: (cpu) => this.#interrupts.inUser(cpu),
      load: (cpu, cell) => this.#memory.load(cpu, cell),
      freed: (address) => this.#objects.freed(address),
      nameOf: (address) => this.text.object(address),
      entryName: (entry) => this.text.entry(entry),
      rootNumber: (root) => Math.max(0, this.layout.indexIn('table', root)),
      pageNumber: (page) => this.layout.indexIn('page', page),
      violate: (oracle, message) => this.#violate(oracle, message),
    };
  }

  #weakOptions(options: MachineOptions): WeakOptions {
    const { layout } = this;
    const words = this.#words;
    const objects = this.#objects;
    const { isa } = options.backend;
    const interruptible = this.kernel.backend.handlers.length > 0;
    return {
      cpus: this.#cpus,
      cells: layout.words,
      multiCopyAtomic: isa.multiCopyAtomic,
      exact: options.exact === true,
      translated: options.walks !== undefined,
      live: (cpu) => interruptible || words.running(cpu),
      objectOf: (cell) => objects.around(cell),
      targetOf: (cell, value) => {
        if (!this.#isEntry(cell)) return objects.starts(value) ? value : 0;
        return entryPresent(value) ? objects.around(entryTarget(value)) : 0;
      },
      race: (cell, writer, cpu, write) => {
        const one = writer < 0 ? 'a write' : `a write of CPU ${writer}`;
        this.violation ??= {
          oracle: 'race',
          message: `data race on ${layout.name(cell)}: CPU ${cpu} ${write ? 'writes' : 'reads'} it and does not know of ${one}`,
        };
      },
    };
  }

  #walkerOptions({ backend: { isa } }: MachineOptions): WalkerOptions {
    return {
      cpus: this.#cpus,
      walks: (cpu) => this.mmu.liveRoot(cpu) !== 0 || this.mmu.kernelRoot !== 0,
      isEntry: this.#isEntry,
      cacheable: (entry) => entryPresent(entry) || isa.cachesInvalid !== undefined,
    };
  }

  #processHost(notesSites: boolean): ProcessHost {
    return {
      notesSites,
      plainRead: (process, cell) => {
        this.#effects.touched(process.cpuId, cell);
        this.#races.plain(process.number, cell, false);
        const value = this.#memory.loadPlain(process.cpuId, cell);
        const at = this.#words.processAt(process.number, PROCESS.history);
        this.#extend(at, this.state.words[at]!, this.state.words[at + 1]!, value);
        this.#localSteps.plain(process.number, cell, false);
        this.#words.setQuiet(process.number, QUIET.position, this.#words.quiet(process.number, QUIET.position) + 1);
        return value;
      },
      plainWrite: (process, cell, value) => {
        this.#effects.touched(process.cpuId, cell);
        this.#races.plain(process.number, cell, true);
        this.#memory.storePlain(process.cpuId, cell, value);
        this.#localSteps.plain(process.number, cell, true);
      },
      fences: this.#weak !== undefined,
      claimsOf: (process) => this.#localSteps.noting(process.number, this.#oracles.claimsOf(process.cpuId)),
      forget: (process, progress, live) => this.#forget(process.number, progress, live),
      trace: (process, event, values) => this.onTrace?.(process.cpuId, event, values),
      pauses: this.#pauses,
      logLength: (process) =>
        this.#words.quiet(process.number, QUIET.logLength) - this.#words.quiet(process.number, QUIET.logBase),
      logged: (process, i) => this.#logs[process.number]![this.#words.quiet(process.number, QUIET.logBase) + i]!,
      append: (process, value) => this.#append(process.number, value),
      pauseOf: (process) => this.#words.quiet(process.number, QUIET.pause),
    };
  }

  #append(number: number, value: number): void {
    const length = this.#words.quiet(number, QUIET.logLength);
    let log = this.#logs[number]!;
    if (length >= log.length) {
      const bigger = new Int32Array(log.length * 2);
      bigger.set(log);
      this.#logs[number] = log = bigger;
    }
    log[length] = value;
    this.#words.setQuiet(number, QUIET.logLength, length + 1);
  }
}

/** So many numbers, from one on. */
function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** Names of words. */
function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `[${i}]`);
}

/** What code threw, and where. */
function thrown(error: unknown): string {
  if (!(error instanceof Error)) return `the code throws ${String(error)}`;
  const { site } = placeIn(error.stack ?? '');
  return `the code throws ${error.name}: ${error.message}${site === '' ? '' : ` (${site})`}`;
}
