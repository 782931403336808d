/**
 * VmsaMachine: programs of bare instructions whose accesses are translated, under the memory model of the Arm architecture.
 *
 *     access     walk: any value that the entry had, if it is valid and accessed (a TLB may still hold it); else memory's newest
 *                that is not ordered away; then the access itself, to the place that the walk led to
 *     store      takes effect in memory at its step, behind all earlier stores of its cell
 *     load       of any value that the order of events (graph.ts) leaves it
 *     hardware   may set access flags of its own accord, in entries that are valid
 *     TLBI       is ordered with the walks that it covers when all is over (invalidation.ts)
 *
 * A thread runs in program order, so no store takes effect before an earlier access of its own thread: behaviours of the shapes LB, S and
 * 2+2W that need it are not among those of this machine. Everything else is as in aarch64.cat of herdtools7.
 *
 * The state is the execution so far as a set of events, without the order in which they were added: interleavings that differ in
 * the order of independent steps meet in one state.
 */
import type { Steps } from '@mmu-gather/core/stepped';
import type { FenceKind } from '../bare.ts';
import type { Explorable, Touch, Violation } from '../explorable.ts';
import { chain, State } from '../state.ts';
import { type Management, walkOf } from './entry.ts';
import { EVENT, IS } from './event.ts';
import { Flow } from './flow.ts';
import { Graph, type LocalSet, NONE, plus } from './graph.ts';
import { Histories, type Refusal } from './histories.ts';
import { Invalidations } from './invalidation.ts';
import { type Dependencies, INDEPENDENT, LocalOrder } from './order.ts';
import { ARG, ARGS, FAULTS, FENCES, FLAG, OPERATIONS, STEP, type VmsaPort } from './port.ts';
import type { Without } from './rules.ts';
import type { Values } from './values.ts';
import { type Announced, stores, VARIANT, type Way, waysOf } from './ways.ts';

/** A program. */
export interface VmsaProgram {
  /** Initial values of all cells, those of entries among them. */
  readonly cells: readonly number[];
  /** The cells that are entries. */
  readonly entries: readonly number[];
  /** What words mean. */
  readonly values: Values;
  /** The code of each thread. */
  readonly threads: readonly ((port: VmsaPort) => Steps<void>)[];
  /** Number of result words. */
  readonly results: number;
  /** What the CPU of each thread does by hardware. */
  readonly management: readonly Management[];
  /** Threads that have a fault handler: a fault is an exception entry there, and not their end. */
  readonly handlers: readonly boolean[];
  /** FEAT_ETS2: walks that fault come after all earlier accesses, and DSBs hold back walks. */
  readonly ets2: boolean;
  /** Events that each thread may have. */
  readonly room: number;
  /** Rules to leave out, for tests of what each is for. */
  readonly without?: Without;
}

/** Slots of loads. */
const SLOTS = 31;
/** Words of each thread that belong to the key: running, history (2), exclusive reservation, slots. */
const THREAD_WORDS = 4 + SLOTS;
const RUNNING = 0;
const HISTORY = 1;
const RESERVED = 3;
const SLOT = 4;
/** Words of each thread that do not: log length, instruction, pending step. */
const QUIET_WORDS = 2 + ARGS;
const LOGGED = 0;
const INSTRUCTION = 1;
const PENDING = 2;

/** How an execution ended, beside `0`: it goes on. */
const DEAD = 1;
const OVER = 2;

/** The machine. Its actors: the threads, hardware that acts of its own accord, and the end. */
export class VmsaMachine implements Explorable {
  readonly actors: number;
  violation: Violation | undefined;
  /** A thread had more events than there was room for, or a cell more stores: what was found is not all. */
  limited = false;
  readonly #program: VmsaProgram;
  readonly #state: State;
  readonly #graph: Graph;
  readonly #order: LocalOrder;
  readonly #histories: Histories;
  readonly #invalidations: Invalidations;
  readonly #n: number;
  readonly #resultBase: number;
  readonly #threadBase: number;
  readonly #endWord: number;
  readonly #managed: boolean;
  readonly #flows: Flow[];
  readonly #seen = new Set<string>();

