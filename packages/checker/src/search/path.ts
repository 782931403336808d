/**
 * Path: one execution as the choices that led through it. A machine in its first state and a path are a reproducible run.
 */
import type { Explorable } from '../explorable.ts';

/** Which actor stepped, and which outcome of its step it was, one entry per step. */
export type Path = readonly (readonly [actor: number, choice: number])[];

/** Does any actor have an enabled step? */
export function hasEnabled(machine: Explorable): boolean {
  for (let a = 0; a < machine.actors; a++) if (machine.choices(a) > 0) return true;
  return false;
}

/**
 * What a turn from one actor to the next costs: 1 if it is a *preemption*, else 0.
 *
 * - The turn is with the actor that stepped last; a drain of a store buffer takes no turn and costs nothing.
 * - It is a preemption if another actor steps while the one whose turn it is could have gone on (has an enabled step).
 *   An actor that is blocked, that waits for its own store buffer to drain, or that has returned, cannot go on.
 * - Main code and interrupt side of a CPU are two actors. So taking an interrupt costs nothing while its sender, having
 *   the turn, is blocked waiting for it, and 1 in the middle of code that could go on; the end of a handler is free.
 *
 * @param last the actor whose turn it is, -1 at the start
 */
export function turnCost(machine: Explorable, last: number, actor: number): 0 | 1 {
  return isDrain(machine, actor) || actor === last || last < 0 || machine.choices(last) === 0 ? 0 : 1;
}

/** Is this actor a store buffer? The last third of the actors are. */
export function isDrain(machine: Explorable, actor: number): boolean {
  return 3 * actor >= 2 * machine.actors;
}
