/**
 * Footprint: the locations that one step touches, as numbers, and when two steps are dependent.
 *
 * What a search relies on:
 *
 * - Steps of different actors that do not conflict commute: either order leads to the same state with the same key,
 *   and neither enables, disables or changes the outcomes of the other.
 * - So a step also touches what decides whether it is enabled and which outcomes it has.
 * - What an actor's next step touches changes only by its own steps, or by steps that conflict with it.
 */
import type { Explorable, Touch, TouchMode } from '../explorable.ts';

/** When two touches of one location conflict. */
export interface Dependence {
  /** Number of a way to touch; `write` is 1. */
  readonly modes: Readonly<Record<TouchMode, number>>;
  /** Do they? A `write` does with everything. */
  conflict(a: number, b: number): boolean;
}

/** A touch that conflicts with every other one of its location. */
export const WRITE = 1;

/** Whatever changes a location conflicts. */
export const PLAIN: Dependence = {
  modes: { read: 0, write: WRITE, add: WRITE, or: WRITE, andNot: WRITE },
  conflict: (a, b) => a === WRITE || b === WRITE,
};

/** Changes of the same commuting kind do not: their sum, or the bits that are left, are the same in either order. */
export const COMMUTING: Dependence = {
  modes: { read: 0, write: WRITE, add: 2, or: 3, andNot: 4 },
  conflict: (a, b) => a === WRITE || b === WRITE || a !== b,
};

/** Room for this many touches at first; most steps have one to three. */
const FIRST_TOUCHES = 16;

/** The touches of one step. Made once and filled again and again. */
export class Footprint {
  /** Number of touches. */
  length = 0;
  /** Location of each. */
  locations: Int32Array = new Int32Array(FIRST_TOUCHES);
  /** Mode of each. */
  modes: Uint8Array = new Uint8Array(FIRST_TOUCHES);
  readonly #touch: Touch;
  readonly #dependence: Dependence;

  constructor(dependence: Dependence = PLAIN) {
    this.#dependence = dependence;
    this.#touch = (location, mode) => {
      if (this.length === this.locations.length) this.#grow();
      this.locations[this.length] = location;
      this.modes[this.length++] = dependence.modes[mode];
    };
  }

  /** Takes the footprint of an actor's next step in the present state. */
  take(machine: Explorable, actor: number): void {
    this.length = 0;
    machine.footprint(actor, this.#touch);
  }

  /** Are two steps of different actors dependent? */
  conflictsWith(other: Footprint): boolean {
    for (let i = 0; i < this.length; i++) {
      for (let j = 0; j < other.length; j++) {
        if (this.locations[i] === other.locations[j] && this.#dependence.conflict(this.modes[i]!, other.modes[j]!))
          return true;
      }
    }
    return false;
  }

  #grow(): void {
    const { locations, modes } = this;
    this.locations = new Int32Array(2 * locations.length);
    this.locations.set(locations);
    this.modes = new Uint8Array(2 * modes.length);
    this.modes.set(modes);
  }
}
