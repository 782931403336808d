/**
 * Visited: the set of state keys that a search has seen, 64 bits each, by open addressing in one Uint32Array.
 *
 * Two states with one key count as one: the second is not explored. With keys as good as random the odds that this happened
 * anywhere among n states are about n^2 / 2^65 ({@link collisionOdds}).
 */

import type { Keys } from './pass.ts';

/** Slots of a new table: small enough for scenarios of a few hundred states, which are most. */
const FIRST_SLOTS = 1 << 12;
/** The table grows when more than half of its slots are taken: linear probing then looks at 1.5 slots for a hit, on average. */
const MAX_LOAD = 0.5;

/** The odds that two of n states share a 64-bit key. */
export function collisionOdds(states: number): number {
  return Math.min(1, (states * states) / 2 ** 65);
}

/** A set of 64-bit keys that only grows. */
export class Visited implements Keys {
  #slots: Uint32Array = new Uint32Array(2 * FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  #size = 0;

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  /** Adds a key. Returns false if it was there. */
  add(low: number, high: number): boolean {
    const at = this.#find(low, high);
    if (this.#taken(at)) return false;
    this.#put(at, low, high);
    if (++this.#size > MAX_LOAD * (this.#mask + 1)) this.#grow();
    return true;
  }

  /** Is this key in the set? */
  has(low: number, high: number): boolean {
    return this.#taken(this.#find(low, high));
  }

  /** Calls back with each key. */
  forEach(visit: (low: number, high: number) => void): void {
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += 2)
      if ((slots[at]! | slots[at + 1]!) !== 0) visit(slots[at]! | 0, slots[at + 1]! | 0);
  }

  #taken(at: number): boolean {
    return (this.#slots[at]! | this.#slots[at + 1]!) !== 0;
  }

  #put(at: number, low: number, high: number): void {
    this.#slots[at] = low;
    this.#slots[at + 1] = standIn(low, high);
  }

  /** Where the key is, or else where it belongs. */
  #find(low: number, high: number): number {
    const slots = this.#slots;
    const lowBits = low >>> 0;
    const highBits = standIn(low, high) >>> 0;
    for (let slot = home(low, high) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = 2 * slot;
      const a = slots[at]!;
      const b = slots[at + 1]!;
      if ((a === lowBits && b === highBits) || (a | b) === 0) return at;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(2 * old.length);
    this.#mask = 2 * this.#mask + 1;
    for (let at = 0; at < old.length; at += 2) {
      const low = old[at]! | 0;
      const high = old[at + 1]! | 0;
      if ((low | high) !== 0) this.#put(this.#find(low, high), low, high);
    }
  }
}

/**
 * The keys of the states on the path that a depth-first search is on, with their depths. What was added last is removed first,
 * so that emptying its slot leaves every other key findable.
 */
export class OnPath {
  #slots: Int32Array = new Int32Array(3 * FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  #size = 0;

  /** Adds the state at a depth: one more than that of the last. */
  push(low: number, high: number): void {
    if (this.#size >= MAX_LOAD * (this.#mask + 1)) this.#grow();
    this.#put(low, high, ++this.#size);
  }

  /** Removes the key that was pushed last. */
  pop(low: number, high: number): void {
    this.#slots[this.#find(low, high) + 2] = 0;
    this.#size--;
  }

  /** Depth of the state on the path, from 0, or -1. */
  depthOf(low: number, high: number): number {
    return this.#slots[this.#find(low, high) + 2]! - 1;
  }

  #put(low: number, high: number, depthAndOne: number): void {
    const at = this.#find(low, high);
    this.#slots[at] = low;
    this.#slots[at + 1] = high;
    this.#slots[at + 2] = depthAndOne;
  }

  #find(low: number, high: number): number {
    const slots = this.#slots;
    for (let slot = home(low, high) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = 3 * slot;
      if (slots[at + 2] === 0 || (slots[at] === low && slots[at + 1] === high)) return at;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length);
    this.#mask = 2 * this.#mask + 1;
    // In the order of their depths, so that removal from the end stays right.
    const byDepth = new Int32Array(this.#size + 1);
    for (let at = 0; at < old.length; at += 3) if (old[at + 2] !== 0) byDepth[old[at + 2]!] = at;
    for (let depth = 1; depth <= this.#size; depth++)
      this.#put(old[byDepth[depth]!]!, old[byDepth[depth]! + 1]!, depth);
  }
}

/** A slot of zeroes is empty: the key 0 is kept as another one. */
function standIn(low: number, high: number): number {
  return (low | high) === 0 ? 1 : high;
}

/** Where a key belongs in a table. Both halves take part, whatever their quality. */
export function home(low: number, high: number): number {
  const h = Math.imul(low ^ (high >>> 7), 0x9e3779b1);
  return h ^ (h >>> 15);
}
