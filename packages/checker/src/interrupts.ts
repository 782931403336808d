/**
 * Interrupts: calls that CPUs queue for each other, and when they may be taken.
 *
 *     send    queues a call; the sender counts it as outstanding
 *     take    the target begins the oldest call, if its interrupts are on and no other call runs
 *     end     the call has returned; the sender counts one less
 */
import type { Address } from '@mmu-gather/core/stepped';
import { CPU, QUEUE, type Words } from './words.ts';

/** Words of a queued call: handler, argument, source. */
const CALL = 3;

/** Interrupts of all CPUs. */
export class Interrupts {
  readonly #words: Words;

  constructor(words: Words) {
    this.#words = words;
  }

  /** Is there room in the target's queue? */
  mayBeSent(target: number): boolean {
    return this.#words.cpu(target, CPU.queued) < QUEUE;
  }

  /** Queues a call for a CPU. */
  send(cpu: number, target: number, handler: number, argument: Address): void {
    const words = this.#words;
    const at = CPU.queue + CALL * words.cpu(target, CPU.queued);
    words.setCpu(target, at, handler);
    words.setCpu(target, at + 1, argument);
    words.setCpu(target, at + 2, cpu);
    words.setCpu(target, CPU.queued, words.cpu(target, CPU.queued) + 1);
    words.setCpu(cpu, CPU.outstanding, words.cpu(cpu, CPU.outstanding) + 1);
  }

  /** Have all calls that a CPU queued returned? */
  allReturned(cpu: number): boolean {
    return this.#words.cpu(cpu, CPU.outstanding) === 0;
  }

  /** Does the interrupt side of a CPU run? */
  running(cpu: number): boolean {
    return this.#words.cpu(cpu, CPU.inIrq) !== 0;
  }

  /** May a CPU begin a call now? */
  mayBeTaken(cpu: number): boolean {
    return !this.running(cpu) && this.#words.cpu(cpu, CPU.queued) > 0 && this.#words.cpu(cpu, CPU.irqOff) === 0;
  }

  /** A CPU begins the oldest call of its queue. */
  take(cpu: number): void {
    const words = this.#words;
    words.setCpu(cpu, CPU.inIrq, words.cpu(cpu, CPU.queue) + 1);
    words.setCpu(cpu, CPU.irqArgument, words.cpu(cpu, CPU.queue + 1));
    words.setCpu(cpu, CPU.irqSource, words.cpu(cpu, CPU.queue + 2));
    const left = words.cpu(cpu, CPU.queued) - 1;
    for (let i = 0; i < CALL * left; i++) words.setCpu(cpu, CPU.queue + i, words.cpu(cpu, CPU.queue + i + CALL));
    for (let i = CALL * left; i < CALL * (left + 1); i++) words.setCpu(cpu, CPU.queue + i, 0);
    words.setCpu(cpu, CPU.queued, left);
  }

  /** The call that a CPU runs has returned. */
  end(cpu: number): void {
    const words = this.#words;
    const source = words.cpu(cpu, CPU.irqSource);
    words.setCpu(source, CPU.outstanding, words.cpu(source, CPU.outstanding) - 1);
    for (const word of [CPU.inIrq, CPU.irqArgument, CPU.irqSource]) words.setCpu(cpu, word, 0);
  }

  /** Is a CPU in user mode, with its interrupt side idle? */
  inUser(cpu: number): boolean {
    return this.#words.cpu(cpu, CPU.userMode) !== 0 && !this.running(cpu);
  }
}
