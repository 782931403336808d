/**
 * Arena of the counting machine: words that grow, and pools with free lists.
 *
 * Every word is a double: generations and addresses are safe integers. An object that is freed is handed out again first,
 * as a slab allocator would.
 */
import {
  type Address,
  type Arena,
  type BootOptions,
  type CacheName,
  cacheFields,
  type Cell,
} from '@mmu-gather/core/stepped';

interface Pool {
  readonly size: number;
  readonly free: Address[];
  live: number;
}

/** Growing memory. */
export class GrowingArena implements Arena {
  /** The words. Replaced by larger ones as the arena grows: read the field anew each time. */
  words: Float64Array<ArrayBuffer> = new Float64Array(1 << 16);
  #top = 1;
  readonly #reserved: Address[] = [];
  readonly #pools: Record<CacheName, Pool>;

  constructor(options: BootOptions) {
    const pool = (cache: CacheName): Pool => ({ size: cacheFields(options, cache).length, free: [], live: 0 });
    this.#pools = {
      mm: pool('mm'),
      vma: pool('vma'),
      page: pool('page'),
      table: pool('table'),
      mapping: pool('mapping'),
      area: pool('area'),
    };
  }

  /** Reserves words, all 0. */
  reserve(_name: string, fields: readonly string[]): Address {
    const address = this.#take(fields.length);
    this.#reserved.push(address);
    return address;
  }

  /** The same reservations once more, in order, for a second machine in this memory; first values stay as they are. */
  again(): Arena {
    let next = 0;
    return { reserve: () => this.#reserved[next++]!, initialise: () => {} };
  }

  /** Gives a word its first value. */
  initialise(cell: Cell, value: number): void {
    this.words[cell] = value;
  }

  /** Takes `count` objects in a row, all words 0. Returns the address of the first. */
  alloc(cache: CacheName, count = 1): Address {
    const pool = this.#pools[cache];
    pool.live += count;
    const address = count === 1 ? pool.free.pop() : undefined;
    if (address === undefined) return this.#take(count * pool.size);
    this.words.fill(0, address, address + pool.size);
    return address;
  }

  /** Gives an object back. */
  free(cache: CacheName, address: Address): void {
    const pool = this.#pools[cache];
    pool.live--;
    pool.free.push(address);
  }

  /** Objects of a cache that are allocated now. */
  live(cache: CacheName): number {
    return this.#pools[cache].live;
  }

  #take(words: number): Address {
    const address = this.#top;
    this.#top += words;
    if (this.#top > this.words.length) {
      const bigger = new Float64Array(2 ** Math.ceil(Math.log2(this.#top + 1)));
      bigger.set(this.words);
      this.words = bigger;
    }
    return address;
  }
}
