/**
 * Objects: what kernel code allocates. Each CPU keeps a few free ones of its own; beyond that they are on one stack per cache, under its lock, and
 * what was never used follows behind it.
 *
 * An object has a canary, odd while it is allocated, which changes with each allocation and each free. While it is free its words hold a pattern:
 * who stores there is found out at the next allocation.
 *
 * Objects in a row (huge pages) are freed one by one, and serve again as a row when all of them are free (rows.ts).
 */
import { type Address, type CacheName, Page } from '@mmu-gather/core';
import { CACHES, type Pool, STACK_HEAD } from './layout.ts';
import type { Memory } from './memory.ts';
import { beginRow, freeInRow, giveBackRow, takeRow } from './rows.ts';
import { type Pause, spinLock, spinUnlock } from './ticket.ts';

/** What the words of a free object hold: no entry that hardware could use, no address, no count. */
export const FREE_WORD: number = -559_038_736;
const DATA = Page.fields.indexOf('data');
/** Objects that a CPU takes or gives back at once. */
const BATCH = 8;
const LOCK = 0;
const STACKED = 1;
const FRESH = 2;

/** There is no object left. The message is one line for people. */
export class OutOfObjects extends Error {
  /** Name in messages. */
  override readonly name = 'OutOfObjects';
}

/** Says that a free object was written to, or an object freed twice. */
export type Spoiled = (cache: CacheName, object: Address, what: 'freed twice' | 'written to while it was free') => void;

/** The objects of one machine, seen from one CPU. */
export class Objects {
  readonly #memory: Memory;
  readonly #checked: boolean;
  readonly #spoiled: Spoiled;
  readonly #rest: Pause;
  readonly #own: Record<CacheName, Address[]>;

  /** @param rest waits for a lock that another CPU holds for a moment; serves nothing */
  constructor(memory: Memory, spoiled: Spoiled, rest: Pause) {
    this.#rest = rest;
    this.#memory = memory;
    this.#checked = memory.options.canaries === true;
    this.#spoiled = spoiled;
    this.#own = Object.fromEntries(CACHES.map((cache) => [cache, []])) as unknown as Record<CacheName, Address[]>;
  }

  /** Takes objects in a row, all words 0. @throws OutOfObjects */
  alloc(cache: CacheName, count: number): Address {
    const pool = this.#memory.pools[cache];
    if (count > 1) return this.#row(pool, count);
    const own = this.#own[cache];
    if (own.length === 0) this.#refill(pool, own);
    const object = own.pop()!;
    this.#begin(pool, object);
    return object;
  }

  /** Gives an object back. */
  free(cache: CacheName, object: Address): void {
    const pool = this.#memory.pools[cache];
    const canary = Atomics.add(this.#memory.control, this.#canaryAt(pool, object), 1);
    if (canary % 2 === 0) this.#spoiled(cache, object, 'freed twice');
    if (cache === 'page') this.#memory.words.fill(0, object, object + pool.size);
    if (this.#checked) this.#memory.words.fill(FREE_WORD, ...patterned(pool, object));
    const row = freeInRow(this.#memory.control, pool, object);
    if (row === 'part') return;
    if (row !== 'none') {
      this.#locked(pool, () => giveBackRow(this.#memory.control, pool, row));
      return;
    }
    const own = this.#own[cache];
    own.push(object);
    if (own.length > 2 * BATCH) this.#giveBack(pool, own.splice(0, BATCH));
  }

  /** The canary of an object: odd while it is allocated. */
  canary(cache: CacheName, object: Address): number {
    return Atomics.load(this.#memory.control, this.#canaryAt(this.#memory.pools[cache], object));
  }

  /** Objects of a cache that are allocated now. */
  live(cache: CacheName): number {
    const { canaries, count } = this.#memory.pools[cache];
    let live = 0;
    for (let n = 0; n < count; n++) live += Atomics.load(this.#memory.control, canaries + n) % 2;
    return live;
  }

  #canaryAt(pool: Pool, object: Address): number {
    return pool.canaries + (object - pool.base) / pool.size;
  }

  #begin(pool: Pool, object: Address): void {
    const { words, control } = this.#memory;
    const canary = Atomics.add(control, this.#canaryAt(pool, object), 1);
    if (this.#checked && canary !== 0) this.#checkPattern(pool, object);
    words.fill(0, object, object + pool.size);
  }

  #checkPattern(pool: Pool, object: Address): void {
    const [from, to] = patterned(pool, object);
    for (let cell = from; cell < to; cell++) {
      if (this.#memory.words.read(cell) !== FREE_WORD)
        this.#spoiled(pool.cache, object, 'written to while it was free');
    }
  }

  #row(pool: Pool, count: number): Address {
    const { control } = this.#memory;
    const first = this.#locked(pool, () => {
      const taken = takeRow(control, pool, count);
      return taken < 0 ? beginRow(control, pool, this.#fresh(pool, count), count) : taken;
    });
    if (first < 0) throw exhausted(pool);
    for (let n = 0; n < count; n++) this.#begin(pool, first + n * pool.size);
    return first;
  }

  #refill(pool: Pool, own: Address[]): void {
    this.#locked(pool, () => {
      for (let n = 0; n < BATCH; n++) {
        const object = this.#unstack(pool);
        if (object < 0) break;
        own.push(object);
      }
    });
    if (own.length === 0) throw exhausted(pool);
  }

  #giveBack(pool: Pool, objects: readonly Address[]): void {
    const { control } = this.#memory;
    this.#locked(pool, () => {
      for (const object of objects) control[pool.stack + STACK_HEAD + control[pool.stack + STACKED]!++] = object;
    });
  }

  /** An object of the stack, or one that nobody has had yet; -1 if there is none. Under the lock. */
  #unstack(pool: Pool): Address {
    const { control } = this.#memory;
    if (control[pool.stack + STACKED] === 0) return this.#fresh(pool, 1);
    return control[pool.stack + STACK_HEAD + --control[pool.stack + STACKED]!]!;
  }

  #fresh(pool: Pool, count: number): Address {
    const { control } = this.#memory;
    const used = control[pool.stack + FRESH]!;
    if (used + count > pool.count) return -1;
    control[pool.stack + FRESH] = used + count;
    return pool.base + used * pool.size;
  }

  /** The lock is held for a few loads and stores, in which nothing is served: who waits for it only waits. */
  #locked<T>(pool: Pool, body: () => T): T {
    const { control } = this.#memory;
    spinLock(control, pool.stack + LOCK, this.#rest);
    try {
      return body();
    } finally {
      spinUnlock(control, pool.stack + LOCK);
    }
  }
}

/** The words of a free object that nobody may store to. Of a page its contents: a reference to a free page may be tried for (tryGetPage). */
function patterned({ cache, size }: Pool, object: Address): [from: Address, to: Address] {
  return cache === 'page' ? [object + DATA, object + DATA + 1] : [object, object + size];
}

function exhausted({ cache, count }: Pool): OutOfObjects {
  return new OutOfObjects(`no ${cache} is left: all ${count} are in use; give the machine more (pools.${cache})`);
}
