/**
 * Lists: short lists of numbers, each with a number of its own, so that a word of the state can hold one.
 *
 * Equal lists have equal numbers, for the life of a machine; the empty one is 0. Which number a list gets depends on what was explored
 * before it, so numbers are compared within one run only, as keys are.
 *
 * A list can also be a map: key, value, key, value, ... with rising keys and no value 0.
 */

const EMPTY = new Int32Array(0);

/** All lists of one machine. */
export class Lists {
  readonly #lists: Int32Array[] = [EMPTY];
  /** The newest list with a hash; and before each list the one with the same hash, or 0. */
  readonly #newest = new Map<number, number>();
  readonly #before: number[] = [0];

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