  constructor(program: VmsaProgram) {
    const { cells, results, room, ets2, without = new Set() } = program;
    this.#program = program;
    const n = (this.#n = program.threads.length);
    this.actors = n + 2;
    this.#managed = program.management.some((by) => by.accessFlag || by.dirty);
    this.#resultBase = 1 + Histories.words(cells.length);
    this.#threadBase = this.#resultBase + results;
    this.#endWord = this.#threadBase + n * THREAD_WORDS;
    const graphBase = this.#endWord + 1;
    const quiet = graphBase + Graph.words(n + 1, room);
    const state = (this.#state = new State(quiet + n * QUIET_WORDS, quiet));
    const graph = (this.#graph = new Graph(state, graphBase, n + 1, room));
    this.#order = new LocalOrder(graph, ets2, without);
    const histories = (this.#histories = new Histories(state, 1, cells, graph, this.#order, without));
    this.#invalidations = new Invalidations(state, graph, histories, ets2, without);
    this.#flows = program.threads.map((body) => new Flow(body, (i, value) => state.set(this.#resultBase + i, value)));
    for (let thread = 0; thread < n; thread++) {
      this.#setThread(thread, RUNNING, 1);
      this.#flows[thread]!.start();
      this.#paused(thread);
      this.#runOn(thread);
    }
    state.settle();
  }

  // ---- Explorable ----

  get keyLow(): number {
    return this.#state.keyLow;
  }
  get keyHigh(): number {
    return this.#state.keyHigh;
  }
  mark(): number {
    return this.#state.mark();
  }
  undo(mark: number): void {
    this.#state.undo(mark);
  }

  choices(actor: number): number {
    if (this.#ended) return 0;
    if (actor < this.#n) return this.#thread(actor, RUNNING) === 0 ? 0 : this.#ways(actor).length;
    if (actor === this.#n) return this.#unaccessed().length;
    return this.#flows.every((_, thread) => this.#thread(thread, RUNNING) === 0) ? 1 : 0;
  }

  finished(): boolean {
    return this.#state.words[this.#endWord] === OVER;
  }

  perform(actor: number, choice: number): void {
    if (actor > this.#n) this.#state.set(this.#endWord, OVER);
    else if (actor === this.#n) this.#setAccessed(this.#unaccessed()[choice]!);
    else {
      const result = this.#access(actor, this.#ways(actor)[choice]!);
      if (this.#ended) return;
      this.#feed(actor, result);
      this.#runOn(actor);
    }
  }

  checkEnd(): Violation | undefined {
    return undefined;
  }

  /** What the finished execution leaves: results, then cells; empty if it is none of the machine. */
  observation(): string {
    if (!this.finished()) return '';
    const results = this.#state.words.subarray(this.#resultBase, this.#resultBase + this.#program.results);
    const text = [...results, ...this.#program.cells.map((_, cell) => this.#histories.inMemory(cell))].join();
    // Another execution with the same end was one of the machine.
    if (this.#seen.has(text)) return text;
    if (!this.#invalidations.possible()) return '';
    this.#seen.add(text);
    return text;
  }

  footprint(_actor: number, touch: Touch): void {
    touch(0, 'write');
  }

  nextSteps(): string {
    const step = (thread: number): string => Array.from({ length: ARGS }, (_, i) => this.#arg(thread, i)).join();
    return this.#flows.map((_, thread) => step(thread)).join(' ');
  }

  // ---- threads ----

  get #ended(): boolean {
    return this.#state.words[this.#endWord] !== 0;
  }
  #thread(thread: number, word: number): number {
    return this.#state.words[this.#threadBase + thread * THREAD_WORDS + word]!;
  }
  #setThread(thread: number, word: number, value: number): void {
    this.#state.set(this.#threadBase + thread * THREAD_WORDS + word, value);
  }
  #quiet(thread: number, word: number): number {
    return this.#state.words[this.#state.quiet + thread * QUIET_WORDS + word]!;
  }
  #setQuiet(thread: number, word: number, value: number): void {
    this.#state.set(this.#state.quiet + thread * QUIET_WORDS + word, value);
  }
  #arg(thread: number, i: number): number {
    return this.#quiet(thread, PENDING + i);
  }
  /** Number of the instruction that a thread is at. */
  #instruction(thread: number): number {
    return this.#quiet(thread, INSTRUCTION) + 1;
  }

  /** Gives a thread the result of its step, and runs it to the next one. */
  #feed(thread: number, value: number): void {
    const length = this.#quiet(thread, LOGGED);
    const at = this.#threadBase + thread * THREAD_WORDS + HISTORY;
    this.#state.set(at, chain(this.#state.words[at]!, value, 0));
    this.#state.set(at + 1, chain(this.#state.words[at + 1]!, value, 1));
    this.#setQuiet(thread, LOGGED, length + 1);
    this.#setQuiet(thread, INSTRUCTION, this.#instruction(thread));
    this.#flows[thread]!.feed(length, value);
    this.#paused(thread);
  }

  #paused(thread: number): void {
    const { done, port } = this.#flows[thread]!;
    if (done) this.#setThread(thread, RUNNING, 0);
    for (let i = 0; i < ARGS; i++) this.#setQuiet(thread, PENDING + i, done ? 0 : port.args[i]!);
  }

  /** Performs the steps of a thread that nobody else can see happen. */
  #runOn(thread: number): void {
    while (this.#thread(thread, RUNNING) !== 0 && !this.#ended) {
      const kind = this.#arg(thread, ARG.kind);
      if (kind === STEP.fence) this.#add(thread, FENCE_IS[FENCES[this.#arg(thread, ARG.value)]!]!, -1, 0);
      else if (kind === STEP.invalidate) this.#invalidate(thread);
      else if (kind === STEP.giveUp) this.#die();
      else return;
      if (!this.#ended) this.#feed(thread, 0);
    }
  }

  #die(): void {
    this.#state.set(this.#endWord, DEAD);
  }

  // ---- events ----

  /** The event, or -1 and the end of this execution. */
  #or(event: number | Refusal): number {
    if (typeof event === 'number') return event;
    if (event === 'full') this.limited = true;
    this.#die();
    return -1;
  }

  /** Adds an event that is no access. */
  #add(thread: number, is: number, cell: number, value: number, mate = -1): void {
    const added = this.#graph.add(thread, is, cell, value, this.#instruction(thread));
    const event = this.#or(added < 0 ? 'full' : added);
    if (event < 0) return;
    this.#graph.set(event, EVENT.mate, mate + 1);
    this.#order.place(event, this.#dependencies(thread));
  }

  #invalidate(thread: number): void {
    const flags = this.#arg(thread, ARG.flags);
    let cell = -1;
    if ((flags & FLAG.all) === 0) {
      const place = this.#program.values.place(this.#arg(thread, ARG.address));
      // Nobody goes through the entry that maps a physical place.
      cell = place.entry ?? this.#program.cells.length;
    }
    this.#add(thread, IS.tlbi, cell, (flags & FLAG.broadcast) !== 0 ? 1 : 0);
  }

  /** The loads that slots stand for. */
  #loads(thread: number, arg: number): LocalSet {
    let set = NONE;
    for (let rest = this.#arg(thread, arg); rest !== 0; rest &= rest - 1) {
      const load = this.#thread(thread, SLOT + (31 - Math.clz32(rest & -rest)));
      if (load !== 0) set = plus(set, load - 1);
    }
    return set;
  }

