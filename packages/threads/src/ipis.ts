/**
 * IPIs: a ring of calls for each pair of CPUs. Only the sender writes `sent`, only the target `done`.
 *
 *     sender                          target, in a port call with interrupts on
 *     call -> ring[sent]              run ring[done]
 *     sent + 1; tell the target       done + 1
 *     wait until done = sent
 */
import type { Address } from '@mmu-gather/core';
import { IPI, type Mailboxes } from './mailbox.ts';
import type { Memory } from './memory.ts';
import type { Pause } from './ticket.ts';

const NAME = 'ipis';
/** Calls of a pair that may wait. A power of two. */
const RING = 4;
const SENT = 0;
const DONE = 1;
const CALLS = 2;
const STRIDE = CALLS + 2 * RING;

/** Runs a handler. */
export type Call = (handler: number, argument: Address) => void;

/** The calls of one machine, seen from one CPU. */
export class Ipis {
  readonly #control: Int32Array;
  readonly #base: number;
  readonly #cpus: number;
  readonly #id: number;
  readonly #mailboxes: Mailboxes;
  readonly #pause: Pause;

  /** Reserves their words. */
  static reserve(memory: Memory): void {
    memory.reserve(NAME, memory.kernel.cpus ** 2 * STRIDE);
  }

  constructor(memory: Memory, id: number, mailboxes: Mailboxes, pause: Pause) {
    this.#control = memory.control;
    this.#base = memory.part(NAME);
    this.#cpus = memory.kernel.cpus;
    this.#id = id;
    this.#mailboxes = mailboxes;
    this.#pause = pause;
  }

  /** Queues a call on another CPU and interrupts it. Waits for room: the target has not answered the last ones yet. */
  send(target: number, handler: number, argument: Address): void {
    const pair = this.#pair(this.#id, target);
    const sent = Atomics.load(this.#control, pair + SENT);
    for (let turn = 0; sent - Atomics.load(this.#control, pair + DONE) >= RING; turn++) this.#pause(turn);
    const call = pair + CALLS + 2 * (sent % RING);
    this.#control[call] = handler;
    this.#control[call + 1] = argument;
    Atomics.store(this.#control, pair + SENT, sent + 1);
    this.#mailboxes.tell(target, IPI);
  }

  /** Waits until every call that this CPU sent has returned. */
  await(): void {
    for (let target = 0; target < this.#cpus; target++) {
      const pair = this.#pair(this.#id, target);
      const sent = Atomics.load(this.#control, pair + SENT);
      for (let turn = 0; Atomics.load(this.#control, pair + DONE) !== sent; turn++) this.#pause(turn);
    }
  }

  /** Runs all calls that others have sent to this CPU. */
  serve(run: Call): void {
    this.#mailboxes.clear(this.#id, IPI);
    for (let from = 0; from < this.#cpus; from++) {
      const pair = this.#pair(from, this.#id);
      for (;;) {
        const done = Atomics.load(this.#control, pair + DONE);
        if (done === Atomics.load(this.#control, pair + SENT)) break;
        const call = pair + CALLS + 2 * (done % RING);
        run(this.#control[call]!, this.#control[call + 1]!);
        Atomics.store(this.#control, pair + DONE, done + 1);
        this.#mailboxes.tell(from, 0);
      }
    }
  }

  #pair(from: number, to: number): number {
    return this.#base + (from * this.#cpus + to) * STRIDE;
  }
}
