/**
 * Coverage: which generation covers the replacement of an entry value that a TLB may still hold.
 *
 *     memory holds the value                no stamp
 *     a CPU replaces it in memory           a stamp that names the CPU
 *     it makes its next generation          its stamps become that generation
 *     nobody holds the value any more       no stamp: it would keep states apart for nothing
 *
 * One word per root, page and entry value.
 */
import type { Address } from '@mmu-gather/core/stepped';
import type { Mmu } from './mmu/mmu.ts';
import { MAX_MESSAGES } from './mmu/values.ts';
import type { State } from './state.ts';

/** The stamps of one machine. */
export class Coverage {
  readonly #state: State;
  readonly #mmu: Mmu;
  readonly #base: number;
  readonly #rootNumber: (root: Address) => number;

  /** Words for so many roots and pages. */
  static words(roots: number, pages: number): number {
    return roots * pages * MAX_MESSAGES;
  }

  /** @param rootNumber number of a root among all tables */
  constructor(state: State, mmu: Mmu, base: number, rootNumber: (root: Address) => number) {
    this.#state = state;
    this.#mmu = mmu;
    this.#base = base;
    this.#rootNumber = rootNumber;
  }

  /** A CPU replaced a page-table entry in memory, of whatever level: its own next generation covers what that took away. */
  entryChanged(cpu: number, cell: Address): void {
    for (const root of this.#mmu.roots) {
      for (let p = 0; p < this.#mmu.pages; p++) {
        if (!this.#mmu.isOnTheWay(cell, root, p)) continue;
        const now = this.#mmu.inMemory(root, p);
        const number = this.#mmu.numberOf(now);
        if (number >= 0) this.#state.set(this.#at(root, p, number), 0);
        this.#mmu.held(root, p, (entry, held) => {
          const at = this.#at(root, p, held);
          if (entry !== now && this.#state.words[at] === 0) this.#state.set(at, -1 - cpu);
        });
      }
    }
  }

  /** A CPU made a generation: it covers what this CPU changed before. */
  generationMade(cpu: number, root: Address, gen: number): void {
    this.#forStamps((at, of) => {
      if (of === root && this.#state.words[at] === -1 - cpu) this.#state.set(at, gen);
    });
  }

  /** Entries were invalidated. */
  invalidated(): void {
    this.#forStamps((at, root, p, number) => {
      if (this.#state.words[at] !== 0 && !this.#mmu.isHeld(root, p, number)) this.#state.set(at, 0);
    });
  }

  /** Is the replacement of an entry value covered by a generation up to this one? Which one; 0 if not. */
  coveredBy(root: Address, page: number, number: number, gen: number): number {
    const stamp = this.#state.words[this.#at(root, page, number)]!;
    return stamp > 0 && stamp <= gen ? stamp : 0;
  }

  #forStamps(visit: (at: number, root: Address, page: number, number: number) => void): void {
    const count = this.#mmu.messages.length;
    for (const root of this.#mmu.roots) {
      for (let p = 0; p < this.#mmu.pages; p++) {
        const at = this.#at(root, p, 0);
        for (let number = 0; number < count; number++) visit(at + number, root, p, number);
      }
    }
  }

  #at(root: Address, page: number, number: number): number {
    return this.#base + (this.#rootNumber(root) * this.#mmu.pages + page) * MAX_MESSAGES + number;
  }
}
