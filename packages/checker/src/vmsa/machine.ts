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
import type { FenceKind, RmwOperation } from '../bare.ts';
import type { Explorable, Touch, Violation } from '../explorable.ts';
import { chain, State } from '../state.ts';
import { type EntryFields, type Management, walkOf } from './entry.ts';
import { EVENT, IS } from './event.ts';
import { Graph, type LocalSet, NONE, plus } from './graph.ts';
import { Invalidations } from './invalidation.ts';
import { type Dependencies, LocalOrder } from './order.ts';
import { ARG, ARGS, FAULTS, FENCES, FLAG, OPERATIONS, STEP, ThreadPort, type VmsaPort } from './port.ts';

/** Where an address leads. */
export type Place =
  | { readonly entry: number; readonly offset: number }
  | { readonly entry?: undefined; readonly cell: number };

/** What words mean: the program's side of the machine. All are pure. */
export interface Values {
  /** Where an address leads: a virtual one to the cell of its entry and an offset in the page, a physical one to a cell. */
  place(address: number): Place;
  /** The cell of an offset in the page that an entry maps. */
  cell(entry: number, offset: number): number;
  /** What hardware looks at in an entry. */
  fields(entry: number): EntryFields;
  /** An entry with flags set. */
  set(entry: number, accessed: boolean, dirty: boolean): number;
  /** What an atomic stores. */
  combine(operation: RmwOperation, old: number, operand: number): number;
}

/** A program. */
export interface VmsaProgram {
  /** Initial values of all cells, those of entries among them. */
  readonly cells: readonly number[];
  /** The cells that are entries. */
  readonly entries: readonly number[];
  readonly values: Values;
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
}

/** Stores that one cell may see. */
const WRITES = 14;
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

/** How an execution ended, beside `0`: it goes on. */
const DEAD = 1;
const OVER = 2;

/** One way in which an access can go. */
interface Way {
  /** Which value of the entry its walk read: 0 initial, i the i-th store; -1: no walk. */
  readonly walk: number;
  /** Which value of the cell it reads; -1: none. */
  readonly source: number;
  /** What else is open: a failing compare-and-swap stores, sets the dirty state; a store-exclusive fails. */
  readonly variant: number;
}

/** The machine. */
export class VmsaMachine implements Explorable {
  readonly actors: number;
  violation: Violation | undefined;
  /** A thread had more events than there was room for, or a cell more stores: what was found is not all. */
  limited = false;
  readonly #program: VmsaProgram;
  readonly #state: State;
  readonly #graph: Graph;
  readonly #order: LocalOrder;
  readonly #invalidations: Invalidations;
  readonly #n: number;
  readonly #cellBase: number;
  readonly #resultBase: number;
  readonly #threadBase: number;
  readonly #endWord: number;
  readonly #managed: boolean;
  readonly #flows: Flow[];
  readonly #seen = new Set<string>();

