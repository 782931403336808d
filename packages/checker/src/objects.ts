/**
 * Objects: what was taken from the pools, and what was given back. An address is never handed out twice.
 *
 * One word each: unused, allocated, given back, or, negative, the CPUs whose readers must leave before it is.
 */
import type { Address, CacheName } from '@mmu-gather/core/stepped';
import { FREED, type Layout, LIVE } from './layout.ts';
import { CACHE_NAMES } from './port.ts';
import { CPU, type Words } from './words.ts';

/** State of all objects. */
export class Objects {
  readonly #words: Words;
  readonly #layout: Layout;
  readonly #base: number;
  /** For each word of an object that kernel code may not touch once it is free, where its state lies; else 0. */
  readonly #guard: Int32Array;

  /** Words that the objects of a layout need. */
  static words(layout: Layout): number {
    return 1 + CACHE_NAMES.reduce((sum, cache) => sum + layout.pool(cache).count, 0);
  }

  constructor(words: Words, layout: Layout, base: number) {
    this.#words = words;
    this.#layout = layout;
    this.#base = base;
    this.#guard = new Int32Array(layout.words);
    for (const cache of CACHE_NAMES) {
      // A struct page outlives its page.
      if (cache === 'page') continue;
      const pool = layout.pool(cache);
      for (let i = 0; i < pool.count * pool.size; i++) this.#guard[pool.base + i] = this.#at(pool.base + i);
    }
  }

  /** Takes the next objects of a CPU's pool, `count` in a row. Returns the address of the first. */
  alloc(cpu: number, cache: number, count: number): Address {
    const pool = this.#layout.pool(CACHE_NAMES[cache]!);
    const perCpu = pool.count / this.#words.cpus;
    const taken = this.#words.cpu(cpu, CPU.taken + cache);
    if (taken + count > perCpu) {
      throw new Error(
        `CPU ${cpu} allocates more than ${perCpu} objects of '${pool.cache}': raise pools.${pool.cache} of the scenario`,
      );
    }
    this.#words.setCpu(cpu, CPU.taken + cache, taken + count);
    const address = pool.base + (cpu * perCpu + taken) * pool.size;
    for (let i = 0; i < count; i++) this.#words.state.set(this.#at(address + i * pool.size), LIVE);
    return address;
  }

  /** Gives one back. @returns false if it was not allocated */
  free(address: Address): boolean {
    const at = this.#at(address);
    if (at < 0 || this.#words.state.words[at] !== LIVE) return false;
    this.#words.state.set(at, FREED);
    return true;
  }

  /** Lets an allocated object wait for CPUs, as a mask that is not 0. @returns false if it is not, or waits already */
  defer(address: Address, readers: number): boolean {
    const at = this.#at(address);
    if (at < 0 || this.#words.state.words[at] !== LIVE) return false;
    this.#words.state.set(at, -readers);
    this.#words.state.set(this.#base, this.#words.state.words[this.#base]! + 1);
    return true;
  }

  /** A CPU, as a bit, is awaited no more: calls back with every object that waited for nobody else, which is allocated again. */
  readerLeft(bit: number, release: (object: Address) => void): void {
    const { state } = this.#words;
    if (state.words[this.#base] === 0) return;
    let at = this.#base + 1;
    for (const cache of CACHE_NAMES) {
      const pool = this.#layout.pool(cache);
      for (let i = 0; i < pool.count; i++, at++) {
        const word = state.words[at]!;
        if (word >= 0) continue;
        const left = -word & ~bit;
        state.set(at, left === 0 ? LIVE : -left);
        if (left !== 0) continue;
        state.set(this.#base, state.words[this.#base]! - 1);
        release(pool.base + i * pool.size);
      }
    }
  }

  /** Was the object at this address given back? */
  freed(address: Address): boolean {
    const at = this.#at(address);
    return at >= 0 && this.#words.state.words[at] === FREED;
  }

  /** Does this word belong to a table, a VMA or an mm that was given back? */
  gone(cell: Address): boolean {
    const at = this.#guard[cell]!;
    return at !== 0 && this.#words.state.words[at] === FREED;
  }

  /** The word that says whether the table, VMA or mm around this address is there; 0 if there is none. */
  guardOf(address: Address): number {
    return this.#guard[address] ?? 0;
  }

  /** Does anything wait for readers? */
  get waiting(): boolean {
    return this.#words.state.words[this.#base] !== 0;
  }

  /** Is there an allocated object at or around this address? */
  live(address: Address): boolean {
    const at = this.#at(address);
    return at >= 0 && (this.#words.state.words[at] === LIVE || this.#words.state.words[at]! < 0);
  }

  /** How many are allocated, in all pools. */
  get allocated(): number {
    const words = CACHE_NAMES.reduce((sum, cache) => sum + this.#layout.pool(cache).count, 0);
    let count = 0;
    for (let i = 0; i < words; i++) if (this.#words.state.words[this.#base + 1 + i] === LIVE) count++;
    return count;
  }

  /** The cache that an object at or around this address belongs to. */
  cacheOf(address: Address): CacheName | undefined {
    return CACHE_NAMES.find((cache) => this.#layout.indexIn(cache, address) >= 0);
  }

  /** Words of an object. */
  sizeOf(cache: CacheName): number {
    return this.#layout.pool(cache).size;
  }

  /** The object of a pool that a word is in; 0 if it is in none. */
  around(address: Address): Address {
    for (const cache of CACHE_NAMES) {
      const i = this.#layout.indexIn(cache, address);
      const pool = this.#layout.pool(cache);
      if (i >= 0) return pool.base + i * pool.size;
    }
    return 0;
  }

  /** Does an object of a pool start at this address? */
  starts(address: Address): boolean {
    return CACHE_NAMES.some(
      (cache) =>
        this.#layout.indexIn(cache, address) >= 0 &&
        this.#layout.indexIn(cache, address - 1) !== this.#layout.indexIn(cache, address),
    );
  }

  #at(address: Address): number {
    let at = this.#base + 1;
    for (const cache of CACHE_NAMES) {
      const i = this.#layout.indexIn(cache, address);
      if (i >= 0) return at + i;
      at += this.#layout.pool(cache).count;
    }
    return -1;
  }
}
