/**
 * Memory: what loads and stores of a CPU see, under SC and TSO.
 *
 * TSO: marked stores wait in a first-in-first-out buffer per CPU; a load takes the CPU's own newest buffered store of its
 * cell, or memory. Draining the oldest store is a step of its own. Page walks read memory only.
 */
import type { Cell } from '@mmu-gather/core/stepped';
import { BUFFER, CPU, QUIET, type Words } from './words.ts';

/** Shared memory with store buffers. */
export class Memory {
  readonly tso: boolean;
  readonly #words: Words;
  readonly #changed: (cpu: number, cell: Cell, old: number) => void;

  /** @param changed called after a CPU's store changed a word in memory, with its old value */
  constructor(words: Words, tso: boolean, changed: (cpu: number, cell: Cell, old: number) => void) {
    this.#words = words;
    this.tso = tso;
    this.#changed = changed;
  }

  /** Nothing waits in the CPU's buffer: what orders stores may go on. */
  isEmpty(cpu: number): boolean {
    return !this.tso || this.#words.cpu(cpu, CPU.buffered) === 0;
  }

  /** The buffer takes no more. */
  isFull(cpu: number): boolean {
    return this.tso && this.#words.cpu(cpu, CPU.buffered) === BUFFER;
  }

  /** A load: the CPU's own newest buffered store of the cell, or memory. */
  load(cpu: number, cell: Cell): number {
    if (this.tso) {
      for (let i = this.#words.cpu(cpu, CPU.buffered) - 1; i >= 0; i--) {
        if (this.#words.cpu(cpu, CPU.buffer + 2 * i) === cell) return this.#words.cpu(cpu, CPU.buffer + 2 * i + 1);
      }
    }
    return this.#words.state.words[cell]!;
  }

  /** A marked store. */
  store(cpu: number, cell: Cell, value: number): void {
    if (!this.tso) {
      this.exchange(cpu, cell, value);
      return;
    }
    const count = this.#words.cpu(cpu, CPU.buffered);
    if (count >= BUFFER) throw new Error(`more than ${BUFFER} stores in a row without an ordering step`);
    this.#words.setCpu(cpu, CPU.buffer + 2 * count, cell);
    this.#words.setCpu(cpu, CPU.buffer + 2 * count + 1, value);
    this.#words.setCpu(cpu, CPU.buffered, count + 1);
    this.#words.setQuiet(cpu, QUIET.stored, this.#words.quiet(cpu, QUIET.stored) + 1);
  }

  /**
   * A plain store. Nobody may look at it before the CPU's next ordering step (race check), so it need not wait in the
   * buffer, unless an older store of the same cell does.
   */
  storePlain(cpu: number, cell: Cell, value: number): void {
    for (let i = this.#words.cpu(cpu, CPU.buffered) - 1; i >= 0; i--) {
      if (this.#words.cpu(cpu, CPU.buffer + 2 * i) === cell) {
        this.store(cpu, cell, value);
        return;
      }
    }
    this.exchange(cpu, cell, value);
  }

  /** A store that takes effect in memory now. Returns the old value. */
  exchange(cpu: number, cell: Cell, value: number): number {
    const old = this.#words.state.words[cell]!;
    this.#words.state.set(cell, value);
    if (old !== value) this.#changed(cpu, cell, old);
    return old;
  }

  /** The cell of the oldest buffered store. */
  oldest(cpu: number): Cell {
    return this.#words.cpu(cpu, CPU.buffer);
  }

  /** The oldest buffered store reaches memory. */
  drain(cpu: number): void {
    const words = this.#words;
    const left = words.cpu(cpu, CPU.buffered) - 1;
    const cell = words.cpu(cpu, CPU.buffer);
    const value = words.cpu(cpu, CPU.buffer + 1);
    for (let i = 0; i < 2 * left; i++) words.setCpu(cpu, CPU.buffer + i, words.cpu(cpu, CPU.buffer + i + 2));
    words.setCpu(cpu, CPU.buffer + 2 * left, 0);
    words.setCpu(cpu, CPU.buffer + 2 * left + 1, 0);
    words.setCpu(cpu, CPU.buffered, left);
    this.exchange(cpu, cell, value);
  }
}
