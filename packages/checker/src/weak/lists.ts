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
  readonly #numbers = new Map<string, number>([['', 0]]);

  /** The list with a number. Not to be written to. */
  of(number: number): Int32Array {
    return this.#lists[number]!;
  }

  /** The number of a list. */
  number(list: readonly number[]): number {
    const text = list.join();
    let number = this.#numbers.get(text);
    if (number === undefined) {
      this.#numbers.set(text, (number = this.#lists.length));
      this.#lists.push(Int32Array.from(list));
    }
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
