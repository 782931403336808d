/**
 * Knowledge: what each CPU knows of messages, and what fences and acquires do to it. As in Promising-ARM (Pulte et al., PLDI 2019),
 * with views instead of times, for time would keep states apart in which unrelated stores took effect in another order.
 *
 *     coherence     it has read or written this message of the cell: it reads no older one
 *     loads         known to all later loads                     moved up by acquires and fences
 *     stores        carried by all later stores                  likewise
 *     loaded        stands before its loads so far               what a fence behind loads moves up
 *     stored        its stores so far and what they carry        what a fence behind stores moves up
 *     addresses     the addresses of its accesses so far         carried by later stores; isb moves it up to loads
 *     released      its last release                             known to its next acquire (LDAR, locks)
 *
 * And maps to views: `slots` of loads (bare.ts), `forward` of cells, two for each (what a load of the CPU's own store comes after, and what one that acquires does), `objects` that
 * pointers were read to, `reread` of cells (what a store comes after that follows a load or a walk of the same cell, where coherence does
 * not say so), `passed` of offsets in a page (walks that accesses there went through).
 */
import type { Cell } from '@mmu-gather/core/stepped';
import type { State } from '../state.ts';
import { QUEUE } from '../words.ts';
import type { Lists } from './lists.ts';
import { EMPTY_VIEW, type View, type Views } from './views.ts';

/** Views of each CPU. */
export const KNOWN = {
  coherence: 0,
  loads: 1,
  stores: 2,
  loaded: 3,
  stored: 4,
  addresses: 5,
  released: 6,
  /** Stands before the load that has reserved a cell, and so before the store that uses it. */
  reserved: 7,
  /** What handlers that it sent elsewhere knew when they returned. */
  returned: 8,
  /** What RCU readers that it waits for knew when they left. */
  readers: 9,
  /** Page-table entries that its walker knows beyond what its loads do. */
  walks: 10,
  /** Page-table entries that its broadcasts, not waited for yet, will tell all walkers of. */
  broadcast: 11,
  /** Stands before its barriers to come: what earlier DSBs and ISBs hold back. Translated programs only, as the next one. */
  barriers: 12,
  /** Its walks so far, and its updates of entries: what a DSB waits for beside accesses. */
  walked: 13,
  /** What calls in its queue bring along. */
  queue: 14,
} as const;
const VIEWS: number = KNOWN.queue + QUEUE;

/** Maps of each CPU, to views. */
export const MAPS: Readonly<Record<'slots' | 'forward' | 'objects' | 'reread' | 'passed', number>> = {
  slots: VIEWS,
  forward: VIEWS + 1,
  objects: VIEWS + 2,
  reread: VIEWS + 3,
  passed: VIEWS + 4,
} as const;
const MAPS_END: number = MAPS.passed + 1;

/** The cell that a load has reserved, and the number of its message, plus one; 0 if it is lost. */
export const RESERVED: Readonly<Record<'cell' | 'message', number>> = {
  cell: MAPS_END,
  message: MAPS_END + 1,
} as const;

/** Words of each CPU. */
const CPU_WORDS: number = RESERVED.message + 1;

/** Messages that an entry of a translated program may have. */
export const MESSAGES = 64;

/** Views of nobody. */
const SHARED = {
  /** What full fences knew. */
  fences: 0,
  /** What stood before grace periods. */
  grace: 1,
} as const;
/** A map of nobody, of views plus one: what each CPU's walks through each message of an entry came after. */
const THROUGH = 2;
const SHARED_WORDS = 3;

/** What the CPUs of one machine know. */
export class Knowledge {
  readonly #state: State;
  readonly #views: Views;
  readonly #base: number;
  readonly #cpus: number;
  readonly #fencesAgree: boolean;
  readonly #translated: boolean;

  /** Words that so many CPUs need. */
  static words(cpus: number): number {
    return SHARED_WORDS + cpus * CPU_WORDS;
  }

  /**
   * @param fencesAgree a full fence knows what all full fences before it knew; without it, from-reads see to that
   * @param translated accesses walk: what barriers do to walks is to be kept
   */
  constructor(state: State, views: Views, base: number, cpus: number, fencesAgree: boolean, translated: boolean) {
    this.#state = state;
    this.#views = views;
    this.#base = base;
    this.#cpus = cpus;
    this.#fencesAgree = fencesAgree;
    this.#translated = translated;
  }

