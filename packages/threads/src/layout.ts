/**
 * Layout: what stands where in the one SharedArrayBuffer. A pure function of the options, so every worker finds it for itself and only numbers
 * cross threads.
 *
 *     arena      words that kernel code sees, 8 bytes each: what boot reserves, then one pool for each cache
 *     control    words of the machine, 4 bytes each: mailboxes, queues, free stacks, canaries, events
 */
import { type Address, type Arena, type BootOptions, type CacheName, cacheFields, type Cell } from '@mmu-gather/core';
import { isNarrow } from './kinds.ts';

/** Caches, in the order of their pools. */
export const CACHES: readonly CacheName[] = ['mm', 'vma', 'page', 'table', 'mapping', 'area'];

/** How many objects of each cache there are. */
export type PoolSizes = Readonly<Record<CacheName, number>>;

/** Enough for some thousand pages. */
export const DEFAULT_POOLS: PoolSizes = { mm: 256, vma: 2048, page: 4096, table: 2048, mapping: 16, area: 64 };

/** All objects of one cache: equal in size, one after another. */
export interface Pool {
  /** Which cache. */
  readonly cache: CacheName;
  /** Address of the first object. */
  readonly base: Address;
  /** Words of an object. */
  readonly size: number;
  /** Number of objects. */
  readonly count: number;
  /** First control word of its canaries: one for each object, odd while it is allocated. */
  readonly canaries: number;
  /** First control word of its free stack: a lock, the number of objects in it, how many were ever taken from the pool's end, and the objects. */
  readonly stack: number;
  /** First control word of its rows: how long they are, the first free one, and `ROW_WORDS` of each object. */
  readonly rows: number;
}

/** Control words before those of the objects in {@link Pool.rows}. */
export const ROWS_HEAD: number = 2;
/** Of each object in {@link Pool.rows}: the row that it belongs to; of a row's first object: how many of it are free, and the next free row. */
export const ROW_WORDS: number = 3;

/** Words of {@link Pool.stack} before the objects. */
export const STACK_HEAD: number = 3;

/** The arena of boot, and what comes behind it. */
export class Layout implements Arena {
  /** First values of words. */
  readonly initial: [cell: Cell, value: number][] = [];
  /** By address: 1 if the word is 32 bits wide. */
  narrow: Uint8Array = new Uint8Array(0);
  readonly #kinds: boolean[] = [false];
  #control = 0;

  /** Reserves words at the next address. */
  reserve(name: string, fields: readonly string[]): Address {
    const address = this.#kinds.length;
    for (const field of fields) this.#kinds.push(isNarrow(field === '' ? name : field));
    return address;
  }

  /** Notes a first value; who makes the memory stores it. */
  initialise(cell: Cell, value: number): void {
    this.initial.push([cell, value]);
  }

  /** Adds the pools. After boot. */
  pools(options: BootOptions, sizes: PoolSizes): Record<CacheName, Pool> {
    const entries = CACHES.map((cache) => [cache, this.#pool(options, cache, sizes[cache])] as const);
    this.narrow = Uint8Array.from(this.#kinds, Number);
    return Object.fromEntries(entries) as Record<CacheName, Pool>;
  }

  #pool(options: BootOptions, cache: CacheName, count: number): Pool {
    const fields = cacheFields(options, cache);
    const base = this.#kinds.length;
    const kinds = fields.map(isNarrow);
    for (let n = 0; n < count; n++) this.#kinds.push(...kinds);
    return {
      cache,
      base,
      size: fields.length,
      count,
      canaries: this.control(count),
      stack: this.control(STACK_HEAD + count),
      rows: this.control(ROWS_HEAD + ROW_WORDS * count),
    };
  }

  /** Takes control words, all 0. @returns the first, counted from the first of all; an even one */
  control(words: number): number {
    const first = this.#control;
    this.#control += words + (words % 2);
    return first;
  }

  /** Words of the arena. */
  get cells(): number {
    return this.#kinds.length;
  }

  /** Bytes of all. */
  get bytes(): number {
    return this.cells * 8 + this.#control * 4;
  }
}
