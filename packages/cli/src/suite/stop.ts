/**
 * Stop: one wish for a whole run. Whoever searches looks at the word; whoever waits listens.
 */

/** Something that can be stopped once. */
export class Stop {
  /** Not 0 once it was asked for; threads share it. */
  readonly word: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4));
  readonly #controller = new AbortController();

  /** Was it asked for? */
  get asked(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Asks for it. */
  ask(): void {
    Atomics.store(this.word, 0, 1);
    this.#controller.abort();
  }

  /** Calls a listener when it is asked for; at once if it was. */
  onAsked(listener: () => void): void {
    if (this.asked) listener();
    else this.#controller.signal.addEventListener('abort', listener, { once: true });
  }
}
