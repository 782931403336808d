/**
 * Machine: the exploring machine. It runs the kernel code of a few CPUs one step at a time, forward and back.
 *
 *     process    pauses before each port call and announces it (process.ts)
 *     machine    knows which calls can take effect now, performs one, feeds its result to the process
 *     state      all words that this changed, with a journal and a key (state.ts, words.ts)
 *     effects    what each call waits for and does (effects.ts)
 *     memory     loads and stores under SC and TSO (memory.ts), what a store means (stored.ts), races of plain ones (races.ts)
 *     mmu        what TLBs may hold (mmu/), user accesses through it (user-access.ts)
 *     oracles    what must hold (oracles.ts)
 *     view       what diagrams and measurements see of it (machine-view.ts)
 *
 * The interrupt side of a CPU excludes its main code and shares its store buffer (interrupts.ts).
 */
import {
  bootKernel,
  type Cell,
  type Cpu,
  type Entry,
  type Kernel,
  type MemoryModel,
  Mm,
  type OracleId,
  type Steps,
} from '@mmu-gather/core/stepped';
import type { Alike, Explorable, Locality, Numbers, Touch, Violation } from './explorable.ts';
import { Effects } from './effects.ts';
import { Flows } from './flows.ts';
import { deliveryFootprint, drainFootprint, type FootprintHost, stepFootprint } from './footprint.ts';
import { HeldLocks } from './held-locks.ts';
import { Interrupts } from './interrupts.ts';
import { Kinds } from './kinds.ts';
import { DEFAULT_POOLS, Layout } from './layout.ts';
import { LocalSteps } from './local-steps.ts';
import type { MachineOptions } from './machine-options.ts';
import { MachineView } from './machine-view.ts';
import { Memory } from './memory.ts';
import { Mmu } from './mmu/mmu.ts';
import { Objects } from './objects.ts';
import { ARGUMENTS, OP } from './op.ts';
import { type OracleHost, Oracles } from './oracles.ts';
import type { Process } from './process.ts';
import { type Now, type Program, SetupError } from './program.ts';
import { Locks, type Quiet, quietOf } from './quiet.ts';
import { Races } from './races.ts';
import { Pauses } from './script.ts';
import { sectionsOf } from './sections.ts';
import { State } from './state.ts';
import { stored } from './stored.ts';
import { Symmetry } from './symmetry.ts';
import { Text } from './text.ts';
import { UserAccess } from './user-access.ts';
import { AccessFlags } from './weak/access-flags.ts';
import { Invalidations } from './weak/invalidations.ts';
import type { WeakMemory } from './weak/weak-memory.ts';
import { walkCells, type WeakParts, weakParts } from './weak/weak-parts.ts';
import { CPU, PROCESS, Words } from './words.ts';

