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

/** Port calls between two disturbances, on average. */
const EVERY = 20;
/** Of so many disturbances one sleeps; of the others half spin, half walk ahead. */
const SLEEP_ONE_IN = 1000;
/** Turns of the longest spin, and milliseconds of the longest sleep. */
const LONGEST_SPIN = 1000;
const LONGEST_SLEEP = 0.5;

/** Random disturbances of one CPU. */
export class Jitter {
  /** What else is random on this CPU. */
  readonly chance: Chance;
  readonly #nobody: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  /** Port calls before the next disturbance. */
  #left = EVERY;

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }

  /** A port call: takes time, now and then. @returns whether the CPU walks ahead as well */
  disturb(): boolean {
    if (--this.#left > 0) return false;
    this.#left = 1 + this.chance.below(2 * EVERY);
    if (this.chance.once(SLEEP_ONE_IN))
      Atomics.wait(this.#nobody, 0, 0, (LONGEST_SLEEP * (1 + this.chance.below(10))) / 10);
    else if (this.chance.once(2)) return true;
    else this.#spin(this.chance.below(LONGEST_SPIN));
    return false;
  }

  #spin(turns: number): void {
    for (let turn = 0; turn < turns; turn++) Atomics.load(this.#nobody, 0);
  }
}