  #dependencies(thread: number): Dependencies {
    return {
      address: this.#loads(thread, ARG.addr),
      pickAddress: this.#loads(thread, ARG.pickAddr),
      data: this.#loads(thread, ARG.data),
      trueData: this.#loads(thread, ARG.trueData),
      control: this.#loads(thread, ARG.ctrl),
      earlierAddress: this.#loads(thread, ARG.earlier),
    };
  }

  // ---- hardware that acts of its own accord ----

  /** Entries that are valid and not accessed now; hardware may set their access flag. */
  #unaccessed(): number[] {
    if (!this.#managed) return [];
    const { entries, values } = this.#program;
    return entries.filter((cell) => {
      const fields = values.fields(this.#histories.inMemory(cell));
      return fields.valid && !fields.accessed;
    });
  }

  #setAccessed(cell: number): void {
    const hardware = this.#n;
    const instruction = this.#graph.count(hardware) + 1;
    const histories = this.#histories;
    const walk = this.#or(
      histories.read(hardware, IS.walker, cell, histories.newest(cell), instruction, INDEPENDENT, -1),
    );
    if (walk < 0) return;
    const value = this.#program.values.set(histories.inMemory(cell), true, false);
    this.#or(histories.write(hardware, IS.walker, cell, value, instruction, INDEPENDENT, walk));
  }

  // ---- accesses ----

  #announced(thread: number): Announced {
    const kind = this.#arg(thread, ARG.kind);
    const by = this.#program.management[thread]!;
    const privileged = (this.#arg(thread, ARG.flags) & FLAG.privileged) !== 0;
    return {
      thread,
      kind,
      address: this.#arg(thread, ARG.address),
      operand: this.#arg(thread, kind === STEP.choose ? ARG.value : ARG.other),
      by: privileged ? { ...by, el0: false } : by,
      reserved: this.#thread(thread, RESERVED) - 1,
    };
  }

  #ways(thread: number): Way[] {
    return waysOf(this.#announced(thread), this.#program.values, this.#histories, this.#graph);
  }

  /** Performs an access. Returns its result. */
  #access(thread: number, way: Way): number {
    const { kind, address, by } = this.#announced(thread);
    if (kind === STEP.choose) return way.variant;
    const { values } = this.#program;
    const place = values.place(address);
    if (place.entry === undefined)
      return by.el0 ? this.#fault(thread, -1, 0, FAULTS.Permission) : this.#perform(thread, place.cell, way, -1, 0);
    const entry = this.#histories.value(place.entry, way.walk);
    const result = walkOf(values.fields(entry), stores(kind), way.variant !== VARIANT.clean, by);
    const uncacheable = result.fault === 'Translation' || result.fault === 'AccessFlag' ? IS.uncacheable : 0;
    const walk = this.#read(thread, IS.walker | uncacheable, place.entry, way.walk, -1);
    if (walk < 0) return 0;
    if (result.fault !== undefined) return this.#fault(thread, walk, uncacheable, FAULTS[result.fault]);
    if (result.setAccessed || result.setDirty) {
      const updated = values.set(entry, true, result.setDirty);
      if (this.#write(thread, IS.walker, place.entry, updated, walk) < 0) return 0;
    }
    return this.#perform(thread, values.cell(entry, place.offset), way, walk, place.offset);
  }

  #read(thread: number, is: number, cell: number, source: number, mate: number): number {
    const on = this.#dependencies(thread);
    return this.#or(this.#histories.read(thread, is, cell, source, this.#instruction(thread), on, mate));
  }

  #write(thread: number, is: number, cell: number, value: number, mate: number): number {
    const on = this.#dependencies(thread);
    return this.#or(this.#histories.write(thread, is, cell, value, this.#instruction(thread), on, mate));
  }

  /** The fault, and the exception entry where there is a handler: what orders the one does not order what follows the other. */
  #fault(thread: number, walk: number, uncacheable: number, result: number): number {
    this.#add(thread, IS.fault | uncacheable, -1, result, walk);
    if (!this.#ended && this.#program.handlers[thread] === true) this.#add(thread, IS.synchronizes, -1, result, walk);
    return result;
  }

  /** The access itself, to a cell. Returns its result. */
  #perform(thread: number, cell: number, way: Way, walk: number, offset: number): number {
    const kind = this.#arg(thread, ARG.kind);
    const flags = this.#arg(thread, ARG.flags);
    const release = (flags & FLAG.release) !== 0 ? IS.release : 0;
    const store = (value: number, is: number, mate: number): void => {
      const event = this.#write(thread, IS.explicit | release | is, cell, value, mate);
      if (event >= 0) this.#graph.set(event, EVENT.offset, offset);
    };
    if (kind === STEP.store) {
      store(this.#arg(thread, ARG.value), 0, walk);
      return 0;
    }
    if (kind === STEP.storeExclusive) {
      const reserved = this.#thread(thread, RESERVED) - 1;
      this.#setThread(thread, RESERVED, 0);
      if (way.variant === VARIANT.usual) store(this.#arg(thread, ARG.value), 0, reserved);
      return way.variant;
    }
    const load = this.#load(thread, cell, way, walk, offset, flags);
    if (load < 0) return 0;
    if (kind === STEP.loadExclusive) this.#setThread(thread, RESERVED, load + 1);
    const value = this.#graph.get(load, EVENT.value);
    const stored = this.#stored(thread, kind, value, way);
    const both = release !== 0 && (flags & (FLAG.acquire | FLAG.noReturn)) === FLAG.acquire;
    if (stored !== undefined) store(stored, both ? IS.acquireRelease : 0, load);
    return value;
  }

  /** What an atomic stores, if it does. */
  #stored(thread: number, kind: number, read: number, way: Way): number | undefined {
    const value = this.#arg(thread, ARG.value);
    const other = this.#arg(thread, ARG.other);
    if (kind === STEP.rmw) return this.#program.values.combine(OPERATIONS[other]!, read, value);
    if (kind !== STEP.compareAndSwap || way.variant !== VARIANT.other) return undefined;
    return read === other ? value : read;
  }

  #load(thread: number, cell: number, way: Way, walk: number, offset: number, flags: number): number {
    const order =
      (flags & FLAG.noReturn) !== 0
        ? IS.noReturn
        : ((flags & FLAG.acquire) !== 0 ? IS.acquire : 0) | ((flags & FLAG.acquirePc) !== 0 ? IS.acquirePc : 0);
    const event = this.#read(thread, IS.explicit | order, cell, way.source, walk);
    if (event < 0) return -1;
    this.#graph.set(event, EVENT.offset, offset);
    const slot = this.#arg(thread, ARG.slot);
    if (slot >= 0) this.#setThread(thread, SLOT + slot, event - thread * this.#graph.room + 1);
    return event;
  }
}

const FENCE_IS: Readonly<Partial<Record<FenceKind | 'eret', number>>> = {
  'dmb sy': IS.dmbFull,
  'dmb ld': IS.dmbLoad,
  'dmb st': IS.dmbStore,
  'dsb sy': IS.dsbFull,
  'dsb ld': IS.dsbLoad,
  'dsb st': IS.dsbStore,
  isb: IS.synchronizes,
  eret: IS.synchronizes,
};
