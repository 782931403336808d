/**
 * A small seeded generator of random numbers: the same seed, the same run, on every platform.
 */

/** Returns numbers in [0, 1), uniformly (mulberry32). */
export type Chance = () => number;

/** A generator from a seed. */
export function chance(seed: number): Chance {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number in [0, end). */
export function below(next: Chance, end: number): number {
  return Math.floor(next() * end);
}