  /** A word of a CPU. */
  get(cpu: number, word: number): number {
    return this.#state.words[this.#base + SHARED_WORDS + cpu * CPU_WORDS + word]!;
  }

  /** Changes a word of a CPU. */
  set(cpu: number, word: number, value: number): void {
    const at = this.#base + SHARED_WORDS + cpu * CPU_WORDS + word;
    if (this.#state.words[at] === value) return;
    if (word >= MAPS_END) this.#state.set(at, value);
    else this.#put(at, value, word < VIEWS ? this.#views.lists : this.#views.maps);
  }

  #put(at: number, number: number, lists: Lists): void {
    this.#state.setHashed(at, number, lists.hash(this.#state.words[at]!), lists.hash(number));
  }

  /** A CPU knows more. */
  add(cpu: number, word: number, view: View): void {
    this.set(cpu, word, this.#views.join(this.get(cpu, word), view));
  }

  /** The view of a key in a map of a CPU. */
  in(cpu: number, map: number, key: number): View {
    const number = this.get(cpu, map);
    return number === 0 ? EMPTY_VIEW : this.#views.maps.get(number, key);
  }

  /** Changes the view of a key in a map of a CPU. */
  put(cpu: number, map: number, key: number, view: View): void {
    this.set(cpu, map, this.#views.maps.with(this.get(cpu, map), key, view));
  }

  /** All that a CPU knows. */
  all(cpu: number): View {
    const { loads, stores, loaded, stored } = KNOWN;
    return this.#views.joinAll([loads, stores, loaded, stored].map((word) => this.get(cpu, word)));
  }

  /** A CPU acquires: all that follows comes after it. */
  acquire(cpu: number, view: View): void {
    this.add(cpu, KNOWN.loads, view);
    this.add(cpu, KNOWN.stores, view);
  }

  /** A full fence. */
  fullFence(cpu: number): void {
    this.acquire(cpu, this.all(cpu));
    this.#agree(cpu, KNOWN.stores);
  }

  /** A barrier that waits for stores, and that all waits for (DSB ISHST). What was loaded before may come after it. */
  storeBarrier(cpu: number): void {
    this.acquire(cpu, this.get(cpu, KNOWN.stored));
    this.#agree(cpu, KNOWN.loads);
  }

  /** A CPU tells full fences to come what a view of its holds, and learns what they were told before. */
  #agree(cpu: number, tells: number): void {
    if (!this.#fencesAgree) return;
    const at = this.#base + SHARED.fences;
    const known = this.#views.join(this.#state.words[at]!, this.get(cpu, tells));
    this.#put(at, known, this.#views.lists);
    this.acquire(cpu, known);
  }

  /** Cells of which a full fence of a CPU would tell the fences to come. */
  *tellsFences(cpu: number): Iterable<number> {
    const fences = this.#state.words[this.#base + SHARED.fences]!;
    const news = this.#views.lists.of(this.#views.beyond(this.all(cpu), fences));
    for (let i = 0; i < news.length; i += 2) yield news[i]!;
  }

  /** A CPU went through a message of an entry: a walk, and the access behind it, came after what a view knows. */
  goThrough(cpu: number, entry: Cell, index: number, view: View): void {
    if (index >= MESSAGES)
      throw new RangeError(`a page-table entry with more than ${MESSAGES} values: make the program smaller`);
    const at = this.#base + THROUGH;
    const key = (entry * MESSAGES + index) * this.#cpus + cpu;
    const map = this.#state.words[at]!;
    const old = this.#views.lists.get(map, key) - 1;
    this.#state.set(at, this.#views.lists.with(map, key, 1 + (old < 0 ? view : this.#views.join(old, view))));
  }

  /** Calls back with each message of an entry that a CPU went through, and what those walks and accesses came after. */
  through(visit: (cpu: number, entry: Cell, index: number, view: View) => void): void {
    const list = this.#views.lists.of(this.#state.words[this.#base + THROUGH]!);
    for (let i = 0; i < list.length; i += 2) {
      const message = Math.floor(list[i]! / this.#cpus);
      visit(list[i]! % this.#cpus, Math.floor(message / MESSAGES), message % MESSAGES, list[i + 1]! - 1);
    }
  }

  /** A grace period begins: readers that begin later know what stood before. */
  graceBegins(cpu: number): void {
    const at = this.#base + SHARED.grace;
    this.#put(at, this.#views.join(this.#state.words[at]!, this.all(cpu)), this.#views.lists);
  }

  /** A CPU becomes an RCU reader. */
  readerBegins(cpu: number): void {
    this.acquire(cpu, this.#state.words[this.#base + SHARED.grace]!);
  }

  /** Changes all views of all CPUs; coherence only if `everything`. */
  rewrite(change: (view: View) => View, everything: boolean): void {
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      for (let w = everything ? 0 : KNOWN.loads; w < MAPS_END; w++) {
        const old = this.get(cpu, w);
        // Most are empty.
        if (old !== 0) this.set(cpu, w, w < VIEWS ? change(old) : this.#views.maps.map(old, change));
      }
    }
    for (let at = this.#base; at < this.#base + THROUGH; at++) {
      const old = this.#state.words[at]!;
      if (old !== EMPTY_VIEW) this.#put(at, change(old), this.#views.lists);
    }
    const through = this.#base + THROUGH;
    const old = this.#state.words[through]!;
    if (old !== 0)
      this.#state.set(
        through,
        this.#views.lists.map(old, (view) => 1 + change(view - 1)),
      );
  }

  /** Oldest messages of a cell are dropped: a reservation of one of them is lost. */
  dropped(cell: number, count: number): void {
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      if (this.get(cpu, RESERVED.cell) !== cell) continue;
      this.set(cpu, RESERVED.message, Math.max(0, this.get(cpu, RESERVED.message) - count));
    }
  }

  /** Forgets of a CPU's views what makes no difference, because its later loads and stores come after it anyway. */
  reduce(cpu: number): void {
    const loads = this.get(cpu, KNOWN.loads);
    const stores = this.get(cpu, KNOWN.stores);
    const coherence = this.get(cpu, KNOWN.coherence);
    if (coherence !== EMPTY_VIEW) this.set(cpu, KNOWN.coherence, this.#views.beyond(coherence, loads));
    // What its later loads, stores, barriers and walks all come after.
    let floor = this.#views.meet(loads, stores);
    if (this.#translated) {
      const after = this.#views.meet(this.get(cpu, KNOWN.barriers), this.get(cpu, KNOWN.walks));
      floor = this.#views.meet(floor, after);
    }
    const beyond = (view: View): View => this.#views.beyond(view, floor);
    for (let w = KNOWN.loaded; w <= KNOWN.reserved; w++) {
      const old = this.get(cpu, w);
      if (old !== EMPTY_VIEW) this.set(cpu, w, beyond(old));
    }
    if (this.#translated) this.set(cpu, KNOWN.walked, beyond(this.get(cpu, KNOWN.walked)));
    else this.set(cpu, KNOWN.walks, this.#views.beyond(this.get(cpu, KNOWN.walks), loads));
    for (let w = VIEWS; w < MAPS_END; w++) {
      const old = this.get(cpu, w);
      if (old !== 0) this.set(cpu, w, this.#views.maps.map(old, beyond));
    }
  }

  /** Nothing happened that not everybody knows of. */
  reset(): void {
    for (let cpu = 0; cpu < this.#cpus; cpu++) for (let w = 0; w < CPU_WORDS; w++) this.set(cpu, w, 0);
    for (let w = 0; w < THROUGH; w++) this.#put(this.#base + w, EMPTY_VIEW, this.#views.lists);
    this.#state.set(this.#base + THROUGH, 0);
  }

  /** A CPU will run no code any more: it knows everything. Its walker goes on, and knows what it knew. */
  forget(cpu: number): void {
    const { loads, walks } = KNOWN;
    this.add(cpu, walks, this.get(cpu, loads));
    for (let w = 0; w < CPU_WORDS; w++) if (w !== walks && this.get(cpu, w) !== 0) this.set(cpu, w, 0);
  }
}
