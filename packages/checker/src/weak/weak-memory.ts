/**
 * Weak memory: loads may be stale. The rules of the memory model `weak`; who knows what is in knowledge.ts, the messages in messages.ts.
 *
 * Steps run in program order, and a store takes its place in coherence order at its step, behind all others. So the executions
 * are those of the architecture in which program order, reads-from and coherence order together have no cycle. What needs a
 * store to take effect before an earlier access of its own CPU is not shown: load buffering (LB), S, 2+2W, and longer shapes in which
 * a thread between reads and then writes out of order. `holds` under weak says nothing of these.
 *
 *     load      any message of the cell that is not older than what the CPU read or wrote before (coherence) or knows (loads, address)
 *     store     a new message; it carries what stands before it: what the CPU's later stores carry, address, data, branches;
 *               a release, all that the CPU knows
 *
 * *Multi-copy atomic* (Arm, RISC-V): who depends on a load comes after the message that it read. With `fromReads` the rest of Arm's
 * ordered-before is there, too, and the machine is exact within the executions above:
 *
 *     a load reads a message older than m     what stands before the load stands before m; whoever knows m knows it now
 *     m comes after m' in coherence order     what stands before m' stands before m
 *
 * Without `fromReads` full fences agree on one order instead, which is what kernel code is written for (LKMM) and makes fewer states.
 *
 * *Not multi-copy atomic* (POWER): who depends on a load comes after what the message carries, and not after the message itself, which
 * only fences and releases pass on; and full fences agree on one order. POWER forbids a little more (orders by two loads of one
 * cell, rdw, and by a store and a load of it, detour, are not followed).
 *
 * Messages are dropped that nobody may read any more: older than what all live CPUs know. In a search that watches what processes touch
 * (search/locality.ts) a CPU that loads the cell no more, and races with no plain access of it, counts as one that knows all of it; and
 * who wrote a message is forgotten where that CPU will not read it.
 *
 * Any number of stores may be unknown to somebody. So a loop that stores in each round, beside a CPU that synchronises with nobody, has ever
 * new states: such a search ends by its limit, `incomplete` (`truncate/fault` retries by taking and dropping a reference).
 */
import type { Address, Cell } from '@mmu-gather/core/stepped';
import type { State } from '../state.ts';
import { Knowledge, KNOWN, MAPS, RESERVED } from './knowledge.ts';
import { markOf, type Message, Messages, PLAIN, RMW, writerOf } from './messages.ts';
import { EMPTY_VIEW, type View, Views } from './views.ts';
import type { Walkers } from './walkers.ts';

/** What the rules depend on. */
export interface WeakOptions {
  readonly cpus: number;
  /** Words that programs have. */
  readonly cells: number;
  readonly multiCopyAtomic: boolean;
  /** The program is one of bare instructions: everything is exact. Kernel code has opaque control flow, and locks that nobody reads. */
  readonly exact: boolean;
  /** May this CPU still run code? If not, it knows everything. */
  live(cpu: number): boolean;
  /** May this CPU still read an older message of a cell, or race with a plain access of it? @param plain there was one */
  mayLookAt(cpu: number, cell: Cell, plain: boolean): boolean;
  /** May this CPU still read what it wrote to a cell, or a plain access meet it? */
  mayMeetOwn(cpu: number, cell: Cell): boolean;
  /** The object that a cell is in; 0 if it is in none. */
  objectOf(cell: Cell): Address;
  /** The object that a value read from a cell points to; 0 if to none. */
  targetOf(cell: Cell, value: number): Address;
  /** Accesses of the program are translated, and walks have an order of their own (walks.ts); `exact` only. */
  readonly translated: boolean;
  /** Two accesses of a cell are not ordered, and one of them is plain: a data race between this CPU and the one that wrote. */
  race(cell: Cell, writer: number, cpu: number, write: boolean): void;
}

/** What an access comes after besides. */
export interface AccessAfter {
  /** By its address. */
  readonly addr: View;
  /** By the value stored. */
  readonly data: View;
  /** By branches: stores only. */
  readonly ctrl: View;
  /** By its walk. */
  readonly walk?: View;
}

/** Nothing besides. */
export const AFTER_NOTHING: AccessAfter = { addr: EMPTY_VIEW, data: EMPTY_VIEW, ctrl: EMPTY_VIEW };

/** How a load, or the load half of a read-modify-write, orders what follows. `rcsc`: also after earlier releases of the CPU. */
export type Acquiring = 'relaxed' | 'pc' | 'rcsc';

/** Orders of a load, by the numbers of bare-steps.ts. */
export const ACQUIRING: readonly Acquiring[] = ['relaxed', 'pc', 'rcsc'];

