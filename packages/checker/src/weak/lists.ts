/**
 * Lists: short lists of numbers, each with a number of its own, so that a word of the state can hold one.
 *
 * Equal lists have equal numbers, for the life of a machine; the empty one is 0. Which number a list gets depends on what was explored
 * before it. Its hash does not: of what it holds, and of lists that it names by their hashes. Keys are made of hashes.
 *
 * A list can also be a map: key, value, key, value, ... with rising keys and no value 0.
 */

import { chain, type Hash } from '../state.ts';

const EMPTY = new Int32Array(0);
/** Of the empty list. */
const NOTHING: Hash = { low: 0, high: 0 };

/** Is what stands at a place of a list of some length the number of another list? */
type Names = (place: number, length: number) => boolean;

/** All lists of one shape of one machine. */
export class Lists {
  readonly #lists: Int32Array[] = [EMPTY];
  readonly #hashes: Hash[] = [NOTHING];
  readonly #others: Lists | undefined;
  readonly #names: Names;
  /** The newest list with a hash; and before each list the one with the same hash, or 0. */
  readonly #newest = new Map<number, number>();
  readonly #before: number[] = [0];

  /**
   * @param others lists that these name by their numbers
   * @param names where they do
   */
  constructor(others?: Lists, names: Names = () => false) {
    this.#others = others;
    this.#names = names;
  }

  /** The hash of a list: the same in every machine. */
  hash(number: number): Hash {
    return this.#hashes[number]!;
  }

  /** The list with a number. Not to be written to. */
  of(number: number): Int32Array {
    return this.#lists[number]!;
  }

  /** The number of a list. */
  number(list: readonly number[]): number {
    if (list.length === 0) return 0;
    const hash = hashOf(list);
    const newest = this.#newest.get(hash) ?? 0;
    for (let number = newest; number !== 0; number = this.#before[number]!)
      if (isSame(this.#lists[number]!, list)) return number;
    const number = this.#lists.length;
    this.#newest.set(hash, number);
    this.#before.push(newest);
    this.#lists.push(Int32Array.from(list));
    this.#hashes.push(this.#hashOf(list));
    return number;
  }

  /** The value of a key in a map; 0 if there is none. */
  get(map: number, key: number): number {
    const list = this.#lists[map]!;
    for (let i = 0; i < list.length; i += 2) if (list[i] === key) return list[i + 1]!;
    return 0;
  }

  /** A map with another value for a key; 0 takes the key out. */
  with(map: number, key: number, value: number): number {
    const list = this.#lists[map]!;
    const next: number[] = [];
    let i = 0;
    for (; i < list.length && list[i]! < key; i += 2) next.push(list[i]!, list[i + 1]!);
    if (value !== 0) next.push(key, value);
    if (list[i] === key) i += 2;
    for (; i < list.length; i += 2) next.push(list[i]!, list[i + 1]!);
    return this.number(next);
  }

  /** A map with all values changed. */
  map(map: number, change: (value: number, key: number) => number): number {
    if (map === 0) return 0;
    const list = this.#lists[map]!;
    const next: number[] = [];
    for (let i = 0; i < list.length; i += 2) {
      const value = change(list[i + 1]!, list[i]!);
      if (value !== 0) next.push(list[i]!, value);
    }
    return this.number(next);
  }

  #hashOf(list: readonly number[]): Hash {
    let low = list.length;
    let high = list.length;
    for (let i = 0; i < list.length; i++) {
      const named = this.#others !== undefined && this.#names(i, list.length) ? this.#others.hash(list[i]!) : undefined;
      low = chain(low, named?.low ?? list[i]!, 0);
      high = chain(high, named?.high ?? list[i]!, 1);
    }
    return { low, high };
  }
}

/** In 31 bits: small numbers are cheap keys. */
function hashOf(list: readonly number[]): number {
  let h = list.length;
  for (let i = 0; i < list.length; i++) {
    h = Math.imul(h ^ list[i]!, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h & 0x3fffffff;
}

function isSame(a: Int32Array, b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
