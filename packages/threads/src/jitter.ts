/**
 * Jitter: what makes races happen that a quiet machine shows once a year. At port calls a CPU now and then spins, sleeps, walks ahead of any access, or
 * lets an interrupt wait. All of it may happen on hardware, so right code is not disturbed.
 */

/** A generator of random numbers: xorshift32. */
export class Chance {
  #state: number;

  /** @param seed any number; equal seeds give equal numbers */
  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  }

  /** 32 random bits, as a number from 0. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** A number from 0 below `limit`. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }
}

/** One port call in so many spins for a moment, and in so many sleeps. */
const SPIN_EVERY = 40;
const SLEEP_EVERY = 1500;
/** Turns of the longest spin, and milliseconds of the longest sleep. */
const LONGEST_SPIN = 2000;
const LONGEST_SLEEP = 0.5;

/** Random delays of one CPU. */
export class Jitter {
  /** What else is random on this CPU. */
  readonly chance: Chance;
  readonly #nobody: Int32Array = new Int32Array(new SharedArrayBuffer(4));

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }

  /** Takes time, now and then. */
  delay(): void {
    if (this.chance.once(SPIN_EVERY)) this.#spin(this.chance.below(LONGEST_SPIN));
    if (this.chance.once(SLEEP_EVERY))
      Atomics.wait(this.#nobody, 0, 0, (LONGEST_SLEEP * (1 + this.chance.below(10))) / 10);
  }

  #spin(turns: number): void {
    for (let turn = 0; turn < turns; turn++) Atomics.load(this.#nobody, 0);
  }
}
