/**
 * States: depth-first search over hashed states. The default: where values repeat, it handles far fewer objects than there
 * are interleavings, and blocking costs it nothing.
 *
 * **Livelock.** Waiting is a disabled step, never a spin, so a cycle is code that does something and gets nowhere. It is
 * reported if it is *fair*: every actor that has an enabled step in all its states also takes one in it. A cycle that
 * starves somebody who could have ended it is a scheduler's fault and no finding. Only cycles that this search closes are
 * looked at, one edge each: a livelock made of several of them may be missed, and `holds` does not speak of it.
 *
 * **Identical CPUs** (`symmetry`). States that differ in which of them is which are one: of them the first that the search comes to is
 * explored. A livelock in which such CPUs change roles may be missed.
 *
 * **Passes.** What is local is first assumed and then looked at: a search that assumed too much is run again. Counted are the
 * states and steps of the last pass. A violation counts if the machine comes to it by its path when nothing is assumed.
 *
 * **Teams.** Other threads may join at any time (together.ts). What they find out together counts if it holds; if anything is found, this
 * search goes on alone where it was before, and finds it in its own order.
 */
import type { Explorable } from '../explorable.ts';
import { Reduction } from './locality.ts';
import { Pass } from './pass.ts';
import { PathError, rerun } from './rerun.ts';
import { type Result, type SearchOptions, Tally } from './result.ts';
import { SharedVisited } from './shared-visited.ts';
import { ENDS, Team, teamMemory, type TeamOptions } from './team.ts';
import { work } from './together.ts';
import { collisionOdds, Visited } from './visited.ts';

/**
 * Explores all states that can be reached from the present one. The machine is back in it afterwards.
 * @param reduction which steps are taken alone; tests have wrong ones
 */
export function states(
  machine: Explorable,
  options: SearchOptions = {},
  reduction: Reduction = new Reduction(
    machine,
    options.reduce !== false && !wantsAll(options),
    options.symmetry === true,
  ),
): Result {
  const alike = options.symmetry === true && !wantsAll(options) ? machine.alike : undefined;
  const tally = new Tally(options);
  const start = machine.mark();
  const known = options.checkKeys === true ? new Map<string, string>() : undefined;
  if (known !== undefined) machine.runCode?.(true);
  let team = mayHaveTeam(machine, options) ? options.team : undefined;
  let goesOn = true;
  while (goesOn) {
    tally.begin();
    reduction.begin();
    const visited = new Visited();
    const parts = { machine, tally, reduction, visited, alike, known };
    let pass = new Pass(parts);
    pass.begin();
    while (pass.run(() => team?.wanted() !== true)) {
      const open = team!;
      team = undefined;
      const left = pass.save();
      machine.undo(start);
      if (together({ machine, tally, reduction, visited, left }, open)) break;
      pass = new Pass(parts);
      pass.load(left);
    }
    machine.undo(start);
    goesOn = reduction.wrong && (!tally.over || isDoubtful(machine, reduction, tally));
    if (goesOn) tally.goBack({ states: 0, steps: 0 });
  }
  reduction.end();
  if (known !== undefined) machine.runCode?.(false);
  return tally.result({ states: tally.states, collisionOdds: collisionOdds(tally.states) });
}

/**
 * A pass that assumed too much has found a violation. Does the machine come to it, where it forgets nothing that somebody may look at? A
 * livelock is left to the next pass.
 */
function isDoubtful(machine: Explorable, reduction: Reduction, { path }: Tally): boolean {
  if (path === undefined) return false;
  reduction.end();
  try {
    return rerun(machine, path).violation === undefined;
  } catch (error) {
    if (error instanceof PathError) return true;
    throw error;
  }
}

/** Where every violation is counted, or every key compared, all orders of steps are wanted. */
function wantsAll({ stopAtFirst, checkKeys }: SearchOptions): boolean {
  return stopAtFirst === false || checkKeys === true;
}

/** Does nothing that is reported depend on the order in which states are explored? */
function mayHaveTeam(machine: Explorable, options: SearchOptions): boolean {
  const { symmetry, maxStates, collectEnds } = options;
  const isOrdered = wantsAll(options) || symmetry === true || maxStates !== undefined || collectEnds === true;
  return !isOrdered && machine.neverRepeats === true;
}

/** A search that was left, to be gone on with by a team. */
interface Alone {
  readonly machine: Explorable;
  readonly tally: Tally;
  readonly reduction: Reduction;
  readonly visited: Visited;
  readonly left: ReturnType<Pass['save']>;
}

/**
 * Goes on with a team, from where the search was left. The machine is in its first state, and is so afterwards.
 * @returns whether that is all: every state was explored, or a limit was met. If not, all is as it was before
 */
function together({ machine, tally, reduction, visited, left }: Alone, { members, open, notes }: TeamOptions): boolean {
  const memory = teamMemory({
    members,
    touches: reduction.words,
    numbers: machine.numbers?.words ?? 0,
    notes: notes?.count ?? 0,
    key: [machine.keyLow, machine.keyHigh],
  });
  const before = { seen: reduction.seen, states: tally.states, steps: tally.steps };
  const team = Team.lead(memory);
  machine.numbers?.share(memory.numbers);
  const keys = new SharedVisited(memory.keys, team.number);
  visited.forEach((low, high) => keys.add(low, high));
  if (before.seen !== undefined) {
    memory.touches.set(before.seen.last);
    reduction.goOn({ ...before.seen, last: memory.touches, relied: before.seen.relied.slice() });
  }
  tally.others = () => team.others();
  open(memory);
  try {
    const over = work({ machine, team, tally, reduction, notes }, left);
    if (over || team.ending === ENDS.limit) {
      if (!over && !tally.over) tally.stop('stopped');
      Object.assign(tally, team.counts());
      for (let bit = 0; bit < (notes?.count ?? 0); bit++) if (team.noted(bit)) notes!.note(bit);
      return true;
    }
  } catch (error) {
    team.end(ENDS.failed);
    throw error;
  } finally {
    tally.others = undefined;
  }
  tally.goBack(before);
  if (before.seen !== undefined) reduction.goOn(before.seen);
  return false;
}
