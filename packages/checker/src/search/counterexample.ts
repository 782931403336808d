/**
 * Counterexample: from the path on which a search met a violation to one that people can read.
 *
 * First the best there is: `bounded`, with limited work. If that does not get there, the path at hand is made better step by step:
 * steps are left out, and a run of one actor's steps is moved back to the run before it, as long as the same oracle is
 * violated and the path has fewer preemptions, or as many and fewer steps, or as many and fewer turns.
 */
import type { Explorable, Violation } from '../explorable.ts';
import { bounded } from './bounded.ts';
import { hasEnabled, isDrain, type Path, turnCost } from './path.ts';

/** An execution that violates an oracle. */
export interface Counterexample {
  /** The steps. */
  readonly path: Path;
  /** What it violates. */
  readonly violation: Violation;
  /** Its preemptions, see `turnCost`. */
  readonly preemptions: number;
  /** What people should know about it: present if a better one may exist. */
  readonly note?: string;
}

/** How hard to try. No limit is one of time, so that what is shown does not depend on the machine. */
export interface CounterexampleOptions {
  /** States that the bounded search may look at. */
  readonly maxStates?: number;
}

/** A second or two on the exploring machine: far more than any path that fits on a screen needs. */
const MAX_STATES = 100_000;

/** Steps of the paths that are tried to make one simpler: some seconds. */
const MAX_STEPS = 1_000_000;

/**
 * Makes a violating path short. The bounded search may come up with another oracle than the path did: it is then the one with
 * fewer preemptions.
 */
export function counterexample(machine: Explorable, path: Path, options: CounterexampleOptions = {}): Counterexample {
  const best = bounded(machine, { maxStates: options.maxStates ?? MAX_STATES });
  if (best.violation !== undefined)
    return { path: best.path!, violation: best.violation, preemptions: best.preemptions! };
  const short = shorten(machine, path);
  return {
    ...short,
    note: `not proved to be shortest: the search for the fewest preemptions was cut after ${best.states} states`,
  };
}

/** What a path amounts to; compared in this order. */
interface Weight {
  readonly path: Path;
  readonly violation: Violation;
  readonly preemptions: number;
  readonly turns: number;
}

/** Makes a violating path better by small changes. */
export function shorten(machine: Explorable, path: Path): Counterexample {
  let left = MAX_STEPS;
  let best = tryPath(machine, path);
  if (best === undefined) throw new Error('the path violates nothing');
  for (let improved = true; improved; ) {
    improved = false;
    for (const changed of changes(best.path)) {
      if ((left -= changed.length) < 0) break;
      const next = tryPath(machine, changed);
      if (next === undefined || next.violation.oracle !== best.violation.oracle || !isBetter(next, best)) continue;
      best = next;
      improved = true;
      break;
    }
  }
  const { violation, preemptions } = best;
  return { path: best.path, violation, preemptions };
}

function isBetter(a: Weight, b: Weight): boolean {
  return (a.preemptions - b.preemptions || a.path.length - b.path.length || a.turns - b.turns) < 0;
}

/** Paths a little simpler than this one. */
function* changes(path: Path): Generator<Path> {
  const runs: [from: number, to: number][] = [];
  for (let i = 0; i < path.length; i++) {
    if (i === 0 || path[i]![0] !== path[i - 1]![0]) runs.push([i, i + 1]);
    else runs.at(-1)![1] = i + 1;
  }
  for (let r = 0; r < runs.length; r++) {
    const [from, to] = runs[r]!;
    const actor = path[from]![0];
    // Without this actor from here on.
    yield path.filter(([a], i) => i < from || a !== actor);
    // Joined with the actor's run before it, or the one after it.
    const before = runs.slice(0, r).findLast(([at]) => path[at]![0] === actor);
    if (before !== undefined)
      yield [...path.slice(0, before[1]), ...path.slice(from, to), ...path.slice(before[1], from), ...path.slice(to)];
    const after = runs.slice(r + 1).find(([at]) => path[at]![0] === actor);
    if (after !== undefined)
      yield [...path.slice(0, from), ...path.slice(to, after[0]), ...path.slice(from, to), ...path.slice(after[0])];
  }
}

/** Takes the machine along a path to its first violation; undefined if there is none, or the path is not possible. */
function tryPath(machine: Explorable, path: Path): Weight | undefined {
  const start = machine.mark();
  let preemptions = 0;
  let turns = 0;
  let last = -1;
  let steps = 0;
  let violation: Violation | undefined;
  for (const [actor, choice] of path) {
    if (choice >= machine.choices(actor)) break;
    preemptions += turnCost(machine, last, actor);
    if (!isDrain(machine, actor) && actor !== last) {
      turns++;
      last = actor;
    }
    machine.perform(actor, choice);
    steps++;
    violation = machine.violation;
    if (violation !== undefined) break;
  }
  if (violation === undefined && steps === path.length && !hasEnabled(machine)) violation = machine.checkEnd();
  machine.undo(start);
  return violation === undefined ? undefined : { path: path.slice(0, steps), violation, preemptions, turns };
}
