/**
 * State: everything that more than one CPU can see, in one Int32Array, with a journal and an incremental 64-bit key.
 *
 * The key is the xor of a hash of (index, value) over all words that are not 0, so a change costs two hashes and a fresh
 * word costs nothing. `undo` walks the journal backwards. Words from `quiet` on are bookkeeping that follows from the rest
 * (positions in logs, pending operations): they are journaled, and not part of the key.
 */

/** Scrambles an index and a value into 32 bits; two seeds give the two halves of a key. */
function mix(seed: number, index: number, value: number): number {
  let h = Math.imul(index ^ seed, 0x9e3779b1) ^ Math.imul(value + seed, 0x85ebca77);
  h ^= h >>> 15;
  h = Math.imul(h, 0xc2b2ae3d);
  h ^= h >>> 13;
  h = Math.imul(h, 0x27d4eb2f);
  return h ^ (h >>> 16);
}

const SEED_LOW = 0x2545f491;
const SEED_HIGH = 0x1b873593;

/** The journal's mark in place of an index: the two key halves follow. */
const MARK = -1;

/** 64 bits that stand for something. */
export interface Hash {
  /** The first half. */
  readonly low: number;
  /** The second half. */
  readonly high: number;
}

/** Words with a journal and a key. */
export class State {
  /** The words. Read freely, write only by {@link State.set}. */
  readonly words: Int32Array;
  /** First word that is not part of the key. */
  readonly quiet: number;
  /** First half of the key. */
  keyLow = 0;
  /** Second half of the key. */
  keyHigh = 0;
  /** Does the key follow the words? Where nobody asks for it, it need not; to be turned on again in the state in which it was turned off. */
  keyed = true;
  #journal = new Int32Array(1 << 12);
  #top = 0;

  constructor(words: number, quiet: number) {
    this.words = new Int32Array(words);
    this.quiet = quiet;
  }

  /** Changes a word. */
  set(index: number, value: number): void {
    const old = this.words[index]!;
    if (old === value) return;
    this.#push(index, old);
    this.words[index] = value;
    if (index >= this.quiet || !this.keyed) return;
    if (old !== 0) {
      this.keyLow ^= mix(SEED_LOW, index, old);
      this.keyHigh ^= mix(SEED_HIGH, index, old);
    }
    if (value !== 0) {
      this.keyLow ^= mix(SEED_LOW, index, value);
      this.keyHigh ^= mix(SEED_HIGH, index, value);
    }
  }

  /** Changes a word that holds a number for something else, by the hashes of what it held and of what it holds. */
  setHashed(index: number, value: number, before: Hash, after: Hash): void {
    if (this.words[index] === value) return;
    this.#push(index, this.words[index]!);
    this.words[index] = value;
    if (!this.keyed) return;
    this.keyLow ^= mix(SEED_LOW, index, before.low) ^ mix(SEED_LOW, index, after.low);
    this.keyHigh ^= mix(SEED_HIGH, index, before.high) ^ mix(SEED_HIGH, index, after.high);
  }

  /** A point to come back to. */
  mark(): number {
    const at = this.#top;
    this.#push(MARK, this.keyLow);
    this.#push(MARK, this.keyHigh);
    return at;
  }

  /** Goes back to a mark. */
  undo(mark: number): void {
    const journal = this.#journal;
    let top = this.#top;
    while (top > mark) {
      top -= 2;
      const index = journal[top]!;
      if (index !== MARK) this.words[index] = journal[top + 1]!;
    }
    this.keyLow = journal[mark + 1]!;
    this.keyHigh = journal[mark + 3]!;
    this.#top = mark;
  }

  /** Forgets the past: the present is where every path starts. */
  settle(): void {
    this.#top = 0;
  }

  #push(index: number, value: number): void {
    if (this.#top + 2 > this.#journal.length) {
      const bigger = new Int32Array(this.#journal.length * 2);
      bigger.set(this.#journal);
      this.#journal = bigger;
    }
    this.#journal[this.#top++] = index;
    this.#journal[this.#top++] = value;
  }
}

/** What a word that has a value contributes to the first half of a key. */
export function lowOf(index: number, value: number): number {
  return mix(SEED_LOW, index, value);
}

/** And to the second half. */
export function highOf(index: number, value: number): number {
  return mix(SEED_HIGH, index, value);
}

/** Adds a value to a running hash (history of a process). */
export function chain(hash: number, value: number, lane: 0 | 1): number {
  return lane === 0 ? mix(SEED_LOW, hash, value) : mix(SEED_HIGH, hash, value);
}
