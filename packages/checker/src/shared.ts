/**
 * Shared: what threads need to agree over shared words.
 */

/** Runs something while no other thread runs anything under the same lock. Not to be nested. @param at the word that is the lock: 0 if free */
export function locked<T>(words: Int32Array<SharedArrayBuffer>, at: number, body: () => T): T {
  while (Atomics.compareExchange(words, at, 0, 1) !== 0) Atomics.wait(words, at, 1);
  try {
    return body();
  } finally {
    Atomics.store(words, at, 0);
    Atomics.notify(words, at, 1);
  }
}
