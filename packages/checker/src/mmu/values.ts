/**
 * Values: the entry values of a run of the checker, numbered as they first appear, and what kinds of them there are. A set of values is a mask of
 * a few words; the numbers of all runs of one machine agree, so masks can be compared and hashed. Those of several machines of one program
 * agree if they share a table.
 */
import type { Numbers } from '../explorable.ts';
import { locked } from '../shared.ts';
import { type ContiguousHint, type Entry, entryPresent, NX, PSE } from '@mmu-gather/core/stepped';

/** Words of a mask. */
export const MASK_WORDS = 2;
/** Values in each. */
const BITS = 31;
/** Different entry values that may appear in one scenario. */
export const MAX_MESSAGES: number = MASK_WORDS * BITS;

/** Of a shared table: a lock, the number of values, and the values. */
const LOCK = 0;
const COUNT = 1;
const FIRST = 2;

/** The entry values of one machine. */
export class EntryValues implements Numbers {
  readonly words: number = FIRST + MAX_MESSAGES;
  /** By number. */
  readonly all: Entry[] = [];
  /** Leaves above level 0: they share sets with the pointers of their level. */
  readonly huge: Int32Array = new Int32Array(MASK_WORDS);
  /** Values that allow execution. */
  readonly executable: Int32Array = new Int32Array(MASK_WORDS);
  /** The value that stands for entries that are not valid, if they are cached. */
  readonly absent: Int32Array = new Int32Array(MASK_WORDS);
  /** Values that belong to a block. */
  readonly inBlocks: Int32Array = new Int32Array(MASK_WORDS);
  readonly #numbers = new Map<Entry, number>();
  readonly #contiguous: ContiguousHint | undefined;
  #shared: Int32Array<SharedArrayBuffer> | undefined;

  /** @param contiguous blocks of entries, if there are any */
  constructor(contiguous: ContiguousHint | undefined) {
    this.#contiguous = contiguous;
  }

  /** Number of a value, -1 if it never appeared. */
  numberOf(entry: Entry): number {
    return this.#numbers.get(entry) ?? -1;
  }

  /** Number of a value, which is a new one if it never appeared. */
  number(entry: Entry): number {
    let number = this.#numbers.get(entry);
    if (number !== undefined) return number;
    const shared = this.#shared;
    if (shared === undefined) return this.#add(entry);
    return locked(shared, LOCK, () => {
      this.#catchUp(shared);
      number = this.#numbers.get(entry) ?? this.#add(entry);
      this.#tell(shared);
      return number;
    });
  }

  /**
   * From now on numbers are those of a table.
   * @param shared words that are 0 at first. What others have put there before begins with what is known here, or the other
   * way round
   */
  share(shared: Int32Array<SharedArrayBuffer>): void {
    this.#shared = shared;
    locked(shared, LOCK, () => {
      this.#catchUp(shared);
      this.#tell(shared);
    });
  }

  /** Learns what others have numbered. */
  #catchUp(shared: Int32Array): void {
    for (let number = 0; number < shared[COUNT]!; number++) {
      const entry = shared[FIRST + number]!;
      if (number === this.all.length) this.#add(entry);
      else if (this.all[number] !== entry)
        throw new Error('machines that are to share entry values differ in their setup');
    }
  }

  #tell(shared: Int32Array): void {
    for (let number = shared[COUNT]!; number < this.all.length; number++) shared[FIRST + number] = this.all[number]!;
    shared[COUNT] = this.all.length;
  }

  #add(entry: Entry): number {
    const number = this.all.length;
    if (number >= MAX_MESSAGES)
      throw new RangeError(`more than ${MAX_MESSAGES} page-table entry values in one scenario: make it smaller`);
    this.#numbers.set(entry, number);
    this.all.push(entry);
    this.#sort(entry, number);
    return number;
  }

  #sort(entry: Entry, number: number): void {
    if (!entryPresent(entry)) putIn(this.absent, number);
    else if ((entry & PSE) !== 0) putIn(this.huge, number);
    if (entryPresent(entry) && (entry & NX) === 0) putIn(this.executable, number);
    if (this.#contiguous !== undefined && (entry & this.#contiguous.flag) !== 0) putIn(this.inBlocks, number);
  }

  /** Calls back with each value of one word of a mask. */
  forEach(word: number, bits: number, visit: (entry: Entry, number: number, bit: number) => void): void {
    for (let rest = bits; rest !== 0; rest &= rest - 1) {
      const bit = rest & -rest;
      const number = word * BITS + (31 - Math.clz32(bit));
      visit(this.all[number]!, number, bit);
    }
  }
}

/** The word of a mask in which a value stands, by its number. */
export function wordOf(number: number): number {
  return Math.floor(number / BITS);
}

/** Its bit there. */
export function bitOf(number: number): number {
  return 1 << (number % BITS);
}

function putIn(mask: Int32Array, number: number): void {
  mask[wordOf(number)] = mask[wordOf(number)]! | bitOf(number);
}
