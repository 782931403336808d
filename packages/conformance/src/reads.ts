/**
 * Reads: which switches a run has looked at, in setup, at link time and in any of its executions.
 *
 * A search is a function of its scenario and of the switches that it reads. So a cell whose values of these switches are those of
 * another cell (same scenario or twin, architecture, memory model) has the same result, whatever its other switches are.
 */

/** Switches by name. */
export type SwitchValues = Readonly<Record<string, unknown>>;

/** A switch that was looked at: plain data. */
export interface SwitchRead {
  /** Its group: `profile`, `backend`. */
  readonly of: string;
  /** Its name. */
  readonly key: string;
  /** Its value; absent if it had none. */
  readonly value?: unknown;
}

/** Would a run that has read these have read the same of such switches? */
export function agree(reads: readonly SwitchRead[], groups: Readonly<Record<string, SwitchValues>>): boolean {
  return reads.every(({ of, key, value }) => same(groups[of]?.[key], value));
}

/** What one run has read. */
export class Reads {
  readonly #seen = new Map<string, SwitchRead>();
  readonly #all: SwitchRead[] = [];

  /**
   * A copy of switches that notes what is read of it. A switch becomes a plain property when it is first read.
   * @param of name of the group
   */
  watch<T extends object>(of: string, switches: T): T {
    const copy: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(switches)) {
      const read = { of, key, value };
      this.#all.push(read);
      Object.defineProperty(copy, key, {
        configurable: true,
        enumerable: true,
        get: () => {
          this.#note(read);
          Object.defineProperty(copy, key, { value, enumerable: true });
          return value;
        },
      });
    }
    return copy as T;
  }

  /** Number of switches, read or not. */
  get count(): number {
    return this.#all.length;
  }

  /** Numbers of those that were read, in the order in which they are watched. */
  get numbers(): number[] {
    return this.#all.flatMap(({ of, key }, i) => (this.#seen.has(`${of}.${key}`) ? [i] : []));
  }

  /** A switch was read elsewhere. */
  add(number: number): void {
    this.#note(this.#all[number]!);
  }

  #note(read: SwitchRead): void {
    this.#seen.set(`${read.of}.${read.key}`, read);
  }

  /** The switches that were read until now. */
  get seen(): SwitchRead[] {
    return [...this.#seen.values()];
  }

  /** Names of the switches that were read, `group.switch`. */
  get names(): string[] {
    return [...this.#seen.keys()].toSorted();
  }
}

/** SwitchValues are words, numbers, truths, or small groups of numbers. */
function same(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}
