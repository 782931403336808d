/**
 * Held locks: which spinlocks each process has taken and not let go yet. A lock's own word does not say whose it is.
 *
 *     spinLock      the cell, plus one, in a free word of the process
 *     spinUnlock    takes it out; whoever has none there lets go what is not its own
 */
import { HELD, PROCESS, type Words } from './words.ts';

const FREE = 0;

/** The spinlocks of all processes. */
export class HeldLocks {
  readonly #words: Words;

  constructor(words: Words) {
    this.#words = words;
  }

  /** A process takes a lock. With no word free this is forgotten, as if the lock were not its own. */
  take(process: number, cell: number): void {
    this.#replace(process, FREE, cell + 1);
  }

  /** A process lets go a lock. */
  letGo(process: number, cell: number): void {
    this.#replace(process, cell + 1, FREE);
  }

  /** Does a process hold a lock? */
  holds(process: number, cell: number): boolean {
    return this.#find(process, cell + 1) >= 0;
  }

  #replace(process: number, old: number, value: number): void {
    const at = this.#find(process, old);
    if (at >= 0) this.#words.state.set(at, value);
  }

  #find(process: number, value: number): number {
    const first = this.#words.processAt(process, PROCESS.held);
    for (let at = first; at < first + HELD; at++) if (this.#words.state.words[at] === value) return at;
    return -1;
  }
}
