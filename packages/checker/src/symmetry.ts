/**
 * Symmetry: a key for states in which CPUs that run the same code are taken for one another.
 *
 *     state's key       every word by its own index
 *     symmetric key     the words of identical CPUs by their index within their CPU, the CPUs in the order of the hashes of their words
 *
 * Two states that differ in which of them is which have one symmetric key, and the same future but for the names. This holds where nothing else
 * tells the CPUs apart: no word that they share, and no word of another CPU, depends on their numbers.
 */
import { highOf, lowOf, type State } from './state.ts';

/** CPUs that run the same code, and the words of each: as many of each CPU, and in the same order. */
export interface Identical {
  /** Their numbers. */
  readonly cpus: readonly number[];
  /** The words of each, in the order of `cpus`. */
  readonly words: readonly Int32Array[];
}

/** The identical CPUs of one machine. */
export class Symmetry {
  /** First half of the symmetric key, as `look` found it. */
  low = 0;
  /** Second half. */
  high = 0;
  /** The groups. */
  readonly groups: readonly Identical[];
  readonly #state: State;
  readonly #lows: Int32Array;
  readonly #highs: Int32Array;

  constructor(state: State, groups: readonly Identical[]) {
    this.#state = state;
    this.groups = groups;
    const most = Math.max(0, ...groups.map(({ cpus }) => cpus.length));
    this.#lows = new Int32Array(most);
    this.#highs = new Int32Array(most);
  }

  /** Looks at the present state. */
  look(): void {
    this.low = this.#state.keyLow;
    this.high = this.#state.keyHigh;
    for (const { words } of this.groups) {
      words.forEach((indexes, i) => this.#takeOut(indexes, i));
      this.#sort(words.length);
      for (let i = 0; i < words.length; i++) {
        const rank = Math.imul(i + 1, 0x9e3779b1);
        this.low ^= lowOf(this.#lows[i]! + rank, this.#highs[i]!);
        this.high ^= highOf(this.#highs[i]! + rank, this.#lows[i]!);
      }
    }
  }

  /** Takes the words of a CPU out of the key, and hashes them by themselves. */
  #takeOut(indexes: Int32Array, cpu: number): void {
    const { words } = this.#state;
    let low = 0;
    let high = 0;
    for (let i = 0; i < indexes.length; i++) {
      const index = indexes[i]!;
      const value = words[index]!;
      if (value === 0) continue;
      this.low ^= lowOf(index, value);
      this.high ^= highOf(index, value);
      low ^= lowOf(i, value);
      high ^= highOf(i, value);
    }
    this.#lows[cpu] = low;
    this.#highs[cpu] = high;
  }

  /** Sorts the first hashes, which are a few. */
  #sort(count: number): void {
    const lows = this.#lows;
    const highs = this.#highs;
    for (let i = 1; i < count; i++) {
      for (let j = i; j > 0 && isAfter(lows[j - 1]!, highs[j - 1]!, lows[j]!, highs[j]!); j--) {
        [lows[j - 1], lows[j]] = [lows[j]!, lows[j - 1]!];
        [highs[j - 1], highs[j]] = [highs[j]!, highs[j - 1]!];
      }
    }
  }
}

function isAfter(low: number, high: number, otherLow: number, otherHigh: number): boolean {
  return low > otherLow || (low === otherLow && high > otherHigh);
}