/** Steps of one call of `run`: far more than any setup takes. One that takes more waits for what does not come, a fault that is not mended for instance. */
const MAX_SETUP_STEPS = 100_000;

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
  /** What can be seen of it. */
  readonly view: MachineView;
  readonly locality: Locality | undefined;
  readonly alike: Alike | undefined;
  /** Steps of main code only go on, and interrupts come to an end. Not so: a handler that calls other CPUs may be called by theirs for ever, and what walks of bare instructions do is numbered by each machine. */
  neverRepeats: boolean;
  violation: Violation | undefined;
  /** Called at each tracepoint of the kernel code, if set. */
  onTrace: ((cpu: number, event: string, values: readonly number[]) => void) | undefined;

  readonly #program: Program<E>;
  readonly #now: Now;
  readonly #quiet: Quiet;
  /** What {@link Program.quiet} returned. */
  readonly #atEnd: ((end: Quiet) => string | undefined) | undefined;
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
  readonly #held: HeldLocks;
  readonly #effects: Effects;
  readonly #oracles: Oracles;
  readonly #footprints: FootprintHost;
  readonly #flows: Flows;
  readonly #arenaWords: number;
  readonly #localSteps: LocalSteps;
  readonly #off: ReadonlySet<OracleId>;
  readonly #kinds: Kinds;
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
    this.neverRepeats = !walking;
    if (walking && !(isWeak && options.exact === true && options.backend.isa.multiCopyAtomic))
      throw new TypeError('walks of bare instructions are followed under weak, multi-copy atomic, and exact only');
    layout.reservePools(options, { ...DEFAULT_POOLS, ...options.pools });
    this.#arenaWords = layout.words;
    const invalidations = walking ? layout.reserve('tlbi', numbered(walkCells(n))) : 0;

    const at = sectionsOf(options, layout, isWeak);
    const state = (this.state = new State(at.end, at.quiet));
    for (const [cell, value] of layout.initial) state.set(cell, value);

    const words = (this.#words = new Words(state, n, at.cpus, at.processes, this.#pauses));
    const objects = (this.#objects = new Objects(words, layout, at.objects));
    const interrupts = (this.#interrupts = new Interrupts(words));
    const held = (this.#held = new HeldLocks(words));
    const kinds = (this.#kinds = new Kinds(options, layout, this.kernel));
    this.text = new Text(
      words,
      layout,
      (cell) => kinds.isEntry(cell),
      (address) => objects.starts(address),
    );
    this.#races = new Races(words, (cell, other, otherWrites, cpu, writes) =>
      this.#race(
        cell,
        `CPU ${other} ${otherWrites ? 'writes' : 'reads'} it plainly while CPU ${cpu} ${writes ? 'writes' : 'reads'} it`,
      ),
    );
    this.mmu = new Mmu(state, layout, options, at.mmu, this.kernel, {
      freed: (address) => objects.freed(address),
      inUser: (cpu) => interrupts.inUser(cpu),
      olderEntries: isWeak ? (cpu, cell, visit) => weak!.memory.walkers?.olderEntries(cpu, cell, visit) : undefined,
      ...(isWeak && { lookUps: (cpu, look, found) => weak!.memory.walkers?.lookUps?.(cpu, look, found) }),
      freedTable: (cpu, table) =>
        this.#violate('O4', `a walk on CPU ${cpu} can read ${this.text.object(table)}, which was freed`),
      foundTwice: (cpu, page) =>
        this.#violate('O14', `CPU ${cpu} finds two entries for page ${page} in its table of translations`),
      twoSizes: (cpu, page, kernel) =>
        this.#violate('O14', `CPU ${cpu} may hold leaves of two sizes for ${kernel ? 'kernel ' : ''}page ${page}`),
    });
    this.#off = new Set(options.oraclesOff);
    this.#oracles = new Oracles(state, this.mmu, this.#oracleHost(), at.oracles, at.sizes, {
      strict: options.strict === true,
      isa: options.backend.isa,
    });
    const weak: WeakParts | undefined = isWeak ? this.#weakParts(options, at.weak, invalidations) : undefined;
    this.#weak = weak?.memory;
    const host = { state, kinds, mmu: this.mmu, oracles: this.#oracles };
    this.#memory = new Memory(words, this.memoryModel === 'tso', weak?.memory, (cpu, cell, old) =>
      stored(host, cpu, cell, old),
    );
    const locks = new Locks(layout.words);
    this.#quiet = quietOf({ words, layout, objects, locks, text: this.text });
    this.#effects = new Effects({
      words,
      memory: this.#memory,
      objects,
      locks,
      held,
      races: this.#races,
      interrupts,
      mmu: this.mmu,
      unorderedBroadcasts: options.backend.isa.unorderedBroadcasts === true,
      user: new UserAccess(state, this.mmu, this.#memory, options.backend.isa, (cpu, page) =>
        this.#oracles.dataStored(cpu, page),
      ),
      walkers: weak?.walkers,
      oracles: this.#oracles,
      text: this.text,
      violate: (oracle, message) => this.#violate(oracle, message),
    });
    this.#accessFlags =
      weak?.walks !== undefined && options.walks?.setsAccessFlags === true
        ? new AccessFlags(state, invalidations + Invalidations.cells(n), kinds.entries, this.#memory, weak.walks)
        : undefined;
    this.#footprints = {
      words,
      tso: this.#memory.tso,
      tlbs: state.words.length,
      hasKernel:
        this.kernel.backend.handlers.length > 0 || layout.pool('page').count > 0 || layout.pool('table').count > 0,
      readersAwaited: () => this.#effects.readersAwaited,
      isWatched: (cell) => kinds.isMapping(cell) || kinds.isWatched(cell),
      isOrdered: (cell) => kinds.isInTables(cell) || kinds.isWatched(cell),
    };
    this.#localSteps = new LocalSteps({
      words,
      objects,
      held,
      memory: this.#memory,
      interrupts,
      strict: options.strict === true,
      inTables: (cell) => kinds.isInTables(cell),
      isWatched: (cell) => kinds.isWatched(cell),
      readersAwaited: () => this.#effects.readersAwaited,
      tellsFences: weak && ((cpu) => weak.memory.known.tellsFences(cpu)),
    });
    const isWatchedWhole = program.invariant !== undefined || (isWeak && options.exact === true);
    this.locality = isWatchedWhole ? undefined : this.#localSteps;
    this.#now = this.#whatIsNow();
    this.alike = this.#symmetry(program.identical ?? []);
    this.#flows = this.#makeFlows(options.noteSites === true);
    this.view = new MachineView({
      cpus: n,
      words,
      flows: this.#flows,
      effects: this.#effects,
      pauses: this.#pauses,
      mmu: this.mmu,
      kinds,
      memory: this.#memory,
      interrupts,
      objects,
      layout,
      text: this.text,
    });

    this.env = program.setup((cpu, body) => this.#run(cpu, body), this.kernel);
    this.#flows.reset();
    this.#weak?.reset();
    this.#atEnd = program.quiet?.(this.#quiet, this.env, this.kernel);
    const threads = program.threads(this.env, this.kernel);
    for (let cpu = 0; cpu < n; cpu++) this.#flows.begin(cpu, threads[cpu]);
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

  get numbers(): Numbers {
    return this.mmu.numbers;
  }

  mark(): number {
    return this.state.mark();
  }

  undo(mark: number): void {
    this.state.undo(mark);
    this.violation = undefined;
  }

  withoutKeys<T>(work: () => T): T {
    this.state.keyed = false;
    try {
      return work();
    } finally {
      this.state.keyed = true;
    }
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
    else if (this.view.processOf(actor) === undefined) this.#flows.deliver(actor - n);
    else {
      if (actor >= n && this.#words.kind(actor) === OP.sendIpi) this.neverRepeats = false;
      this.#flows.step(actor, actor % n, choice);
    }
    this.#weak?.settle();
    if (this.#begun) this.#ask();
  }

  checkEnd(): Violation | undefined {
    if (!this.finished()) {
      const waits = this.#flows.processes
        .filter((p) => this.#words.running(p.number))
        .map((p) => `CPU ${p.cpuId} waits at ${this.text.step(p.number)}`);
      return { oracle: 'deadlock', message: waits.join(', ') };
    }
    this.#oracles.end();
    this.#pendingCounters();
    const message = this.#program.final?.((cell) => this.state.words[cell]!, this.env);
    if (message !== undefined) this.violation ??= { oracle: 'assert', message };
    const unquiet = this.violation === undefined && !this.#off.has('O17') ? this.#atEnd?.(this.#quiet) : undefined;
    if (unquiet !== undefined) this.#violate('O17', unquiet);
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
    else if (this.view.processOf(actor) === undefined) deliveryFootprint(this.#footprints, cpu, touch);
    else stepFootprint(this.#footprints, actor, cpu, touch);
  }

  nextSteps(): string {
    const step = (p: Process): string => {
      if (!this.#words.running(p.number)) return '-';
      const args = Array.from({ length: ARGUMENTS }, (_, i) => this.#words.arg(p.number, i));
      return `${this.#words.kind(p.number)}(${args.join()})`;
    };
    return this.#flows.processes.map(step).join(' ');
  }

  observation(): string {
    const at = (p: Process): number => this.#words.processAt(p.number, PROCESS.history);
    const known = this.#flows.processes.map((p) => `${this.state.words[at(p)]}.${this.state.words[at(p) + 1]}`);
    return `${this.state.words.subarray(0, this.#arenaWords).join()}|${known.join()}`;
  }

  // ---- what observers ask for ----

  /** Lets every process note where its code is at each step (slow), or stop it. */
  noteStacks(on: boolean): void {
    for (const process of this.#flows.processes) {
      process.wantStacks = on;
      process.drop();
    }
  }

  /** Lets code run also where it is known what it does, or stops it: to observe it, and to compare what it does (slow). */
  runCode(always: boolean): void {
    for (const process of this.#flows.processes) {
      process.runsAlways = always;
      process.drop();
    }
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
    return new Symmetry(
      this.state,
      groups.map((cpus) => ({ cpus, words: cpus.map((cpu) => this.#words.own(cpu)) })),
    );
  }

  // ---- setup ----

  #run<T>(cpu: number, body: (cpu: Cpu) => Steps<T>): T {
    this.#weak?.reset();
    this.#flows.begin(cpu, body);
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
    this.#flows.begin(cpu, undefined);
    return this.#flows.processes[cpu]!.returned as T;
  }

  // ---- what the parts ask for ----

  #violate(oracle: OracleId, message: string): void {
    if (!this.#off.has(oracle)) this.violation ??= { oracle, message };
  }

  #race(cell: Cell, who: string): void {
    this.violation ??= { oracle: 'race', message: `data race on ${this.layout.name(cell)}: ${who}` };
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

  #oracleHost(): OracleHost {
    return {
      cpus: this.#cpus,
      canAccess: (cpu) => this.#interrupts.inUser(cpu),
      load: (cpu, cell) => this.#memory.load(cpu, cell),
      freed: (address) => this.#objects.freed(address),
      mayHold: (process, lock, write) => this.#held.mayHold(process, lock, write),
      irqsOff: (cpu) => this.#words.cpu(cpu, CPU.irqOff) > 0 || this.#words.cpu(cpu, CPU.inIrq) !== 0,
      nameOf: (address) => this.text.object(address),
      cellName: (cell) => this.text.cell(cell),
      entryName: (entry) => this.text.entry(entry),
      rootNumber: (root) => Math.max(0, this.layout.indexIn('table', root)),
      pageNumber: (page) => this.layout.indexIn('page', page),
      violate: (oracle, message) => this.#violate(oracle, message),
    };
  }

  #weakParts(options: MachineOptions, base: number, invalidations: number): WeakParts {
    const interruptible = this.kernel.backend.handlers.length > 0;
    return weakParts({
      state: this.state,
      options,
      kinds: this.#kinds,
      base,
      cells: this.layout.words,
      invalidations,
      live: (cpu) => interruptible || this.#words.running(cpu),
      mayLookAt: (cpu, cell, plain) => this.#localSteps.mayLookAt(cpu, cell, plain),
      mayMeetOwn: (cpu, cell) => this.#localSteps.mayMeetOwn(cpu, cell),
      walks: (cpu) => this.mmu.liveRoot(cpu) !== 0 || this.mmu.kernelRoot !== 0,
      around: (cell) => this.#objects.around(cell),
      starts: (address) => this.#objects.starts(address),
      race: (cell, writer, cpu, write) => {
        const one = writer < 0 ? 'a write' : `a write of CPU ${writer}`;
        this.#race(cell, `CPU ${cpu} ${write ? 'writes' : 'reads'} it and does not know of ${one}`);
      },
    });
  }

  #makeFlows(notesSites: boolean): Flows {
    return new Flows({
      kernel: this.kernel,
      words: this.#words,
      pauses: this.#pauses,
      memory: this.#memory,
      races: this.#races,
      interrupts: this.#interrupts,
      effects: this.#effects,
      mmu: this.mmu,
      oracles: this.#oracles,
      localSteps: this.#localSteps,
      arenaWords: this.#arenaWords,
      hasKernel: this.#footprints.hasKernel,
      notesSites,
      isBroken: () => this.violation !== undefined,
      breaks: (violation) => void (this.violation ??= violation),
      trace: (cpu, event, values) => this.onTrace?.(cpu, event, values),
    });
  }
}

/** Names of words. */
function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `[${i}]`);
}
