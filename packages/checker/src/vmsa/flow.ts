/**
 * Flow: one thread, a generator that is made anew from what it was fed.
 */
import type { Steps } from '@mmu-gather/core/stepped';
import { ThreadPort, type VmsaPort } from './port.ts';

/** One thread of a program. */
export class Flow {
  /** The port as the thread sees it; its arguments are those of the step before which the thread pauses. */
  readonly port: ThreadPort;
  /** Has the thread returned? */
  done = false;
  readonly #body: (port: VmsaPort) => Steps<void>;
  #steps: Steps<void> | undefined;
  #position = 0;
  #rebuilding = false;
  readonly #log: number[] = [];

  /** @param note takes a result of the thread; not while it is made anew */
  constructor(body: (port: VmsaPort) => Steps<void>, note: (index: number, value: number) => void) {
    this.#body = body;
    this.port = new ThreadPort((index, value) => {
      if (!this.#rebuilding) note(index, value);
    });
  }

  /** Runs to the first step. */
  start(): void {
    this.#steps = this.#body(this.port);
    this.#position = 0;
    this.done = this.#steps.next().done === true;
  }

  /** Feeds a value to the thread as it was after `length` values, whatever it was fed since, and runs it to the next step. */
  feed(length: number, value: number): void {
    if (this.#steps === undefined || this.#position !== length) this.#rebuild(length);
    this.#log[length] = value;
    this.#position = length + 1;
    this.#next(value);
  }

  #rebuild(length: number): void {
    this.#rebuilding = true;
    this.start();
    for (let i = 0; i < length; i++) this.#next(this.#log[i]!);
    this.#rebuilding = false;
  }

  #next(value: number): void {
    this.port.fed = value;
    this.done = this.#steps!.next().done === true;
  }
}
