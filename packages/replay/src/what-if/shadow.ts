/**
 * Shadow: what TLBs may hold, in the worst case, as the checker's MMU has it (DESIGN 4), kept up as a recording is replayed.
 *
 *     may hold    an entry that was walkable while its context was loaded on a CPU, and that nothing has invalidated there since
 *     older       memory holds another value at its place now
 *
 * Values that are still in memory need no list: page tables are that list. Only what is older than memory is kept, for each CPU and tag. A
 * TLB has a limited size: of entries that are dropped, no more are counted than one holds.
 */
import {
  type Address,
  ALL_ASIDS,
  type Cell,
  type Geometry,
  EVERYTHING,
  entryNone,
  entryPresent,
  type Extent,
  pageSize,
  type Scope,
} from '@mmu-gather/core';
import { Tables } from './tables.ts';

/** What an invalidation, or a context load, has dropped. */
export interface Dropped {
  /** Leaf entries that the CPUs may have held, each at most as many as its TLB has room for. */
  entries: number;
  /** Values that were older than memory, pointers to tables too. */
  stale: number;
  /** Entries of these address spaces that were taken away or changed since the invalidation before. */
  changed: number;
  /** Those of them that some CPU could hold. */
  held: number;
  /** Entries that were taken away and that hardware could not use (PROT_NONE, swap). */
  unusable: number;
}

/** What a CPU may hold under a tag. */
interface Holder {
  root: Address;
  live: boolean;
  /** When it was loaded last: the end of that time, if it is not loaded now. */
  last: number;
  /** When everything was dropped last. */
  flushed: number;
  /** Values that are older than memory, or may be, by level and first page. */
  readonly leaves: Map<number, number[]>;
  readonly walks: Map<number, number[]>;
}

/** Changes of an address space that no invalidation has answered yet. */
interface Unanswered {
  changed: number;
  held: number;
  unusable: number;
}

/** Levels of page tables, at most: keys of values are pages times this, and the level. */
const LEVELS = 8;
/** Ranges of more pages are counted as the whole address space. */
const MOST_PAGES = 4096;

/** All TLBs of a machine. */
export class Shadow {
  readonly tables: Tables;
  readonly #pageSize: number;
  readonly #capacity: number;
  readonly #cachesInvalid: boolean;
  readonly #cpus: readonly { readonly holders: Map<number, Holder>; current: Holder | null }[];
  readonly #byRoot = new Map<Address, Set<Holder>>();
  readonly #unanswered = new Map<Address, Unanswered>();
  /** When each cell was written. */
  #written = new Float64Array(1 << 16);
  #now = 1;

  /**
   * @param capacity entries of a TLB
   * @param cachesInvalid whether entries that are not valid may be cached, too (Isa.cachesInvalid)
   * @param read what a cell holds now
   */
  constructor(
    geometry: Geometry,
    cpus: number,
    capacity: number,
    cachesInvalid: boolean,
    read: (cell: Cell) => number,
  ) {
    this.tables = new Tables(geometry, read);
    this.#pageSize = pageSize(geometry);
    this.#capacity = capacity;
    this.#cachesInvalid = cachesInvalid;
    this.#cpus = Array.from({ length: cpus }, () => ({ holders: new Map<number, Holder>(), current: null }));
  }

