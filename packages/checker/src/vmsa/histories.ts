/**
 * Histories: all values that each cell has had, oldest first, and how reads and stores of them are ordered (obs, haz-ob).
 *
 *     a store       comes last of its cell; after the others' stores there, and after their loads
 *     a load        of an old value comes before the stores that it did not see
 *     a walk        may read any old value; one that faults for want of a translation or of the access flag came from memory,
 *                   so it comes before the stores that it did not see
 */
import type { State } from '../state.ts';
import { EVENT, IS } from './event.ts';
import type { Graph } from './graph.ts';
import type { Dependencies, LocalOrder } from './order.ts';
import type { Without } from './rules.ts';

/** Stores that one cell may see. */
const WRITES = 14;

/** Why an event could not be added: there is no such execution, or no room. */
export type Refusal = 'contradiction' | 'full';

/** The cells of a program. */
export class Histories {
  readonly #state: State;
  readonly #base: number;
  readonly #initial: readonly number[];
  readonly #graph: Graph;
  readonly #order: LocalOrder;
  readonly #without: Without;

  /** Words that so many cells need. */
  static words(cells: number): number {
    return cells * (1 + WRITES);
  }

  constructor(
    state: State,
    base: number,
    initial: readonly number[],
    graph: Graph,
    order: LocalOrder,
    without: Without,
  ) {
    this.#state = state;
    this.#base = base;
    this.#initial = initial;
    this.#graph = graph;
    this.#order = order;
    this.#without = without;
  }

  /** Number of stores to a cell: the newest value's number. */
  newest(cell: number): number {
    return this.#state.words[this.#base + cell * (1 + WRITES)]!;
  }

  /** The i-th value of a cell; 0: the initial one. */
  value(cell: number, i: number): number {
    return i === 0 ? this.#initial[cell]! : this.#graph.get(this.#store(cell, i), EVENT.value);
  }

  /** The value that a cell has in memory. */
  inMemory(cell: number): number {
    return this.value(cell, this.newest(cell));
  }

  /** Which value of its cell a read got. */
  indexOf(read: number): number {
    const from = this.#graph.get(read, EVENT.from);
    if (from === 0) return 0;
    const cell = this.#graph.get(read, EVENT.cell) - 1;
    let i = this.newest(cell);
    while (this.#store(cell, i) !== from - 1) i--;
    return i;
  }

  /** The stores to a read's cell behind the one that it read, in order. */
  newerThan(read: number): number[] {
    const cell = this.#graph.get(read, EVENT.cell) - 1;
    const newer: number[] = [];
    for (let i = this.indexOf(read) + 1; i <= this.newest(cell); i++) newer.push(this.#store(cell, i));
    return newer;
  }

  /** The oldest value that a load of a thread may read: its own last store. */
  floor(thread: number, cell: number): number {
    for (let i = this.newest(cell); i > 0; i--) {
      const store = this.#store(cell, i);
      if (this.#graph.threadOf(store) === thread && (this.#graph.is(store) & IS.explicit) !== 0) return i;
    }
    return 0;
  }

  /**
   * Adds a read of a cell's `source`-th value.
   * @param mate the walk that led to it, or -1
   */
  read(
    thread: number,
    is: number,
    cell: number,
    source: number,
    instruction: number,
    on: Dependencies,
    mate: number,
  ): number | Refusal {
    const graph = this.#graph;
    const event = graph.add(thread, is | IS.read, cell, this.value(cell, source), instruction);
    if (event < 0) return 'full';
    const from = source === 0 ? -1 : this.#store(cell, source);
    graph.set(event, EVENT.from, from + 1);
    graph.set(event, EVENT.mate, mate + 1);
    this.#order.place(event, on);
    return this.#orderRead(event, from) ? event : 'contradiction';
  }

  /**
   * Adds a store to a cell, behind all others.
   * @param mate the walk that led to it, the load of the same atomic, or -1
   */
  write(
    thread: number,
    is: number,
    cell: number,
    value: number,
    instruction: number,
    on: Dependencies,
    mate: number,
  ): number | Refusal {
    const graph = this.#graph;
    const count = this.newest(cell);
    const event = graph.add(thread, is | IS.write, cell, value, instruction);
    if (event < 0 || count >= WRITES) return 'full';
    graph.set(event, EVENT.mate, mate + 1);
    this.#order.place(event, on);
    if (!this.#orderAfterStores(event, cell) || !this.#orderAfterReads(event, cell)) return 'contradiction';
    const at = this.#base + cell * (1 + WRITES);
    this.#state.set(at, count + 1);
    this.#state.set(at + count + 1, event + 1);
    return event;
  }

  /** The i-th store to a cell, from 1 on. */
  #store(cell: number, i: number): number {
    return this.#state.words[this.#base + cell * (1 + WRITES) + i]! - 1;
  }

  #orderRead(event: number, from: number): boolean {
    const graph = this.#graph;
    const is = graph.is(event);
    const thread = graph.threadOf(event);
    const explicit = (is & IS.explicit) !== 0;
    if (from >= 0) {
      const elsewhere = graph.threadOf(from) !== thread;
      const hardware = ((is | graph.is(from)) & IS.walker) !== 0 && !this.#without.has('walk-reads-from');
      if ((elsewhere || hardware) && !graph.edge(from, event)) return false;
    }
    if (
      explicit ? this.#without.has('from-read') : (is & IS.uncacheable) === 0 || this.#without.has('fault-from-memory')
    )
      return true;
    const earlier = explicit && !this.#without.has('load-load') ? this.#sameCellLoads(event) : [];
    for (const store of this.newerThan(event)) {
      const elsewhere = graph.threadOf(store) !== thread;
      const hardware = (graph.is(store) & IS.walker) !== 0;
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

  #orderAfterStores(event: number, cell: number): boolean {
    const graph = this.#graph;
    const thread = graph.threadOf(event);
    const keeps = !this.#without.has('update-order');
    for (let i = 1; i <= this.newest(cell); i++) {
      const store = this.#store(cell, i);
      const hardware = keeps && ((graph.is(event) | graph.is(store)) & IS.walker) !== 0;
      if ((hardware || graph.threadOf(store) !== thread) && !graph.edge(store, event)) return false;
    }
    return true;
  }

  #orderAfterReads(event: number, cell: number): boolean {
    const graph = this.#graph;
    const thread = graph.threadOf(event);
    const hardware = (graph.is(event) & IS.walker) !== 0 && !this.#without.has('update-order');
    let ok = true;
    graph.forEach((read) => {
      const is = graph.is(read);
      if (!ok || read === event || (is & IS.read) === 0 || graph.get(read, EVENT.cell) !== cell + 1) return;
      if (graph.get(event, EVENT.mate) - 1 === read) return;
      const explicit = (is & IS.explicit) !== 0;
      if (this.#without.has(explicit ? 'from-read' : 'fault-from-memory')) return;
      const before = explicit ? hardware || graph.threadOf(read) !== thread : (is & IS.uncacheable) !== 0;
      if (before) ok = graph.edge(read, event);
    });
    return ok;
  }
}
