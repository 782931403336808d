/**
 * Mailboxes: one word per CPU in which others tell it that there is something to do. It looks there in port calls, and sleeps there.
 *
 *     sender                                  target
 *     store the message; or the bit           sees the bit; clears it; looks for messages
 *     notify                                  // cleared first: a message that comes meanwhile sets it again
 */
import type { Memory } from './memory.ts';

/** Interrupts wait. */
export const IPI: number = 1;
/** Invalidations of other CPUs wait: taken whether interrupts are on or not. */
export const BUS: number = 2;
/** The run is over. */
export const STOP: number = 4;

const NAME = 'mailboxes';
/** Words between two mailboxes: a cache line. */
const STRIDE = 16;
/** Looks before the first sleep: longer than an answer takes, and no longer than a sleep costs. And the longest sleep in milliseconds. */
const SPINS = 1000;
const LONGEST_SLEEP = 1;

/** Thrown in a CPU whose run is over: by another one's finding, or from outside. */
export class Stopped extends Error {
  /** Name in messages. */
  override readonly name = 'Stopped';
}

/** The mailboxes of all CPUs. */
export class Mailboxes {
  readonly #control: Int32Array;
  readonly #base: number;

  /** Reserves their words. */
  static reserve(memory: Memory): void {
    memory.reserve(NAME, memory.kernel.cpus * STRIDE);
  }

  constructor(memory: Memory) {
    this.#control = memory.control;
    this.#base = memory.part(NAME);
  }

  /** A CPU's mailbox as an array of one word: a plain look there may be stale, which only delays. */
  of(cpu: number): Int32Array {
    const at = this.#base + cpu * STRIDE;
    return this.#control.subarray(at, at + 1);
  }

  /** The same, now. */
  look(cpu: number): number {
    return Atomics.load(this.#control, this.#base + cpu * STRIDE);
  }

  /** Tells a CPU something, and wakes it. */
  tell(cpu: number, what: number): void {
    const at = this.#base + cpu * STRIDE;
    Atomics.or(this.#control, at, what);
    Atomics.notify(this.#control, at);
  }

  /** A CPU begins to see to something. */
  clear(cpu: number, what: number): void {
    Atomics.and(this.#control, this.#base + cpu * STRIDE, ~what);
  }

  /** Lets a CPU that waits rest: the longer it has waited, the longer it sleeps; a message wakes it. @param turn how often so far */
  rest(cpu: number, turn: number): void {
    if (turn < SPINS) return;
    const at = this.#base + cpu * STRIDE;
    Atomics.wait(
      this.#control,
      at,
      Atomics.load(this.#control, at),
      Math.min(LONGEST_SLEEP, (turn - SPINS + 1) * 0.05),
    );
  }
}
