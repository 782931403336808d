/**
 * Doomed: which values of the sets the broadcasts of each CPU have doomed, and not removed yet because it has not waited for them. For each CPU
 * that may broadcast, as many words as the sets have, in the same order.
 */
import type { State } from '../state.ts';

/** What broadcasts have doomed. */
export class Doomed {
  /** CPUs that may broadcast. */
  readonly issuers: number;
  readonly #state: State;
  readonly #words: number;

  /** @param words of all sets */
  constructor(state: State, issuers: number, words: number) {
    this.#state = state;
    this.issuers = issuers;
    this.#words = words;
  }

  /** Values of a word of a set that a CPU has doomed. */
  of(issuer: number, word: number): number {
    return this.#state.words[this.#at(issuer, word)]!;
  }

  /** A CPU dooms values of a word of a set. */
  add(issuer: number, word: number, values: number): void {
    this.#state.set(this.#at(issuer, word), this.of(issuer, word) | values);
  }

  /** CPUs that have doomed a value, as a mask. */
  by(word: number, bit: number): number {
    let issuers = 0;
    for (let issuer = 0; issuer < this.issuers; issuer++)
      if ((this.of(issuer, word) & bit) !== 0) issuers |= 1 << issuer;
    return issuers;
  }

  /** A value was walked: it is as doomed as the way to it. */
  walked(word: number, bit: number, issuers: number): void {
    for (let issuer = 0; issuer < this.issuers; issuer++) {
      const old = this.of(issuer, word);
      this.#state.set(this.#at(issuer, word), (issuers & (1 << issuer)) !== 0 ? old | bit : old & ~bit);
    }
  }

  /** What is not held is not doomed either. */
  forget(word: number, values: number): void {
    for (let issuer = 0; issuer < this.issuers; issuer++)
      this.#state.set(this.#at(issuer, word), this.of(issuer, word) & ~values);
  }

  #at(issuer: number, word: number): number {
    return word + (1 + issuer) * this.#words;
  }
}
