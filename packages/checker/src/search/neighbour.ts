/**
 * The passing neighbour of a violating execution: one that takes the same steps for as long as possible, then another one, and ends
 * well. Beside the violation it shows which order matters.
 *
 *     path         a b c d e f        violated
 *     neighbour    a b c d g e f ...  ends without a violation
 *
 * From the end of the path backwards, each other step that was possible is tried, and behind it the rest of the path as far as it
 * goes, then whatever can go on. The first execution that ends well is it: of those that are looked at, none has more in common
 * with the path. There need not be one, and none is made up: it is an execution of the same machine.
 */
import type { Explorable } from '../explorable.ts';
import type { Path } from './path.ts';

/** A passing execution beside a violating one. */
export interface Neighbour {
  /** All of its steps, to its end. */
  readonly path: Path;
  /** Number of steps that both begin with. */
  readonly common: number;
}

/** Steps that are looked at: far more than a path that fits on a screen needs. */
const MAX_STEPS = 50_000;

/** Finds the passing neighbour of a violating path; undefined if there is none, or none was found in time. The machine is back in its state afterwards. */
export function neighbour(machine: Explorable, path: Path): Neighbour | undefined {
  const start = machine.mark();
  const marks: number[] = [];
  for (const [actor, choice] of path) {
    marks.push(machine.mark());
    machine.perform(actor, choice);
    if (machine.violation !== undefined) break;
  }
  let left = MAX_STEPS;
  let found: Neighbour | undefined;
  for (let common = marks.length - 1; common >= 0 && left > 0 && found === undefined; common--) {
    machine.undo(marks[common]!);
    for (const step of others(machine, path[common]!)) {
      const mark = machine.mark();
      const end = toTheEnd(machine, [step, ...path.slice(common)], left);
      left -= end.length;
      const passes = machine.violation === undefined && !anyStep(machine) && machine.checkEnd() === undefined;
      machine.undo(mark);
      if (!passes) continue;
      found = { path: [...path.slice(0, common), ...end], common };
      break;
    }
  }
  machine.undo(start);
  return found;
}

/** Every step that is possible now but this one. */
function others(machine: Explorable, [actor, choice]: Path[number]): Path {
  return allSteps(machine).filter(([a, c]) => a !== actor || c !== choice);
}

function allSteps(machine: Explorable): Path {
  const of = (actor: number): Path =>
    Array.from({ length: machine.choices(actor) }, (_, choice) => [actor, choice] as const);
  return Array.from({ length: machine.actors }, (_, actor) => of(actor)).flat();
}

function anyStep(machine: Explorable): boolean {
  return allSteps(machine).length > 0;
}

/** Takes the steps of a plan that are possible, each actor's in their order, and then whatever is, to an end, a violation, or the limit. */
function toTheEnd(machine: Explorable, plan: Path, limit: number): Path {
  const taken: [number, number][] = [];
  const rest = [...plan];
  while (taken.length < limit && machine.violation === undefined) {
    const at = firstPossible(machine, rest);
    const step = at >= 0 ? rest.splice(at, 1)[0] : allSteps(machine)[0];
    if (step === undefined) break;
    const [actor, wanted] = step;
    const choice = Math.min(wanted, machine.choices(actor) - 1);
    taken.push([actor, choice]);
    machine.perform(actor, choice);
  }
  return taken;
}

/** The first step of a plan whose actor has no other one before it there, and can go on; -1 if there is none. */
function firstPossible(machine: Explorable, plan: Path): number {
  const seen = new Set<number>();
  return plan.findIndex(([actor]) => {
    if (seen.has(actor)) return false;
    seen.add(actor);
    return machine.choices(actor) > 0;
  });
}
