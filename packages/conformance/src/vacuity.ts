/**
 * Vacuity: a scenario that holds because what it is about never happens proves nothing. Two signs of it:
 *
 *     sometimes      a condition that the scenario states, and that no end of an execution met
 *     racing pairs   no two conflicting accesses were seen in both orders; known where coverage is asked for. A scenario in which
 *                    nothing is to race says why (`sequential`)
 */
import type { Exercise } from '@mmu-gather/checker';

/** What must be so at the end of some execution: a scenario of which it never is does not show what it says. */
export interface Sometimes<E> {
  /** What, in a few words: `the reader sees the new entry`. */
  readonly what: string;
  /** Is it so at this end? `peek` reads a cell; `env` is what the setup returned. */
  when(peek: (cell: number) => number, env: E): boolean;
}

/** Which conditions no end met until now. */
export class Unmet<E> {
  readonly #all: readonly Sometimes<E>[];
  readonly #open: Set<Sometimes<E>>;

  constructor(conditions: readonly Sometimes<E>[]) {
    this.#all = conditions;
    this.#open = new Set(conditions);
  }

  /** Number of conditions, met or not. */
  get count(): number {
    return this.#all.length;
  }

  /** Numbers of those that were met. */
  get met(): number[] {
    return this.#all.flatMap((condition, i) => (this.#open.has(condition) ? [] : [i]));
  }

  /** A condition was met elsewhere. */
  meet(number: number): void {
    this.#open.delete(this.#all[number]!);
  }

  /** An execution ended. */
  ended(peek: (cell: number) => number, env: E): void {
    for (const condition of this.#open) if (condition.when(peek, env)) this.#open.delete(condition);
  }

  /** What they say. */
  get what(): string[] {
    return [...this.#open].map(({ what }) => what);
  }
}

/** What is known of a search that found nothing. */
export interface Signs {
  /** Conditions that no end met. */
  readonly never: readonly string[];
  /** What was exercised; undefined if nobody looked. */
  readonly exercise?: Exercise | undefined;
  /** Why nothing races, if the scenario says so. */
  readonly sequential?: string | undefined;
}

/** Why a proof is vacuous; undefined if there is no sign of it. */
export function whyVacuous({ never, exercise, sequential }: Signs): string | undefined {
  if (never.length > 0) return `it is never so that ${never.join(', nor that ')}`;
  if (exercise === undefined || sequential !== undefined || exercise.both.length > 0) return undefined;
  return 'no two accesses of different CPUs were seen in both orders';
}
