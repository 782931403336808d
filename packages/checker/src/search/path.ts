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
 * Preemptions, the measure of how hard an execution is to read:
 *
 * - The turn is with the actor that stepped last; a drain of a store buffer takes no turn and costs nothing.
 * - It is a *preemption* if another actor steps while the one whose turn it is could have gone on: it has an enabled step,
 *   or has one as soon as its own store buffer has drained. An actor that waits for others, or has returned, cannot go on.
 * - Main code and interrupt side of a CPU are two actors. So taking an interrupt costs nothing if its sender has the turn and
 *   waits for it, and 1 in the middle of code that could go on; what follows on the end of a handler is free.
 */
export function turnCost(machine: Explorable, last: number, actor: number): 0 | 1 {
  return actor !== last && !isDrain(machine, actor) && canGoOn(machine, last) ? 1 : 0;
}

/** Could the actor whose turn it is (-1: none yet) go on? */
export function canGoOn(machine: Explorable, last: number): boolean {
  if (last < 0) return false;
  if (machine.choices(last) > 0) return true;
  const cpus = machine.actors / 3;
  const drain = 2 * cpus + (last % cpus);
  if (machine.choices(drain) === 0) return false;
  const mark = machine.mark();
  while (machine.choices(drain) > 0 && machine.violation === undefined) machine.perform(drain, 0);
  const answer = machine.choices(last) > 0;
  machine.undo(mark);
  return answer;
}

/** Is this actor a store buffer? The last third of the actors are. */
export function isDrain(machine: Explorable, actor: number): boolean {
  return 3 * actor >= 2 * machine.actors;
}