  constructor(program: VmsaProgram) {
    this.#program = program;
    const n = (this.#n = program.threads.length);
    this.actors = n + 2;
    this.#managed = program.management.some((by) => by.accessFlag || by.dirty);
    this.#cellBase = 1;
    this.#resultBase = this.#cellBase + program.cells.length * (1 + WRITES);
    this.#threadBase = this.#resultBase + program.results;
    this.#endWord = this.#threadBase + n * THREAD_WORDS;
    const graphBase = this.#endWord + 1;
    const quiet = graphBase + Graph.words(n + 1, program.room);
    this.#state = new State(quiet + n * QUIET_WORDS, quiet);
    this.#graph = new Graph(this.#state, graphBase, n + 1, program.room);
    this.#order = new LocalOrder(this.#graph, program.ets2);
    this.#invalidations = new Invalidations(this.#state, this.#graph, program.ets2, (walk) => this.#newerThan(walk));
    this.#flows = program.threads.map(
      (body, thread) => new Flow(body, (i, value) => this.#noteResult(thread, i, value)),
    );
    for (let thread = 0; thread < n; thread++) {
      this.#setThread(thread, RUNNING, 1);
      this.#flows[thread]!.start();
      this.#paused(thread);
      this.#runOn(thread);
    }
    this.#state.settle();
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
    if (this.#state.words[this.#endWord] !== 0) return 0;
    if (actor < this.#n) return this.#thread(actor, RUNNING) === 0 ? 0 : this.#ways(actor).length;
    if (actor === this.#n) return this.#unaccessed().length;
    return this.#allDone() ? 1 : 0;
  }

  finished(): boolean {
    return this.#state.words[this.#endWord] === OVER;
  }

  perform(actor: number, choice: number): void {
    if (actor > this.#n) {
      this.#state.set(this.#endWord, OVER);
      return;
    }
    if (actor === this.#n) {
      this.#setAccessed(this.#unaccessed()[choice]!);
      return;
    }
    const result = this.#access(actor, this.#ways(actor)[choice]!);
    if (this.#state.words[this.#endWord] !== 0) return;
    this.#feed(actor, result);
    this.#runOn(actor);
  }

  checkEnd(): Violation | undefined {
    return undefined;
  }

  /** What the finished execution leaves: results, then cells; empty if it is none of the machine. */
  observation(): string {
    if (!this.finished()) return '';
    const results = this.#state.words.subarray(this.#resultBase, this.#resultBase + this.#program.results);
    const cells = this.#program.cells.map((_, cell) => this.#valueAt(cell, this.#stores(cell)));
    const text = [...results, ...cells].join();
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
    return this.#quiet(thread, 2 + i);
  }
  #allDone(): boolean {
    for (let thread = 0; thread < this.#n; thread++) if (this.#thread(thread, RUNNING) !== 0) return false;
    return true;
  }
  #noteResult(_thread: number, index: number, value: number): void {
    this.#state.set(this.#resultBase + index, value);
  }

  /** Gives a thread the result of its step, and runs it to the next one. */
  #feed(thread: number, value: number): void {
    const length = this.#quiet(thread, 0);
    const at = this.#threadBase + thread * THREAD_WORDS + HISTORY;
    this.#state.set(at, chain(this.#state.words[at]!, value, 0));
    this.#state.set(at + 1, chain(this.#state.words[at + 1]!, value, 1));
    this.#setQuiet(thread, 0, length + 1);
    this.#setQuiet(thread, 1, this.#quiet(thread, 1) + 1);
    this.#flows[thread]!.feed(length, value);
    this.#paused(thread);
  }

  #paused(thread: number): void {
    const { done, port } = this.#flows[thread]!;
    if (done) this.#setThread(thread, RUNNING, 0);
    for (let i = 0; i < ARGS; i++) this.#setQuiet(thread, 2 + i, done ? 0 : port.args[i]!);
  }

  /** Performs the steps of a thread that nobody else can see happen. */
  #runOn(thread: number): void {
    while (this.#thread(thread, RUNNING) !== 0 && this.#state.words[this.#endWord] === 0) {
      const kind = this.#arg(thread, ARG.kind);
      if (kind === STEP.fence) this.#fence(thread);
      else if (kind === STEP.invalidate) this.#invalidate(thread);
      else if (kind === STEP.giveUp) this.#die();
      else return;
      if (this.#state.words[this.#endWord] === 0) this.#feed(thread, 0);
    }
  }

  #die(): void {
    this.#state.set(this.#endWord, DEAD);
  }

  // ---- events ----

  #event(thread: number, is: number, cell: number, value: number): number {
    const event = this.#graph.add(thread, is, cell, value, this.#quiet(thread, 1) + 1);
    if (event >= 0) return event;
    this.limited = true;
    this.#die();
    return -1;
  }

