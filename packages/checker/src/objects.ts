/**
 * Objects: what was taken from the pools, and what was given back. An address is never handed out twice.
 */
import type { Address } from '@mmu-gather/core/stepped';
import { FREED, type Layout, LIVE } from './layout.ts';
import { CACHE_NAMES } from './port.ts';
import { CPU, type Words } from './words.ts';

/** State of all objects. */
export class Objects {
  readonly #words: Words;
  readonly #layout: Layout;
  readonly #base: number;

  /** Words that the objects of a layout need. */
  static words(layout: Layout): number {
    return CACHE_NAMES.reduce((sum, cache) => sum + layout.pool(cache).count, 0);
  }

  constructor(words: Words, layout: Layout, base: number) {
    this.#words = words;
    this.#layout = layout;
    this.#base = base;
  }

  /** Takes the next object of a CPU's pool. */
  alloc(cpu: number, cache: number): Address {
    const pool = this.#layout.pool(CACHE_NAMES[cache]!);
    const perCpu = pool.count / this.#words.cpus;
    const taken = this.#words.cpu(cpu, CPU.taken + cache);
    if (taken >= perCpu) {
      throw new Error(
        `CPU ${cpu} allocates more than ${perCpu} objects of '${pool.cache}': raise pools.${pool.cache} of the scenario`,
      );
    }
    this.#words.setCpu(cpu, CPU.taken + cache, taken + 1);
    const address = pool.base + (cpu * perCpu + taken) * pool.size;
    this.#words.state.set(this.#at(address), LIVE);
    return address;
  }

  /** Gives one back. @returns false if it was not allocated */
  free(address: Address): boolean {
    const at = this.#at(address);
    if (at < 0 || this.#words.state.words[at] !== LIVE) return false;
    this.#words.state.set(at, FREED);
    return true;
  }

  /** Was the object at this address given back? */
  freed(address: Address): boolean {
    const at = this.#at(address);
    return at >= 0 && this.#words.state.words[at] === FREED;
  }

  /** Is there an allocated object at or around this address? */
  live(address: Address): boolean {
    const at = this.#at(address);
    return at >= 0 && this.#words.state.words[at] === LIVE;
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
    let at = this.#base;
    for (const cache of CACHE_NAMES) {
      const i = this.#layout.indexIn(cache, address);
      if (i >= 0) return at + i;
      at += this.#layout.pool(cache).count;
    }
    return -1;
  }
}
