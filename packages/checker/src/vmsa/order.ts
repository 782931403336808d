/**
 * Order: which earlier events of its own thread an event is ordered after (lob, with pob and pick-lob, of aarch64.cat).
 *
 * A barrier is an event: what it orders comes before it, and what it holds back after it.
 *
 *     DSB     waits for accesses and TLBIs; holds back everything but walks, with ETS2 walks too
 *     DMB     waits for accesses, holds back accesses and MMU faults, never walks
 *     ISB     waits for what decides whether it is reached, and for walks; holds back everything
 *
 * Dependencies come with the event: sets of earlier loads. `pick` is the weaker kind, through what a comparison chose (CSEL, CAS): it
 * orders stores and TLBIs and no loads.
 */
import { DMB, DSB, EVENT, IS } from './event.ts';
import { type Graph, holds, type LocalSet, NONE, plus, union } from './graph.ts';
import type { Without } from './rules.ts';

/** What an event depends on: sets of earlier loads of its thread. */
export interface Dependencies {
  /** Its address. */
  readonly address: LocalSet;
  /** Its address, or only what was picked for it. */
  readonly pickAddress: LocalSet;
  /** The data of a store, perhaps picked. */
  readonly data: LocalSet;
  /** The data of a store. */
  readonly trueData: LocalSet;
  /** Whether it is reached. */
  readonly control: LocalSet;
  /** Addresses of earlier accesses. */
  readonly earlierAddress: LocalSet;
}

/** It depends on nothing. */
export const INDEPENDENT: Dependencies = {
  address: NONE,
  pickAddress: NONE,
  data: NONE,
  trueData: NONE,
  control: NONE,
  earlierAddress: NONE,
};

/** The rules, with or without FEAT_ETS2. */
export class LocalOrder {
  readonly #graph: Graph;
  readonly #ets2: boolean;
  readonly #without: Without;

  constructor(graph: Graph, ets2: boolean, without: Without) {
    this.#graph = graph;
    this.#ets2 = ets2;
    this.#without = without;
  }

  /** Orders a new event after those of its thread that the architecture orders before it. */
  place(event: number, on: Dependencies): void {
    const graph = this.#graph;
    const thread = graph.threadOf(event);
    const first = thread * graph.room;
    const without = this.#without;
    let set = without.has('dependencies') ? NONE : this.#dependencies(event, on);
    const mate = graph.get(event, EVENT.mate);
    // Its own walk, or the load of the same atomic.
    if (mate !== 0 && !without.has('mate')) set = plus(set, mate - 1 - first);
    for (let i = event - first - 1; i >= 0; i--) if (this.#follows(first + i, event)) set = plus(set, i);
    if (!without.has('through-memory')) set = union(set, this.#throughMemory(event, first));
    set = this.#close(set, first);
    const store = (graph.is(event) & (IS.explicit | IS.write)) === (IS.explicit | IS.write);
    if (store) set = this.#picked(set, first);
    graph.setLocal(event, EVENT.local, set);
    const data = store ? on.data : NONE;
    graph.setLocal(event, EVENT.pick, union(union(on.pickAddress, data), on.control));
    graph.setLocal(event, EVENT.through, union(on.address, on.trueData));
    graph.after(event, set);
  }

  /** Is the later event ordered after the earlier one because of what they are? */
  #follows(earlier: number, later: number): boolean {
    const graph = this.#graph;
    if (graph.get(earlier, EVENT.instruction) === graph.get(later, EVENT.instruction)) return false;
    return (
      this.#heldBack(graph.is(earlier), graph.is(later)) ||
      this.#waitedFor(earlier, later) ||
      this.#byAccess(earlier, later)
    );
  }

  /** Does a barrier, or an access that orders, hold back what follows? */
  #heldBack(a: number, b: number): boolean {
    const without = this.#without;
    const access = (b & IS.explicit) !== 0;
    const held = access || (b & IS.fault) !== 0;
    const store = (access && (b & IS.write) !== 0) || (b & IS.fault) !== 0;
    if ((a & IS.synchronizes) !== 0) return !without.has('isb');
    if ((a & DSB) !== 0) return ((b & IS.walker) === 0 || this.#ets2) && !without.has('dsb');
    if ((a & DMB) !== 0) return ((a & IS.dmbStore) !== 0 ? store : held) && !without.has('dmb');
    const acquires = (a & (IS.acquire | IS.acquirePc | IS.acquireRelease)) !== 0;
    if (acquires && held && !without.has('acquire')) return true;
    return (a & IS.release) !== 0 && (b & IS.acquire) !== 0 && !without.has('release-acquire');
  }

  /** Does a barrier wait for an event? */
  #waitedFor(event: number, barrier: number): boolean {
    const b = this.#graph.is(barrier);
    if ((b & (DSB | DMB | IS.synchronizes)) === 0) return false;
    const rule = (b & DSB) !== 0 ? 'dsb' : (b & DMB) !== 0 ? 'dmb' : 'isb';
    return this.#waits(this.#graph.is(event), b, event) && !this.#without.has(rule);
  }

