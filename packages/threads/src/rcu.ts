/**
 * RCU: one count per CPU, odd while it reads. Who waits notes the odd ones; a reader of then has left when its count has changed.
 *
 *     reader                              who frees
 *     count + 1: odd                      unlink
 *     find the object                     read counts
 *     count + 1: even                     free once each odd count has changed
 *     // sequentially consistent: either the reader's count is seen odd, or the reader does not find the object
 */
import type { Memory } from './memory.ts';

const NAME = 'rcu';
/** Words between two counts: a cache line. */
const STRIDE = 16;

/** Counts of readers that were there at one moment; even ones stand for nobody. */
export type Readers = readonly number[];

/** The readers of one machine. */
export class Rcu {
  readonly #control: Int32Array;
  readonly #base: number;
  readonly #cpus: number;

  /** Reserves their words. */
  static reserve(memory: Memory): void {
    memory.reserve(NAME, memory.kernel.cpus * STRIDE);
  }

  constructor(memory: Memory) {
    this.#control = memory.control;
    this.#base = memory.part(NAME);
    this.#cpus = memory.kernel.cpus;
  }

  /** A CPU begins to read, or ends. */
  toggle(cpu: number): void {
    Atomics.add(this.#control, this.#base + cpu * STRIDE, 1);
  }

  /** Who reads now. */
  readers(): Readers {
    return Array.from({ length: this.#cpus }, (_, cpu) => this.#count(cpu));
  }

  /** Has everyone of these left? */
  haveLeft(readers: Readers): boolean {
    return readers.every((count, cpu) => count % 2 === 0 || this.#count(cpu) !== count);
  }

  #count(cpu: number): number {
    return Atomics.load(this.#control, this.#base + cpu * STRIDE);
  }
}
