/**
 * Memory: the one SharedArrayBuffer of a machine, as one thread sees it. The first thread makes it, the others attach; what they link is equal,
 * because addresses and first values follow from the options alone. Nothing that a CPU may change lives in a JavaScript object.
 */
import { type Address, type BootOptions, bootKernel, type CacheName, type Kernel } from '@mmu-gather/core';
import { DEFAULT_POOLS, Layout, type Pool, type PoolSizes } from './layout.ts';
import { Words } from './words.ts';

/** What a machine is made of. */
export interface MachineOptions extends BootOptions {
  /** Objects of each cache; {@link DEFAULT_POOLS} for those not given. */
  readonly pools?: Partial<PoolSizes>;
  /** Sets and ways of each CPU's TLB; 64 and 4 if not given. Sets are a power of two. */
  readonly tlb?: TlbSize;
  /** Whether oracles look at each access (canaries.ts). Not if not given. */
  readonly canaries?: boolean;
  /** Names of words in the arena for whoever uses the machine, from {@link Memory.own} on; none if not given. */
  readonly words?: readonly string[];
  /** Events that are kept of each CPU; none if not given. */
  readonly events?: number;
  /** Seed of random delays, speculative walks and late interrupts; none of them if 0 or not given. */
  readonly jitter?: number;
}

/** Size of a TLB. */
export interface TlbSize {
  /** A power of two. */
  readonly sets: number;
  /** Entries of a set. */
  readonly ways: number;
}

/** Control words of the machine as a whole. */
export interface GlobalWords {
  /** 1: every CPU shall stop. */
  readonly stop: number;
  /** Number of the CPU that found something, plus 1; 0 if none did. */
  readonly finder: number;
  /** First word of what it says: its length, then its characters. */
  readonly text: number;
  /** Counts what the oracle of dirty pages orders. */
  readonly clock: number;
  /** CPUs that have come to a barrier, and how often all had. */
  readonly arrived: number;
}

/** Bytes kept for the text of a verdict: four for each character. */
export const TEXT_BYTES: number = 2000;

/** A machine's memory, seen from one thread. */
export class Memory {
  /** What all of it follows from. */
  readonly options: MachineOptions;
  /** What is linked. */
  readonly kernel: Kernel;
  /** The memory itself: what the first thread gives to the others. */
  readonly buffer: SharedArrayBuffer;
  /** The first of the words that {@link MachineOptions.words} asks for. */
  readonly own: Address;
  /** The arena. */
  readonly words: Words;
  /** The machine's own words. */
  readonly control: Int32Array;
  /** The same, as pairs: doubles. */
  readonly doubles: Float64Array;
  /** The pools. */
  readonly pools: Readonly<Record<CacheName, Pool>>;
  /** Words of the machine as a whole. */
  readonly global: GlobalWords;
  readonly #layout: Layout;
  readonly #parts: Map<string, number> = new Map();
  readonly #attached: SharedArrayBuffer | undefined;

  /**
   * @param buffer the memory that another thread has made with equal options; a new one if not given
   * @param parts reserves what the parts of the machine need, by {@link Memory.part}
   * @throws RangeError if the options are not those that the memory was made with
   */
  constructor(options: MachineOptions, parts: (memory: Memory) => void, buffer?: SharedArrayBuffer) {
    this.options = options;
    this.#attached = buffer;
    const layout = (this.#layout = new Layout());
    this.kernel = bootKernel(layout, options);
    this.own = layout.reserve('own', options.words ?? []);
    this.pools = layout.pools(options, { ...DEFAULT_POOLS, ...options.pools });
    this.global = {
      stop: layout.control(1),
      finder: layout.control(1),
      text: layout.control(1 + TEXT_BYTES / 4),
      clock: layout.control(1),
      arrived: layout.control(2),
    };
    parts(this);
    if (buffer !== undefined && buffer.byteLength !== layout.bytes)
      throw new RangeError(`the memory has ${buffer.byteLength} bytes, and these options make one of ${layout.bytes}`);
    this.buffer = buffer ?? new SharedArrayBuffer(layout.bytes);
    this.words = new Words(this.buffer, layout.narrow);
    this.control = new Int32Array(this.buffer, layout.cells * 8);
    this.doubles = new Float64Array(this.buffer, layout.cells * 8);
    if (buffer === undefined) for (const [cell, value] of layout.initial) this.words.write(cell, value);
  }

  /** Whether another thread has made it. */
  get attached(): boolean {
    return this.#attached !== undefined;
  }

  /** Reserves control words for a part of the machine. Before the memory is there. */
  reserve(part: string, words: number): void {
    this.#parts.set(part, this.#layout.control(words));
  }

  /** The first control word of a part; an even number. */
  part(name: string): number {
    return this.#parts.get(name)!;
  }

  /** Which object of a pool an address belongs to; -1 if to none. */
  indexIn(cache: CacheName, address: number): number {
    const { base, size, count } = this.pools[cache];
    const index = (address - base) / size;
    return index >= 0 && index < count ? Math.floor(index) : -1;
  }
}