  /** Is an access ordered after an earlier one, or after its walk? */
  #byAccess(earlier: number, later: number): boolean {
    const graph = this.#graph;
    const without = this.#without;
    const a = graph.is(earlier);
    const b = graph.is(later);
    const explicit = (a & IS.explicit) !== 0;
    if (explicit && (b & IS.release) !== 0 && !without.has('release')) return true;
    if ((b & IS.write) !== 0) {
      // What an access translated through is settled before anything later becomes visible.
      if (isWalk(a) && this.#passed(earlier) && !without.has('walk-store')) return true;
      const same = isWalk(a) || (explicit && (b & IS.explicit) !== 0);
      if (same && this.#sameCell(earlier, later) && !without.has('same-cell')) return true;
    }
    // ETS2: a walk that faults comes after all earlier accesses.
    return this.#ets2 && isWalk(b) && (b & IS.uncacheable) !== 0 && explicit && !without.has('ets2-fault');
  }

  /** What barriers wait for. */
  #waits(a: number, barrier: number, event: number): boolean {
    const explicit = (a & IS.explicit) !== 0;
    const load = explicit && (a & IS.read) !== 0 && (a & IS.noReturn) === 0;
    const store = explicit && (a & IS.write) !== 0;
    if ((barrier & IS.dsbFull) !== 0) return (a & (IS.read | IS.write | IS.tlbi)) !== 0;
    if ((barrier & IS.dmbFull) !== 0) return explicit;
    if ((barrier & (IS.dsbLoad | IS.dmbLoad)) !== 0) return load;
    if ((barrier & (IS.dsbStore | IS.dmbStore)) !== 0) return store;
    return isWalk(a) && this.#passed(event);
  }

  /** Did the access of a walk go on, and not fault? */
  #passed(walk: number): boolean {
    const graph = this.#graph;
    const end = graph.threadOf(walk) * graph.room + graph.count(graph.threadOf(walk));
    const instruction = graph.get(walk, EVENT.instruction);
    for (let event = walk + 1; event < end && graph.get(event, EVENT.instruction) === instruction; event++)
      if ((graph.is(event) & IS.explicit) !== 0) return true;
    return false;
  }

  #sameCell(a: number, b: number): boolean {
    const graph = this.#graph;
    return (
      (graph.is(a) & (IS.read | IS.write)) !== 0 &&
      (graph.is(b) & (IS.read | IS.write)) !== 0 &&
      graph.get(a, EVENT.cell) === graph.get(b, EVENT.cell)
    );
  }

  #dependencies(event: number, on: Dependencies): LocalSet {
    const b = this.#graph.is(event);
    let set: LocalSet = NONE;
    const memory = (b & (IS.read | IS.write | IS.tlbi)) !== 0;
    if (memory) set = union(set, on.address);
    if ((b & (IS.write | IS.tlbi)) !== 0) set = union(union(set, on.pickAddress), on.control);
    if ((b & (IS.write | IS.synchronizes)) !== 0) set = union(union(set, on.control), on.earlierAddress);
    if ((b & IS.synchronizes) !== 0) set = union(set, on.pickAddress);
    if ((b & (IS.write | IS.explicit)) === (IS.write | IS.explicit)) set = union(set, on.data);
    return set;
  }

  /** A load that may read the thread's own last store: it comes after what that store depends on. */
  #throughMemory(event: number, first: number): LocalSet {
    const graph = this.#graph;
    if ((graph.is(event) & (IS.read | IS.explicit)) !== (IS.read | IS.explicit)) return NONE;
    const instruction = graph.get(event, EVENT.instruction);
    for (let other = event - 1; other >= first; other--) {
      if ((graph.is(other) & IS.write) === 0 || graph.get(other, EVENT.instruction) === instruction) continue;
      if (graph.get(other, EVENT.cell) !== graph.get(event, EVENT.cell)) continue;
      if ((graph.is(other) & IS.explicit) === 0) return NONE;
      const through = graph.local(other, EVENT.through);
      const acquires = (graph.is(event) & (IS.acquire | IS.acquirePc)) !== 0;
      const load = graph.get(other, EVENT.mate) - 1;
      const atomic = acquires && load >= 0 && (graph.is(load) & IS.explicit) !== 0;
      return atomic ? plus(through, load - first) : through;
    }
    return NONE;
  }

  /** A set with all that comes before its events. */
  #close(set: LocalSet, first: number): LocalSet {
    let closed = set;
    for (let i = 0; i < this.#graph.room; i++)
      if (holds(set, i)) closed = union(closed, this.#graph.local(first + i, EVENT.local));
    return closed;
  }

  /** A store also comes after the loads that picked something for what comes before it. */
  #picked(set: LocalSet, first: number): LocalSet {
    let picks: LocalSet = NONE;
    for (let i = 0; i < this.#graph.room; i++)
      if (holds(set, i)) picks = union(picks, this.#graph.local(first + i, EVENT.pick));
    return union(set, this.#close(picks, first));
  }
}

/** Is it a walk's read of an entry? */
export function isWalk(is: number): boolean {
  return (is & (IS.walker | IS.read)) === (IS.walker | IS.read);
}
