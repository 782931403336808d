/**
 * Access flags that hardware sets of its own accord: by speculation, in any valid entry, as long as the program runs and behind it. An actor
 * of its own; its last step is to leave it at that, so that executions end with flags set and not.
 */
import { ACCESSED, type Cell, entryPresent, entrySet } from '@mmu-gather/core/stepped';
import type { Memory } from '../memory.ts';
import type { State } from '../state.ts';
import type { Walks } from './walks.ts';

/** The actor. */
export class AccessFlags {
  readonly #state: State;
  readonly #over: Cell;
  readonly #entries: readonly Cell[];
  readonly #memory: Memory;
  readonly #walks: Walks;

  /**
   * @param over a word of its own
   * @param entries all page-table entries
   */
  constructor(state: State, over: Cell, entries: readonly Cell[], memory: Memory, walks: Walks) {
    this.#state = state;
    this.#over = over;
    this.#entries = entries;
    this.#memory = memory;
    this.#walks = walks;
  }

  /** Will it do nothing any more? */
  get over(): boolean {
    return this.#state.words[this.#over] !== 0;
  }

  /** Number of things that it may do now. */
  choices(threadsDone: boolean): number {
    return this.over ? 0 : this.#unaccessed().length + (threadsDone ? 1 : 0);
  }

  /** Does one of them. */
  perform(choice: number): void {
    const cell = this.#unaccessed()[choice];
    if (cell === undefined) {
      this.#state.set(this.#over, 1);
      return;
    }
    this.#walks.updateAlone(cell);
    this.#memory.commit(0, cell, entrySet(this.#state.words[cell]!, ACCESSED));
  }

  #unaccessed(): Cell[] {
    return this.#entries.filter((cell) => {
      const entry = this.#state.words[cell]!;
      return entryPresent(entry) && (entry & ACCESSED) === 0;
    });
  }
}
