/**
 * Memory: what loads and stores of a CPU see, under SC and TSO; under weak, the words themselves (weak/weak-memory.ts has the rest).
 *
 * TSO: marked stores wait in a first-in-first-out buffer per CPU; a load takes the CPU's own newest buffered store of its
 * cell, or memory. Draining the oldest store is a step of its own. Page walks read memory only.
 */
import type { Cell } from '@mmu-gather/core/stepped';
import type { WeakMemory } from './weak/weak-memory.ts';
import { BUFFER, CPU, QUIET, type Words } from './words.ts';

/** Shared memory with store buffers. */
export class Memory {
  readonly tso: boolean;
  /** Messages and knowledge, under weak. */
  readonly weak: WeakMemory | undefined;
  /** Some CPU has reserved a cell, in any execution: then stores look for that. */
  #reserving = false;
  readonly #words: Words;
  readonly #changed: (cpu: number, cell: Cell, old: number) => void;

  /** @param changed called after a CPU's store changed a word in memory, with its old value */
  constructor(
    words: Words,
    tso: boolean,
    weak: WeakMemory | undefined,
    changed: (cpu: number, cell: Cell, old: number) => void,
  ) {
    this.#words = words;
    this.tso = tso;
    this.weak = weak;
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

  /** A plain load. */
  loadPlain(cpu: number, cell: Cell): number {
    this.weak?.plainLoad(cpu, cell);
    return this.load(cpu, cell);
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
    this.weak?.plainStore(cpu, cell);
    this.commit(cpu, cell, value);
  }

  /** A store that takes effect in memory now, under weak as that of a relaxed read-modify-write. Returns the old value. */
  exchange(cpu: number, cell: Cell, value: number): number {
    this.weak?.readModifyWrite(cpu, cell, 'relaxed', false, false);
    return this.commit(cpu, cell, value);
  }

  /** Changes a word in memory. Returns its old value. */
  commit(cpu: number, cell: Cell, value: number): number {
    if (this.#reserving) this.#loseReservations(cpu, cell);
    const old = this.#words.state.words[cell]!;
    this.#words.state.set(cell, value);
    if (old !== value) this.#changed(cpu, cell, old);
    return old;
  }

  /** A CPU reserves a cell. */
  reserve(cpu: number, cell: Cell): void {
    this.#reserving = true;
    this.#words.setCpu(cpu, CPU.reserved, cell + 1);
  }

  /** Has nobody stored to the cell since a CPU has reserved it? Ends the reservation. */
  takeReservation(cpu: number, cell: Cell): boolean {
    const reserved = this.isReserved(cpu, cell);
    this.#words.setCpu(cpu, CPU.reserved, 0);
    return reserved;
  }

  /** Has nobody stored to the cell since a CPU has reserved it? */
  isReserved(cpu: number, cell: Cell): boolean {
    return this.#words.cpu(cpu, CPU.reserved) === cell + 1;
  }

  #loseReservations(cpu: number, cell: Cell): void {
    for (let other = 0; other < this.#words.cpus; other++)
      if (other !== cpu && this.isReserved(other, cell)) this.#words.setCpu(other, CPU.reserved, 0);
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
