/**
 * Invalidation: what a completed TLBI says about walks (TLBI-ob and TLBI-ca of aarch64.cat).
 *
 * A TLBI that a DSB completes, and a walk that it covers, come in one order or the other; the hardware decides:
 *
 *     walk, then TLBI     the walk, and the access that went through it, are over before anything after the DSB
 *     TLBI, then walk     the walk reads memory as it is: what overwrites the entry that it read comes after the TLBI
 *
 * An execution is one of the machine if for each pair one of the two can be chosen such that no event comes before itself. The
 * choices are made at the end, when all pairs are known.
 */
import type { State } from '../state.ts';
import { EVENT, IS } from './event.ts';
import { type Graph, holds } from './graph.ts';
import type { Histories } from './histories.ts';
import { isWalk } from './order.ts';
import type { Without } from './rules.ts';

/** A pair that is to be ordered: what each choice puts before what. */
interface Pair {
  readonly walkFirst: readonly (readonly [number, number])[];
  readonly tlbiFirst: readonly (readonly [number, number])[];
}

/** Orders TLBIs and walks at the end of an execution. */
export class Invalidations {
  readonly #state: State;
  readonly #graph: Graph;
  readonly #ets2: boolean;
  readonly #histories: Histories;
  readonly #without: Without;

  constructor(state: State, graph: Graph, histories: Histories, ets2: boolean, without: Without) {
    this.#state = state;
    this.#graph = graph;
    this.#histories = histories;
    this.#ets2 = ets2;
    this.#without = without;
  }

  /** Can every TLBI be ordered with every walk that it covers? The state is as before afterwards. */
  possible(): boolean {
    const pairs = this.#without.has('tlbi') ? [] : this.#pairs();
    const choose = (i: number): boolean => {
      const pair = pairs[i];
      if (pair === undefined) return true;
      for (const edges of [pair.tlbiFirst, pair.walkFirst]) {
        const mark = this.#state.mark();
        const ok = edges.every(([a, b]) => this.#graph.edge(a, b)) && choose(i + 1);
        this.#state.undo(mark);
        if (ok) return true;
      }
      return false;
    };
    return choose(0);
  }

  #pairs(): Pair[] {
    const graph = this.#graph;
    const walks: number[] = [];
    const tlbis: number[] = [];
    graph.forEach((event) => {
      if (isWalk(graph.is(event))) walks.push(event);
      if ((graph.is(event) & IS.tlbi) !== 0 && this.#behind(event).length > 0) tlbis.push(event);
    });
    const pairs: Pair[] = [];
    const certain: Pair[] = [];
    for (const tlbi of tlbis) {
      const behind = this.#behind(tlbi);
      for (const walk of walks) {
        if (!this.#covers(tlbi, walk)) continue;
        const tlbiFirst = this.#tlbiFirst(tlbi, walk);
        const walkFirst = this.#walkFirst(walk, behind);
        const thread = graph.threadOf(walk);
        const same = thread === graph.threadOf(tlbi);
        // Their thread orders them already.
        if (same && holds(graph.local(tlbi, EVENT.local), walk - thread * graph.room))
          certain.push({ walkFirst, tlbiFirst: [[tlbi, tlbi]] });
        else if (same && holds(graph.local(walk, EVENT.local), tlbi - thread * graph.room))
          certain.push({ walkFirst: [[walk, walk]], tlbiFirst });
        else if (tlbiFirst.length > 0 && walkFirst.length > 0) pairs.push({ walkFirst, tlbiFirst });
      }
    }
    return [...certain, ...pairs];
  }

  /** What a TLBI's DSB holds back; nothing if no DSB completes it. */
  #behind(tlbi: number): readonly number[] {
    const graph = this.#graph;
    const first = graph.threadOf(tlbi) * graph.room;
    const end = first + graph.count(graph.threadOf(tlbi));
    const behind: number[] = [];
    let completed = false;
    let synchronized = false;
    for (let event = tlbi + 1; event < end; event++) {
      const is = graph.is(event);
      const later = graph.get(event, EVENT.instruction) > graph.get(tlbi, EVENT.instruction);
      if (completed && ((is & IS.walker) === 0 || this.#ets2 || synchronized)) behind.push(event);
      if (completed && (is & IS.synchronizes) !== 0) synchronized = true;
      if (later && (is & IS.dsbFull) !== 0) {
        if (!completed) behind.push(event);
        completed = true;
      }
    }
    return behind;
  }

  /** What comes before what if a TLBI comes before a walk. */
  #tlbiFirst(tlbi: number, walk: number): (readonly [number, number])[] {
    if (this.#without.has('tlbi-first')) return [];
    return this.#histories.newerThan(walk).map((store) => [tlbi, store] as const);
  }

  #covers(tlbi: number, walk: number): boolean {
    const graph = this.#graph;
    const cell = graph.get(tlbi, EVENT.cell);
    if (cell !== 0 && cell !== graph.get(walk, EVENT.cell)) return false;
    const broadcast = graph.get(tlbi, EVENT.value) !== 0;
    return broadcast || graph.threadOf(tlbi) === graph.threadOf(walk);
  }

  /** What comes before what if a walk comes before a TLBI with this behind its DSB. */
  #walkFirst(walk: number, behind: readonly number[]): (readonly [number, number])[] {
    const graph = this.#graph;
    const thread = graph.threadOf(walk);
    const edges: (readonly [number, number])[] = behind.map((event) => [walk, event] as const);
    const elsewhere = behind.filter((event) => graph.threadOf(event) !== thread);
    if (this.#without.has('tlbi-access')) return edges;
    for (const effect of this.#through(walk)) {
      for (const event of elsewhere) edges.push([effect, event]);
      // Earlier walks of the thread for the same place do not go back behind this one.
      if ((graph.is(effect) & IS.explicit) === 0 || this.#without.has('tlbi-earlier-walk')) continue;
      for (let event = thread * graph.room; event < walk; event++) {
        const other = graph.get(event, EVENT.mate) - 1;
        if ((graph.is(event) & IS.explicit) === 0 || other < 0 || !isWalk(graph.is(other))) continue;
        if (graph.get(event, EVENT.offset) !== graph.get(effect, EVENT.offset)) continue;
        if (graph.get(event, EVENT.instruction) === graph.get(effect, EVENT.instruction)) continue;
        for (const late of elsewhere) edges.push([other, late]);
      }
    }
    return edges;
  }

  /** The accesses or the fault that went through a walk. */
  #through(walk: number): number[] {
    const graph = this.#graph;
    const end = (graph.threadOf(walk) + 1) * graph.room;
    const through: number[] = [];
    for (let event = walk + 1; event < end; event++) {
      if (graph.get(event, EVENT.instruction) !== graph.get(walk, EVENT.instruction)) break;
      if ((graph.is(event) & (IS.explicit | IS.fault)) !== 0) through.push(event);
    }
    return through;
  }
}