/** What a load comes after: for what depends on it, and for fences behind it. */
interface Loaded {
  readonly value: number;
  readonly depends: View;
  readonly fences: View;
}

/** Memory under weak: everything but the words themselves. */
export class WeakMemory {
  readonly views: Views = new Views();
  readonly messages: Messages;
  readonly known: Knowledge;
  /** Who reads page-table entries besides, if anybody does. */
  walkers: Walkers | undefined;
  readonly #options: WeakOptions;
  readonly #fromReads: boolean;
  /** Kernel code: words that are locks, and words that are loaded. */
  readonly #locks = new Set<Cell>();
  readonly #loaded = new Set<Cell>();

  /** Words of the state that it needs. */
  static words({ cpus, cells }: Pick<WeakOptions, 'cpus' | 'cells'>): number {
    return Knowledge.words(cpus) + Messages.words(cells);
  }

  constructor(state: State, base: number, options: WeakOptions) {
    this.#options = options;
    this.#fromReads = options.multiCopyAtomic && options.exact;
    this.known = new Knowledge(state, this.views, base, options.cpus, !this.#fromReads, options.translated);
    this.messages = new Messages(state, this.views, base + Knowledge.words(options.cpus));
  }

  /** What a program of bare instructions names by the slots of its loads. */
  slots(cpu: number, mask: number): View {
    let view = EMPTY_VIEW;
    for (let bits = mask; bits !== 0; bits &= bits - 1)
      view = this.views.join(view, this.known.in(cpu, MAPS.slots, 31 - Math.clz32(bits & -bits)));
    return view;
  }

  // ---- loads ----

  /** What kernel code's accesses of a cell come after by address: the load of the pointer to the object around it. */
  pointed(cpu: number, cell: Cell): View {
    if (this.known.get(cpu, MAPS.objects) === 0) return EMPTY_VIEW;
    const object = this.#options.objectOf(cell);
    return object === 0 ? EMPTY_VIEW : this.known.in(cpu, MAPS.objects, object);
  }

  /** The oldest message of a cell that a CPU's load may read. */
  oldest(cpu: number, cell: Cell, addr: View, acquiring: Acquiring): number {
    const { views, known } = this;
    let oldest = Math.max(views.at(known.get(cpu, KNOWN.coherence), cell), views.at(known.get(cpu, KNOWN.loads), cell));
    oldest = Math.max(oldest, views.at(addr, cell));
    if (acquiring === 'rcsc') oldest = Math.max(oldest, views.at(known.get(cpu, KNOWN.released), cell));
    return oldest;
  }

  /**
   * A load of a message.
   * @param slot where a program of bare instructions keeps it, -1 if nowhere
   * @param reserve it reserves the cell for a store
   * @param walk what its walk comes after
   * @returns the value
   */
  load(
    cpu: number,
    cell: Cell,
    index: number,
    addr: View,
    acquiring: Acquiring,
    slot = -1,
    reserve = false,
    walk: View = EMPTY_VIEW,
  ): number {
    this.#checkMarked(cpu, cell, addr, false);
    this.#loadedRelaxed(cell);
    const loaded = this.#load(cpu, cell, index, addr, acquiring, walk);
    if (this.#fromReads && loaded.depends !== EMPTY_VIEW) this.readBefore(cell, index, loaded.depends);
    this.#orderBehind(cpu, loaded, acquiring);
    if (slot >= 0) this.known.put(cpu, MAPS.slots, slot, loaded.depends);
    if (reserve) this.#reserve(cpu, cell, index, loaded.depends);
    if (!this.#options.exact && acquiring === 'relaxed') this.#pointer(cpu, cell, loaded);
    return loaded.value;
  }

  #load(cpu: number, cell: Cell, index: number, addr: View, acquiring: Acquiring, walk: View = EMPTY_VIEW): Loaded {
    const loaded = this.#loadOf(cpu, cell, index, this.views.join(addr, walk), acquiring);
    this.known.add(cpu, KNOWN.coherence, this.views.of(cell, index));
    if (this.#options.exact) this.known.add(cpu, KNOWN.addresses, addr);
    if (!this.#options.multiCopyAtomic && this.#options.exact) this.reread(cpu, cell, loaded.source);
    return loaded;
  }

  /** What a load of a message would come after. */
  #loadOf(cpu: number, cell: Cell, index: number, addr: View, acquiring: Acquiring): Loaded & { source: View } {
    const { views, known } = this;
    const message = this.messages.at(cell, index);
    let before = views.join(known.get(cpu, KNOWN.loads), addr);
    if (acquiring === 'rcsc') before = views.join(before, known.get(cpu, KNOWN.released));
    const { depends, fences } = this.#source(cpu, cell, message, views.of(cell, index), acquiring);
    return {
      value: message.value,
      depends: views.join(before, depends),
      fences: views.join(before, fences),
      source: depends,
    };
  }

  /** What a load of a message would come after. */
  beforeLoad(cpu: number, cell: Cell, index: number, addr: View, acquiring: Acquiring): View {
    return this.#loadOf(cpu, cell, index, addr, acquiring).depends;
  }

  /** A CPU has read a cell: its stores there come after this. */
  reread(cpu: number, cell: Cell, view: View): void {
    this.known.put(cpu, MAPS.reread, cell, this.views.join(this.known.in(cpu, MAPS.reread, cell), view));
  }

  /**
   * What reading a message adds. A CPU that reads its own store, perhaps not yet seen by others, comes after what that store depends on; if
   * it acquires, and that is the store of a read-modify-write, after the load of that, too.
   */
  #source(cpu: number, cell: Cell, message: Message, itself: View, acquiring: Acquiring): Omit<Loaded, 'value'> {
    const { views } = this;
    const fences = views.join(message.view, itself);
    if (writerOf(message.mark) === cpu) {
      const atomic = (message.mark & RMW) !== 0 && acquiring !== 'relaxed';
      const forward = this.known.in(cpu, MAPS.forward, 2 * cell + (atomic ? 1 : 0));
      return { depends: forward, fences: forward };
    }
    return { depends: this.#options.multiCopyAtomic ? fences : message.view, fences };
  }

  #orderBehind(cpu: number, { depends, fences }: Loaded, acquiring: Acquiring): void {
    this.known.add(cpu, KNOWN.loaded, fences);
    if (acquiring !== 'relaxed') this.known.acquire(cpu, depends);
  }

  #pointer(cpu: number, cell: Cell, { value, depends }: Loaded): void {
    if (depends === EMPTY_VIEW) return;
    const object = this.#options.targetOf(cell, value);
    if (object === 0) return;
    this.known.put(cpu, MAPS.objects, object, this.views.join(this.known.in(cpu, MAPS.objects, object), depends));
  }

  // ---- stores ----

  /** A store is about to take effect. */
  store(cpu: number, cell: Cell, release: boolean, after: AccessAfter = AFTER_NOTHING): void {
    this.#checkMarked(cpu, cell, after.addr, true);
    this.#append(cpu, cell, release, after, EMPTY_VIEW, 0);
  }

  /**
   * A read-modify-write of the newest message is about to store.
   * @param result its result is used: what it reads orders what follows
   * @returns the value read
   */
  readModifyWrite(
    cpu: number,
    cell: Cell,
    acquiring: Acquiring,
    release: boolean,
    result: boolean,
    after: AccessAfter = AFTER_NOTHING,
    slot = -1,
  ): number {
    this.#checkMarked(cpu, cell, after.addr, true);
    const loaded = this.#load(cpu, cell, this.messages.newest(cell), after.addr, acquiring, after.walk);
    this.#append(cpu, cell, release, after, loaded.depends, RMW);
    if (result) {
      this.#orderBehind(cpu, loaded, acquiring);
      if (slot >= 0) this.known.put(cpu, MAPS.slots, slot, loaded.depends);
    }
    return loaded.value;
  }

  #append(cpu: number, cell: Cell, release: boolean, after: AccessAfter, read: View, how: number): void {
    const { views, known, messages } = this;
    const before = this.beforeStore(cpu, cell, release, after, read);
    messages.append(cell, before, markOf(cpu, how), true);
    this.#stored(cpu, cell, messages.newest(cell), before, release);
    if (!this.#options.exact) return;
    const depends = views.join(after.addr, after.data);
    known.add(cpu, KNOWN.addresses, after.addr);
    known.put(cpu, MAPS.forward, 2 * cell, depends);
    known.put(cpu, MAPS.forward, 2 * cell + 1, views.join(depends, read));
  }

  /** What a store would come after. */
  beforeStore(cpu: number, cell: Cell, release: boolean, after: AccessAfter, read: View): View {
    const { views, known } = this;
    const { addr, data, ctrl, walk = EMPTY_VIEW } = after;
    let before = views.joinAll([known.get(cpu, KNOWN.stores), addr, data, ctrl, walk, read]);
    if (this.#options.exact) before = views.join(before, known.get(cpu, KNOWN.addresses));
    if (release) before = views.join(before, known.all(cpu));
    if (this.#fromReads) before = views.joinAll([before, this.beforeNext(cell), known.in(cpu, MAPS.reread, cell)]);
    else if (!this.#options.multiCopyAtomic) before = views.join(before, known.in(cpu, MAPS.reread, cell));
    return before;
  }

  /** What the next store to a cell comes after, whoever makes it: the newest one, and the loads so far. */
  beforeNext(cell: Cell): View {
    const { messages } = this;
    return this.views.join(messages.at(cell, messages.newest(cell)).view, messages.reads(cell));
  }

  #stored(cpu: number, cell: Cell, index: number, before: View, release: boolean): void {
    const { views, known } = this;
    const itself = views.of(cell, index);
    const stored = views.join(before, itself);
    known.add(cpu, KNOWN.coherence, itself);
    known.add(cpu, KNOWN.stored, stored);
    if (release) known.add(cpu, KNOWN.released, stored);
  }

  // ---- reservations ----

  #reserve(cpu: number, cell: Cell, index: number, depends: View): void {
    this.known.set(cpu, RESERVED.cell, cell);
    this.known.set(cpu, RESERVED.message, index + 1);
    this.known.set(cpu, KNOWN.reserved, depends);
  }

  /** May the CPU's store to a reserved cell succeed: has nobody stored since? */
  isReserved(cpu: number, cell: Cell): boolean {
    return (
      this.known.get(cpu, RESERVED.cell) === cell &&
      this.known.get(cpu, RESERVED.message) === this.messages.newest(cell) + 1
    );
  }

  /** The store to a reserved cell is about to take effect. */
  storeReserved(cpu: number, cell: Cell, release: boolean, after: AccessAfter): void {
    this.#append(cpu, cell, release, after, this.known.get(cpu, KNOWN.reserved), RMW);
  }

  /** A reservation is used up. */
  unreserve(cpu: number): void {
    this.known.set(cpu, KNOWN.reserved, EMPTY_VIEW);
    this.known.set(cpu, RESERVED.cell, 0);
    this.known.set(cpu, RESERVED.message, 0);
  }

  // ---- fences ----

  /** What follows a read-modify-write that acquires and releases comes after its store, too, on Arm. */
  behindStore(cpu: number): void {
    if (this.#options.multiCopyAtomic) this.known.acquire(cpu, this.known.all(cpu));
  }

  /** Loads before loads, and before stores. */
  loadFence(cpu: number, stores: boolean): void {
    const loaded = this.known.get(cpu, KNOWN.loaded);
    this.known.add(cpu, KNOWN.loads, loaded);
    if (stores) this.known.add(cpu, KNOWN.stores, loaded);
  }

  /** Stores before stores. */
  storeFence(cpu: number): void {
    this.known.add(cpu, KNOWN.stores, this.known.get(cpu, KNOWN.stored));
  }

  /** Context synchronisation behind branches: they, and the addresses of what came before, stand before later loads. */
  instructionFence(cpu: number, branches: View): void {
    this.known.add(cpu, KNOWN.loads, this.views.join(branches, this.known.get(cpu, KNOWN.addresses)));
  }

  // ---- locks of kernel code: only their newest message is ever read ----

  /** A lock is about to be taken. */
  lock(cpu: number, cell: Cell): void {
    if (this.#options.exact) {
      this.readModifyWrite(cpu, cell, 'rcsc', false, true);
      return;
    }
    this.#isLock(cell);
    const view = this.views.join(this.messages.at(cell, 0).view, this.known.get(cpu, KNOWN.released));
    this.known.acquire(cpu, view);
    this.known.add(cpu, KNOWN.loaded, view);
  }

  /** A lock is about to be let go. What others let go before, who held it together, stays on it. */
  unlock(cpu: number, cell: Cell): void {
    if (this.#options.exact) {
      this.store(cpu, cell, true);
      return;
    }
    this.#isLock(cell);
    const view = this.known.all(cpu);
    this.known.add(cpu, KNOWN.released, view);
    this.messages.replace(cell, this.views.join(this.messages.at(cell, 0).view, view));
  }

  #isLock(cell: Cell): void {
    this.#locks.add(cell);
    if (this.#loaded.has(cell) || this.messages.newest(cell) > 0)
      throw new Error(
        'a lock is accessed in other ways, too: under weak only programs of bare instructions may do that',
      );
  }

  #loadedRelaxed(cell: Cell): void {
    if (this.#options.exact) return;
    this.#loaded.add(cell);
    if (this.#locks.has(cell)) this.#isLock(cell);
  }

  // ---- plain accesses ----

  /** A plain load: it must know the newest write. */
  plainLoad(cpu: number, cell: Cell): void {
    this.#checkPlain(cpu, cell, false);
  }

  /** A plain store is about to take effect. Nobody may load an older value any more, in whatever way. */
  plainStore(cpu: number, cell: Cell): void {
    this.#checkPlain(cpu, cell, true);
    const before = this.known.get(cpu, KNOWN.stores);
    const older = this.messages.newest(cell);
    if (older > 0) this.#drop(new Map([[cell, older]]));
    this.messages.append(cell, before, markOf(cpu, PLAIN), false);
    this.#stored(cpu, cell, 1, before, false);
  }

  #checkPlain(cpu: number, cell: Cell, write: boolean): void {
    const newest = this.messages.newest(cell);
    if (newest === 0 || this.#knows(cpu, cell, newest, this.pointed(cpu, cell))) return;
    this.#options.race(cell, writerOf(this.messages.at(cell, newest).mark), cpu, write);
  }

  /** A marked access may meet a plain write only if it knows it. */
  #checkMarked(cpu: number, cell: Cell, addr: View, write: boolean): void {
    const newest = this.messages.newest(cell);
    if (newest === 0) return;
    const { mark } = this.messages.at(cell, newest);
    if ((mark & PLAIN) !== 0 && !this.#knows(cpu, cell, newest, addr))
      this.#options.race(cell, writerOf(mark), cpu, write);
  }

  #knows(cpu: number, cell: Cell, newest: number, addr: View): boolean {
    const { mark } = this.messages.at(cell, newest);
    if (writerOf(mark) === cpu) return true;
    const read = this.views.at(this.known.get(cpu, KNOWN.coherence), cell);
    if ((mark & PLAIN) === 0 && read >= newest) return true;
    return Math.max(this.views.at(this.known.get(cpu, KNOWN.loads), cell), this.views.at(addr, cell)) >= newest;
  }

  // ---- what everybody knows ----

  /** What a view knows came before all messages of a cell newer than one, and those to come. */
  readBefore(cell: Cell, index: number, view: View): void {
    const { views, messages } = this;
    const newest = messages.newest(cell);
    if (index < newest) {
      const change = memo((known) => (views.at(known, cell) > index ? views.join(known, view) : known));
      this.known.rewrite(change, false);
      messages.rewrite(change);
    }
    messages.readBefore(cell, index, view);
  }

  /** Everybody knows everything: where a run begins. */
  reset(): void {
    this.messages.reset();
    this.known.reset();
  }

  /** To be called after every step: drops what can make no difference any more. */
  settle(): void {
    const { known, messages } = this;
    const { cpus } = this.#options;
    if (messages.open.length === 0) return;
    const live: number[] = [];
    for (let cpu = 0; cpu < cpus; cpu++) {
      if (this.#options.live(cpu)) live.push(cpu);
      else known.forget(cpu);
    }
    for (const cpu of live) known.reduce(cpu);
    let drops: Map<Cell, number> | null = null;
    for (const cell of messages.open) {
      messages.forgetWriters(cell, (cpu) => !this.#options.mayMeetOwn(cpu, cell));
      const oldest = this.#oldestOf(cell, live);
      if (oldest > 0) (drops ??= new Map()).set(cell, oldest);
    }
    if (drops !== null) this.#drop(drops);
  }

  /** The oldest message of a cell that anybody may still read. */
  #oldestOf(cell: Cell, live: readonly number[]): number {
    const newest = this.messages.newest(cell);
    if (newest === 0) return 0;
    const plain = (this.messages.mark(cell) & PLAIN) !== 0;
    let oldest = this.walkers?.oldestKept(cell) ?? newest;
    for (const cpu of live) {
      const own = this.oldest(cpu, cell, EMPTY_VIEW, 'relaxed');
      if (own < oldest && this.#options.mayLookAt(cpu, cell, plain)) oldest = own;
    }
    return oldest;
  }

  /** Drops the oldest messages of some cells, so many of each: the numbers of the others go down. */
  #drop(drops: ReadonlyMap<Cell, number>): void {
    const { lists } = this.views;
    const change = memo((view) => lists.map(view, (index, cell) => Math.max(0, index - (drops.get(cell) ?? 0))));
    this.known.rewrite(change, true);
    this.messages.rewrite(change, drops);
    for (const [cell, count] of drops) this.known.dropped(cell, count);
  }
}

/** A change of views that is computed once for each. */
function memo(change: (view: View) => View): (view: View) => View {
  const done = new Map<View, View>([[EMPTY_VIEW, EMPTY_VIEW]]);
  return (view) => {
    let changed = done.get(view);
    if (changed === undefined) done.set(view, (changed = change(view)));
    return changed;
  };
}
