/**
 * Layout: where everything lives in the state's words, and what it is called in diagrams.
 *
 * Addresses do not depend on the interleaving: what exists at boot is reserved once, and every CPU allocates from pools of
 * its own, upwards, without reuse. A freed object stays where it is, marked as freed: an access through an old
 * translation is then visible as what it is, whoever would have owned the memory next.
 */
import {
  type Address,
  type Arena,
  type BootOptions,
  type CacheName,
  cacheFields,
  maxEntries,
} from '@mmu-gather/core/stepped';

/** Sizes of the pools of each CPU. */
export type PoolSizes = Readonly<Record<CacheName, number>>;

/** Enough for most scenarios. */
export const DEFAULT_POOLS: PoolSizes = { mm: 3, vma: 4, page: 6, table: 6, mapping: 1, area: 3 };

const CACHES: readonly CacheName[] = ['mm', 'vma', 'page', 'table', 'mapping', 'area'];

/** Objects of one kind: `count` of them, one behind the other, those of CPU 0 first. */
export interface Pool {
  /** What they are. */
  readonly cache: CacheName;
  /** Address of the first. */
  readonly base: Address;
  /** Words of each. */
  readonly size: number;
  /** How many, over all CPUs. */
  readonly count: number;
}

/** State of an object of a pool. */
export const UNUSED = 0;
/** Allocated. */
export const LIVE = 1;
/** Given back. */
export const FREED = 2;

/** Hands out words before the run, and knows afterwards what lies where. */
export class Layout implements Arena {
  readonly #names: string[] = ['NULL'];
  readonly #pools = new Map<CacheName, Pool>();
  /** Words handed out so far. */
  get words(): number {
    return this.#names.length;
  }

  /** Reserves words. */
  reserve(name: string, fields: readonly string[]): Address {
    const address = this.#names.length;
    for (const field of fields)
      this.#names.push(field.startsWith('[') ? name + field : field === '' ? name : `${name}.${field}`);
    return address;
  }

  /** First values other than 0. */
  readonly initial: [cell: Address, value: number][] = [];

  /** Gives a reserved word another first value than 0. */
  initialise(cell: Address, value: number): void {
    this.initial.push([cell, value]);
  }

  /** Reserves the pools of all CPUs. Once, after boot. */
  reservePools(options: BootOptions, sizes: PoolSizes): void {
    for (const cache of CACHES) {
      const fields = cacheFields(options, cache);
      const count = sizes[cache] * options.cpus;
      const base = this.words;
      for (let i = 0; i < count; i++) this.reserve(`${cache}${i}`, fields);
      this.#pools.set(cache, { cache, base, size: fields.length, count });
    }
  }

  /** The pool of a cache. */
  pool(cache: CacheName): Pool {
    const pool = this.#pools.get(cache);
    if (pool === undefined) throw new Error(`no pool for ${cache}: call reservePools after boot`);
    return pool;
  }

  /** Number of the object at or around an address in its pool, or -1. */
  indexIn(cache: CacheName, address: Address): number {
    const { base, size, count } = this.pool(cache);
    const i = Math.floor((address - base) / size);
    return i >= 0 && i < count ? i : -1;
  }

  /** Is this word the n-th field of an object of a cache? */
  isField(cache: CacheName, field: number, address: Address): boolean {
    const { base, size, count } = this.pool(cache);
    return address >= base && address < base + size * count && (address - base) % size === field;
  }

  /** Name of a word for people. */
  name(address: Address): string {
    return this.#names[address] ?? `word ${address}`;
  }

  /** Is this word a page-table entry? */
  isEntry(options: BootOptions, address: Address): boolean {
    const { base, size } = this.pool('table');
    return this.indexIn('table', address) >= 0 && (address - base) % size < maxEntries(options.geometry);
  }
}
