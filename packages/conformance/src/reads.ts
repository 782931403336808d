/**
 * Reads: which switches a run has looked at, in setup, at link time and in any of its executions.
 *
 * A search is a function of its scenario and of the switches that it reads. So a cell whose values of these switches are those of
 * another cell (same scenario or twin, architecture, memory model) has the same result, whatever its other switches are.
 */

/** Switches by name. */
export type SwitchValues = Readonly<Record<string, unknown>>;

/** What one run has read. */
export class Reads {
  readonly #seen = new Map<string, { readonly of: string; readonly key: string; readonly value: unknown }>();

  /**
   * A copy of switches that notes what is read of it. A switch becomes a plain property when it is first read.
   * @param of name of the group, for {@link Reads.agree}
   */
  watch<T extends object>(of: string, switches: T): T {
    const copy: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(switches)) {
      Object.defineProperty(copy, key, {
        configurable: true,
        enumerable: true,
        get: () => {
          this.#seen.set(`${of}.${key}`, { of, key, value });
          Object.defineProperty(copy, key, { value, enumerable: true });
          return value;
        },
      });
    }
    return copy as T;
  }

  /** Would a run with these groups of switches have read the same? */
  agree(groups: Readonly<Record<string, SwitchValues>>): boolean {
    for (const { of, key, value } of this.#seen.values()) {
      if (!same(groups[of]?.[key], value)) return false;
    }
    return true;
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