  /** The loads that slots stand for. */
  #loads(thread: number, slots: number): LocalSet {
    let set = NONE;
    for (let rest = slots; rest !== 0; rest &= rest - 1) {
      const load = this.#thread(thread, SLOT + (31 - Math.clz32(rest & -rest)));
      if (load !== 0) set = plus(set, load - 1);
    }
    return set;
  }

  #dependencies(thread: number): Dependencies {
    return {
      address: this.#loads(thread, this.#arg(thread, ARG.addr)),
      pickAddress: this.#loads(thread, this.#arg(thread, ARG.pickAddr)),
      data: this.#loads(thread, this.#arg(thread, ARG.data)),
      trueData: this.#loads(thread, this.#arg(thread, ARG.trueData)),
      control: this.#loads(thread, this.#arg(thread, ARG.ctrl)),
      earlierAddress: this.#loads(thread, this.#arg(thread, ARG.earlier)),
    };
  }

  #fence(thread: number): void {
    const event = this.#event(thread, FENCE_IS[FENCES[this.#arg(thread, ARG.value)]!]!, -1, 0);
    if (event >= 0) this.#order.place(event, this.#dependencies(thread));
  }

  #invalidate(thread: number): void {
    const flags = this.#arg(thread, ARG.flags);
    let cell = -1;
    if ((flags & FLAG.all) === 0) {
      const place = this.#program.values.place(this.#arg(thread, ARG.address));
      // Nobody goes through the entry that maps a physical place.
      cell = place.entry ?? this.#program.cells.length;
    }
    const event = this.#event(thread, IS.tlbi, cell, (flags & FLAG.broadcast) !== 0 ? 1 : 0);
    if (event >= 0) this.#order.place(event, this.#dependencies(thread));
  }

  // ---- cells ----

  /** Number of stores to a cell. */
  #stores(cell: number): number {
    return this.#state.words[this.#cellBase + cell * (1 + WRITES)]!;
  }
  /** The i-th store to a cell, from 1 on. */
  #store(cell: number, i: number): number {
    return this.#state.words[this.#cellBase + cell * (1 + WRITES) + i]! - 1;
  }
  #valueAt(cell: number, i: number): number {
    return i === 0 ? this.#program.cells[cell]! : this.#graph.get(this.#store(cell, i), EVENT.value);
  }
  /** Which value of its cell a read got. */
  #indexOf(read: number): number {
    const from = this.#graph.get(read, EVENT.from);
    if (from === 0) return 0;
    const cell = this.#graph.get(read, EVENT.cell) - 1;
    let i = this.#stores(cell);
    while (this.#store(cell, i) !== from - 1) i--;
    return i;
  }
  #newerThan(read: number): number[] {
    const cell = this.#graph.get(read, EVENT.cell) - 1;
    const newer: number[] = [];
    for (let i = this.#indexOf(read) + 1; i <= this.#stores(cell); i++) newer.push(this.#store(cell, i));
    return newer;
  }

  /** The oldest value that a load of a thread may read, by its own stores. */
  #floor(thread: number, cell: number): number {
    for (let i = this.#stores(cell); i > 0; i--) {
      const store = this.#store(cell, i);
      if (this.#graph.threadOf(store) === thread && (this.#graph.is(store) & IS.explicit) !== 0) return i;
    }
    return 0;
  }

  /** Adds a read. Returns its event, or -1 if there is no such execution. */
  #read(thread: number, is: number, cell: number, source: number, on: Dependencies, mate: number): number {
    const graph = this.#graph;
    const event = this.#event(thread, is | IS.read, cell, this.#valueAt(cell, source));
    if (event < 0) return -1;
    const from = source === 0 ? -1 : this.#store(cell, source);
    graph.set(event, EVENT.from, from + 1);
    graph.set(event, EVENT.mate, mate + 1);
    this.#order.place(event, on);
    if (!this.#orderRead(event, from)) {
      this.#die();
      return -1;
    }
    return event;
  }

  /** Orders a new read after what it read, and before the stores that it did not see. */
  #orderRead(event: number, from: number): boolean {
    const graph = this.#graph;
    const is = graph.is(event);
    const thread = graph.threadOf(event);
    if (from >= 0) {
      const hardware = ((is | graph.is(from)) & IS.walker) !== 0;
      if ((hardware || graph.threadOf(from) !== thread) && !graph.edge(from, event)) return false;
    }
    const explicit = (is & IS.explicit) !== 0;
    if (!explicit && (is & IS.uncacheable) === 0) return true;
    const earlier = explicit ? this.#sameCellLoads(event) : [];
    for (const store of this.#newerThan(event)) {
      const hardware = (graph.is(store) & IS.walker) !== 0;
      const elsewhere = graph.threadOf(store) !== thread;
      if ((hardware || elsewhere || !explicit) && !graph.edge(event, store)) return false;
      if (elsewhere) for (const load of earlier) if (!graph.edge(load, store)) return false;
    }
    return true;
  }

  /** Earlier loads of the same cell by the same thread: they cannot have read something newer. */
  #sameCellLoads(event: number): number[] {
    const graph = this.#graph;
    const loads: number[] = [];
    for (let other = graph.threadOf(event) * graph.room; other < event; other++) {
      const same = graph.get(other, EVENT.cell) === graph.get(event, EVENT.cell);
      if (same && (graph.is(other) & (IS.read | IS.explicit)) === (IS.read | IS.explicit)) loads.push(other);
    }
    return loads;
  }

  /** Adds a store, behind all others of its cell. Returns its event, or -1 if there is no such execution. */
  #write(thread: number, is: number, cell: number, value: number, on: Dependencies, mate: number): number {
    const graph = this.#graph;
    const event = this.#event(thread, is | IS.write, cell, value);
    if (event < 0) return -1;
    graph.set(event, EVENT.mate, mate + 1);
    this.#order.place(event, on);
    const ok = this.#orderWrite(event, cell);
    const at = this.#cellBase + cell * (1 + WRITES);
    const count = this.#stores(cell);
    if (count >= WRITES) this.limited = true;
    if (!ok || count >= WRITES) {
      this.#die();
      return -1;
    }
    this.#state.set(at, count + 1);
    this.#state.set(at + count + 1, event + 1);
    return event;
  }

  #orderWrite(event: number, cell: number): boolean {
    const graph = this.#graph;
    const thread = graph.threadOf(event);
    const hardware = (graph.is(event) & IS.walker) !== 0;
    for (let i = 1; i <= this.#stores(cell); i++) {
      const store = this.#store(cell, i);
      const either = hardware || (graph.is(store) & IS.walker) !== 0;
      if ((either || graph.threadOf(store) !== thread) && !graph.edge(store, event)) return false;
    }
    let ok = true;
    graph.forEach((read) => {
      const is = graph.is(read);
      if (!ok || read === event || (is & IS.read) === 0 || graph.get(read, EVENT.cell) !== cell + 1) return;
      const elsewhere = graph.threadOf(read) !== thread;
      const before = (is & IS.explicit) !== 0 ? hardware || elsewhere : (is & IS.uncacheable) !== 0;
      if (before && graph.get(event, EVENT.mate) - 1 !== read) ok = graph.edge(read, event);
    });
    return ok;
  }

  // ---- hardware that acts of its own accord ----

  /** Entries that are valid and not accessed now; hardware may set their access flag. */
  #unaccessed(): number[] {
    if (!this.#managed) return [];
    const { entries, values } = this.#program;
    return entries.filter((cell) => {
      const fields = values.fields(this.#valueAt(cell, this.#stores(cell)));
      return fields.valid && !fields.accessed;
    });
  }

  #setAccessed(cell: number): void {
    const now = this.#stores(cell);
    const walk = this.#graph.add(
      this.#n,
      IS.walker | IS.read,
      cell,
      this.#valueAt(cell, now),
      this.#graph.count(this.#n) + 1,
    );
    if (walk < 0) {
      this.limited = true;
      this.#die();
      return;
    }
    const from = now === 0 ? -1 : this.#store(cell, now);
    this.#graph.set(walk, EVENT.from, from + 1);
    if (from >= 0 && !this.#graph.edge(from, walk)) {
      this.#die();
      return;
    }
    const value = this.#program.values.set(this.#valueAt(cell, now), true, false);
    const event = this.#graph.add(this.#n, IS.walker | IS.write, cell, value, this.#graph.count(this.#n));
    if (event < 0 || now >= WRITES) {
      this.limited = true;
      this.#die();
      return;
    }
    this.#graph.set(event, EVENT.mate, walk + 1);
    if (!this.#graph.edge(walk, event) || !this.#orderWrite(event, cell)) {
      this.#die();
      return;
    }
    const at = this.#cellBase + cell * (1 + WRITES);
    this.#state.set(at, now + 1);
    this.#state.set(at + now + 1, event + 1);
  }

  // ---- accesses ----

  /** In which ways a thread's access can go now. */
  #ways(thread: number): Way[] {
    const kind = this.#arg(thread, ARG.kind);
    if (kind === STEP.choose)
      return Array.from({ length: this.#arg(thread, ARG.value) }, (_, variant) => ({ walk: -1, source: -1, variant }));
    const place = this.#program.values.place(this.#arg(thread, ARG.address));
    if (place.entry === undefined) return this.#sources(thread, kind, place.cell, -1, false);
    const ways: Way[] = [];
    const newest = this.#stores(place.entry);
    for (let walk = 0; walk <= newest; walk++) {
      const entry = this.#valueAt(place.entry, walk);
      const result = walkOf(
        this.#program.values.fields(entry),
        kind !== STEP.load && kind !== STEP.loadExclusive,
        true,
        this.#by(thread),
      );
      if (result.fault !== undefined) ways.push({ walk, source: -1, variant: 0 });
      else {
        // Hardware updates what memory holds.
        const updates = result.setAccessed || result.setDirty;
        if (updates && walk !== newest) continue;
        const cell = this.#program.values.cell(entry, place.offset);
        ways.push(...this.#sources(thread, kind, cell, walk, result.setDirty));
      }
    }
    return ways;
  }

  #by(thread: number): Management {
    const by = this.#program.management[thread]!;
    return (this.#arg(thread, ARG.flags) & FLAG.privileged) !== 0 ? { ...by, el0: false } : by;
  }

  /** @param dirties the walk would set the dirty state */
  #sources(thread: number, kind: number, cell: number, walk: number, dirties: boolean): Way[] {
    const newest = this.#stores(cell);
    const ways: Way[] = [];
    const stale = (variant: number, when: (value: number) => boolean): void => {
      for (let source = this.#floor(thread, cell); source <= newest; source++)
        if (when(this.#valueAt(cell, source))) ways.push({ walk, source, variant });
    };
    switch (kind) {
      case STEP.load:
      case STEP.loadExclusive:
        stale(0, () => true);
        return ways;
      case STEP.store:
        return [{ walk, source: -1, variant: 0 }];
      case STEP.rmw:
        return [{ walk, source: newest, variant: 0 }];
      case STEP.compareAndSwap: {
        const old = this.#arg(thread, ARG.other);
        // It fails: without a store, with one of what it read, and without setting the dirty state.
        stale(0, (value) => value !== old);
        if (dirties) stale(2, (value) => value !== old);
        ways.push({ walk, source: newest, variant: 1 });
        return ways;
      }
      case STEP.storeExclusive: {
        const reserved = this.#thread(thread, RESERVED) - 1;
        ways.push({ walk, source: -1, variant: 1 });
        if (reserved < 0 || this.#graph.get(reserved, EVENT.cell) !== cell + 1) return ways;
        if (this.#indexOf(reserved) === newest) ways.push({ walk, source: newest, variant: 0 });
        return ways;
      }
      default:
        throw new Error(`step ${kind} is no access`);
    }
  }

  /** Performs an access. Returns its result. */
  #access(thread: number, way: Way): number {
    const kind = this.#arg(thread, ARG.kind);
    if (kind === STEP.choose) return way.variant;
    const { values } = this.#program;
    const on = this.#dependencies(thread);
    const place = values.place(this.#arg(thread, ARG.address));
    if (place.entry === undefined) return this.#perform(thread, kind, place.cell, way, on, -1, 0);
    const entry = this.#valueAt(place.entry, way.walk);
    const store = kind !== STEP.load && kind !== STEP.loadExclusive;
    const result = walkOf(values.fields(entry), store, way.variant !== 2, this.#by(thread));
    const uncacheable = result.fault === 'Translation' || result.fault === 'AccessFlag' ? IS.uncacheable : 0;
    const walk = this.#read(thread, IS.walker | uncacheable, place.entry, way.walk, on, -1);
    if (walk < 0) return 0;
    if (result.fault !== undefined) return this.#fault(thread, walk, uncacheable, on, FAULTS[result.fault]);
    if (result.setAccessed || result.setDirty) {
      const updated = values.set(entry, true, result.setDirty);
      if (this.#write(thread, IS.walker, place.entry, updated, on, walk) < 0) return 0;
    }
    return this.#perform(thread, kind, values.cell(entry, place.offset), way, on, walk, place.offset);
  }

  /** The fault, and the exception entry where there is a handler: what orders the one does not order what follows the other. */
  #fault(thread: number, walk: number, uncacheable: number, on: Dependencies, result: number): number {
    const entry = this.#program.handlers[thread] === true ? [IS.synchronizes] : [];
    for (const is of [IS.fault | uncacheable, ...entry]) {
      const event = this.#event(thread, is, -1, result);
      if (event < 0) return 0;
      this.#graph.set(event, EVENT.mate, walk + 1);
      this.#order.place(event, on);
    }
    return result;
  }

  /** The access itself, to a cell. */
  #perform(
    thread: number,
    kind: number,
    cell: number,
    way: Way,
    on: Dependencies,
    walk: number,
    offset: number,
  ): number {
    const flags = this.#arg(thread, ARG.flags);
    const store = (value: number, more: number, mate: number): number => {
      const is = IS.explicit | ((flags & FLAG.release) !== 0 ? IS.release : 0) | more;
      const event = this.#write(thread, is, cell, value, on, mate);
      if (event >= 0) this.#graph.set(event, EVENT.offset, offset);
      return event;
    };
    if (kind === STEP.store) {
      store(this.#arg(thread, ARG.value), 0, walk);
      return 0;
    }
    if (kind === STEP.storeExclusive) {
      const reserved = this.#thread(thread, RESERVED) - 1;
      this.#setThread(thread, RESERVED, 0);
      if (way.variant === 0) store(this.#arg(thread, ARG.value), 0, reserved);
      return way.variant;
    }
    const load = this.#load(thread, cell, way, on, walk, offset, flags);
    if (load < 0) return 0;
    const value = this.#graph.get(load, EVENT.value);
    const stored = this.#stored(thread, kind, value, way);
    const both = (flags & FLAG.release) !== 0 && (flags & (FLAG.acquire | FLAG.noReturn)) === FLAG.acquire;
    if (kind === STEP.loadExclusive) {
      this.#setThread(thread, RESERVED, load + 1);
    } else if (stored !== undefined) store(stored, both ? IS.acquireRelease : 0, load);
    return value;
  }

  /** What an atomic stores, if it does. */
  #stored(thread: number, kind: number, read: number, way: Way): number | undefined {
    const value = this.#arg(thread, ARG.value);
    const other = this.#arg(thread, ARG.other);
    if (kind === STEP.rmw) return this.#program.values.combine(OPERATIONS[other]!, read, value);
    if (kind !== STEP.compareAndSwap || way.variant !== 1) return undefined;
    return read === other ? value : read;
  }

  #load(thread: number, cell: number, way: Way, on: Dependencies, walk: number, offset: number, flags: number): number {
    const noReturn = (flags & FLAG.noReturn) !== 0;
    const acquire = noReturn
      ? IS.noReturn
      : ((flags & FLAG.acquire) !== 0 ? IS.acquire : 0) | ((flags & FLAG.acquirePc) !== 0 ? IS.acquirePc : 0);
    const event = this.#read(thread, IS.explicit | acquire, cell, way.source, on, walk);
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

/** One thread: a generator that is made anew from what it was fed. */
class Flow {
  readonly port: ThreadPort;
  done = false;
  readonly #body: (port: VmsaPort) => Steps<void>;
  #steps: Steps<void> | undefined;
  #position = 0;
  #feeding = false;
  readonly #log: number[] = [];

  constructor(body: (port: VmsaPort) => Steps<void>, note: (index: number, value: number) => void) {
    this.#body = body;
    this.port = new ThreadPort((index, value) => {
      if (!this.#feeding) note(index, value);
    });
  }

  start(): void {
    this.#steps = this.#body(this.port);
    this.#position = 0;
    this.done = this.#steps.next().done === true;
  }

  /** Feeds a value to the thread as it was after `length` values, whatever it was fed since. */
  feed(length: number, value: number): void {
    if (this.#steps === undefined || this.#position !== length) this.#rebuild(length);
    this.#log[length] = value;
    this.#position = length + 1;
    this.port.fed = value;
    this.done = this.#steps!.next().done === true;
  }

  #rebuild(length: number): void {
    this.#feeding = true;
    this.start();
    for (let i = 0; i < length; i++) {
      this.port.fed = this.#log[i]!;
      this.done = this.#steps!.next().done === true;
    }
    this.#position = length;
    this.#feeding = false;
  }
}
