/**
 * Cell notes: what threads that search one cell together tell each other: which conditions ends have met, and which switches were read.
 */
import type { Notes } from '@mmu-gather/checker';
import type { Reads } from './reads.ts';
import type { Unmet } from './vacuity.ts';

/** Of one thread. */
export class CellNotes implements Notes {
  readonly count: number;
  readonly #unmet: Unmet<unknown>;
  readonly #reads: Reads;

  /** @param reads of a machine that is made */
  constructor(unmet: Unmet<unknown>, reads: Reads) {
    this.#unmet = unmet;
    this.#reads = reads;
    this.count = unmet.count + reads.count;
  }

  seen(): number[] {
    return [...this.#unmet.met, ...this.#reads.numbers.map((number) => this.#unmet.count + number)];
  }

  note(bit: number): void {
    if (bit < this.#unmet.count) this.#unmet.meet(bit);
    else this.#reads.add(bit - this.#unmet.count);
  }
}