  /** A cell of a page table is about to hold another value. */
  change(cell: Cell, old: number, value: number): void {
    const now = ++this.#now;
    const place = this.tables.change(cell, old, value, now);
    const before = Math.max(this.#writtenAt(cell), place?.linked ?? 0);
    this.#write(cell, now);
    if (place === null) return;
    if (!entryPresent(old) && !this.#cachesInvalid) {
      if (!entryNone(old)) this.#unansweredOf(place.root).unusable++;
      return;
    }
    const holders = [...(this.#byRoot.get(place.root) ?? [])].filter((holder) => mayHold(holder, before));
    const unanswered = this.#unansweredOf(place.root);
    unanswered.changed++;
    if (holders.length > 0) unanswered.held++;
    const below = this.tables.pointee(old);
    for (const holder of holders) {
      keep(below === 0 ? holder.leaves : holder.walks, this.#key(place.level, place.address), old);
      if (below === 0) continue;
      this.tables.forEach(below, place.level - 1, place.address, (level, address, entry) => {
        const values = this.tables.pointee(entry) === 0 ? holder.leaves : holder.walks;
        keep(values, this.#key(level, address), entry);
      });
    }
  }

  /** A CPU loads a context. @returns what that drops */
  load(cpu: number, root: Address, tag: number, noflush: boolean): Dropped {
    const own = this.#cpus[cpu]!;
    const now = ++this.#now;
    if (own.current !== null) Object.assign(own.current, { live: false, last: now });
    const dropped = noflush ? NOTHING_DROPPED : this.#drop(cpu, { asid: tag, leaves: WHOLE, walks: WHOLE }, noDrop());
    this.tables.root(root);
    const holder = this.#holder(cpu, tag, root);
    Object.assign(holder, { live: true, last: now });
    own.current = holder;
    return dropped;
  }

  /** A CPU invalidates. @returns what that drops, on all CPUs that it reaches */
  invalidate(cpu: number, scope: Scope): Dropped {
    this.#now++;
    const dropped = noDrop();
    for (let each = 0; each < this.#cpus.length; each++) {
      const reached = scope.cpus === undefined ? scope.broadcast || each === cpu : (scope.cpus & (1 << each)) !== 0;
      if (reached) this.#drop(each, scope, dropped);
    }
    return dropped;
  }

  #drop(
    cpu: number,
    { asid, leaves, walks, level }: Pick<Scope, 'asid' | 'leaves' | 'walks' | 'level'>,
    dropped: Dropped,
  ): Dropped {
    const { holders } = this.#cpus[cpu]!;
    const single = holders.get(asid);
    const reached = asid === ALL_ASIDS ? [...holders.values()] : single === undefined ? [] : [single];
    for (const holder of reached) {
      const unanswered = this.#unansweredOf(holder.root);
      dropped.changed += unanswered.changed;
      dropped.held += unanswered.held;
      dropped.unusable += unanswered.unusable;
      Object.assign(unanswered, NOTHING_UNANSWERED);
      dropped.entries += this.#count(holder, leaves);
      dropped.stale += this.#take(holder, holder.leaves, leaves, level) + this.#take(holder, holder.walks, walks);
      if (leaves.end === EVERYTHING && walks.end === EVERYTHING && level === undefined) holder.flushed = this.#now;
    }
    return dropped;
  }

  /** Leaves that a holder may hold in a range: those in memory, and older ones. */
  #count(holder: Holder, { start, end }: Extent): number {
    const pages = Math.ceil((end - start) / this.#pageSize);
    const holds = holder.live || holder.flushed < holder.last;
    if (pages > MOST_PAGES) {
      const inMemory = holds ? this.tables.leaves(holder.root) : 0;
      return Math.min(this.#capacity, inMemory + holder.leaves.size);
    }
    let count = 0;
    for (let address = start; address < end; address += this.#pageSize) {
      const older = holder.leaves.has(this.#key(0, address));
      if (older || (holds && entryPresent(this.tables.entry(holder.root, 0, address)))) count++;
    }
    return Math.min(this.#capacity, count);
  }

  /** Takes values within a range out of a list. @returns how many of them are older than memory */
  #take(holder: Holder, values: Map<number, number[]>, { start, end }: Extent, level?: number): number {
    let stale = 0;
    for (const [key, old] of values) {
      const [at, address] = [key % LEVELS, Math.floor(key / LEVELS) * this.#pageSize];
      if (address >= end || (level !== undefined && at !== level)) continue;
      if (address < start && address + this.#pageSize * this.tables.pages(at) <= start) continue;
      values.delete(key);
      const now = this.tables.entry(holder.root, at, address);
      stale += old.filter((value) => value !== now).length;
    }
    return stale;
  }

  #holder(cpu: number, tag: number, root: Address): Holder {
    const { holders } = this.#cpus[cpu]!;
    let holder = holders.get(tag);
    if (holder === undefined) {
      holder = { root, live: false, last: 0, flushed: 0, leaves: new Map(), walks: new Map() };
      holders.set(tag, holder);
    } else if (holder.root !== root) {
      this.#byRoot.get(holder.root)?.delete(holder);
      holder.root = root;
      holder.leaves.clear();
      holder.walks.clear();
    }
    let all = this.#byRoot.get(root);
    if (all === undefined) this.#byRoot.set(root, (all = new Set()));
    all.add(holder);
    return holder;
  }

  #unansweredOf(root: Address): Unanswered {
    let unanswered = this.#unanswered.get(root);
    if (unanswered === undefined) this.#unanswered.set(root, (unanswered = { ...NOTHING_UNANSWERED }));
    return unanswered;
  }

  #key(level: number, address: number): number {
    return Math.floor(address / this.#pageSize) * LEVELS + level;
  }

  #writtenAt(cell: Cell): number {
    return this.#written[cell] ?? 0;
  }

  #write(cell: Cell, now: number): void {
    if (cell >= this.#written.length) {
      const larger = new Float64Array(2 ** Math.ceil(Math.log2(cell + 2)));
      larger.set(this.#written);
      this.#written = larger;
    }
    this.#written[cell] = now;
  }
}

const NOTHING_UNANSWERED: Unanswered = { changed: 0, held: 0, unusable: 0 };
const WHOLE: Extent = { start: 0, end: EVERYTHING };
const NOTHING_DROPPED: Dropped = Object.freeze({ entries: 0, stale: 0, changed: 0, held: 0, unusable: 0 });

function noDrop(): Dropped {
  return { entries: 0, stale: 0, changed: 0, held: 0, unusable: 0 };
}

/** Whether a holder may hold what was written at some time, and was there until now. */
function mayHold({ live, last, flushed }: Holder, written: number): boolean {
  return live || (last > written && last > flushed);
}

function keep(values: Map<number, number[]>, key: number, value: number): void {
  const old = values.get(key);
  if (old === undefined) values.set(key, [value]);
  else if (!old.includes(value)) old.push(value);
}
