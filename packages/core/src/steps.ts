/**
 * Steps: work that can be paused at every access to shared state.
 *
 * Everything above the port is written once, as generators that return `Steps<T>`:
 *
 *     function* incTlbFlushPending(cpu: Cpu, mm: Mm): Steps<void> {
 *       yield* cpu.atomicInc(mm.tlbFlushPending);
 *     }
 *
 * As written (`@mmu-gather/<pkg>/stepped`) each port call pauses before it takes effect; the checker drives it.
 * The direct build (`@mmu-gather/<pkg>`) is the same text without `function*`, `yield*` and `Steps`: plain functions.
 *
 * A port call returns one reused iterator rather than a fresh generator: announcing an access and performing it are the
 * same expression, so they cannot disagree, and no generator is made per load.
 */

/** What a paused process is about to do. Only the machine that made it looks inside. */
export interface Step {
  /** Kind of the access, for messages. */
  readonly kind: number;
}

/**
 * The work of an operation, paused before each of its accesses to shared state; its result is a `T`.
 * In the direct build of a package the same operation returns its `T` at once.
 */
export interface Steps<T> {
  /** Runs up to the next pause, or to the end. */
  next(): IteratorResult<Step, T>;
  /** Steps are run by `yield*`. */
  [Symbol.iterator](): Steps<T>;
  /** @internal Never there. It makes `no-floating-promises` flag steps that nobody runs. */
  then?(done: (value: never) => never, failed: (reason: never) => never): never;
}

/**
 * Runs steps to their end, for machines that perform each access in the call itself and for tests.
 * In direct code the value is already there and is returned as it is.
 */
export function finish<T>(steps: Steps<T>): T {
  const it: unknown = steps;
  if (it === null || typeof it !== 'object' || !('next' in it)) return it as T;
  for (;;) {
    const r = (it as Iterator<Step, T>).next();
    if (r.done === true) return r.value;
  }
}
