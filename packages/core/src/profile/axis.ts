/**
 * Axis: the values that one switch of a profile can take, as data: for `list profiles`, for `--with`, and for checks of scenarios.
 *
 * Right values were used by some kernel, were proposed, or are this project's own, and hold, each with what it asks for (conflicts.ts).
 * Wrong ones exist because naive twins select them. A switch that counts something has no list.
 */

/** Values of one switch. */
export interface Axis {
  /** Values that hold, in the order of history. Empty if the switch is a number or a group of numbers. */
  readonly right: readonly (string | boolean)[];
  /** Values that some scenario refutes. */
  readonly wrong: readonly (string | boolean)[];
}

/** The axes of an area of switches. */
export type Axes<T> = Readonly<Record<keyof T, Axis>>;

/** An axis by its right and its wrong values. */
export function axis(right: readonly (string | boolean)[], wrong: readonly (string | boolean)[] = []): Axis {
  return { right, wrong };
}

/** A switch that is a number. */
export const COUNT: Axis = { right: [], wrong: [] };
