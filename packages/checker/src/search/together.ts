/**
 * Together: the part that one thread has in a team's search (team.ts has what they share).
 *
 * **It finds what one thread finds.** A search that holds has explored, in its last pass, from each state the steps that locality says, and
 * what locality said is what all touches say that there are (locality.ts). That does not depend on the order, if no step leads back to a
 * state before it: then it does not matter on whose path a state is. So machines that may come back to a state search alone
 * (`Explorable.neverRepeats`), and so does who was found to have violated something: which violation comes first depends on the order.
 */
import type { Explorable } from '../explorable.ts';
import { Reduction } from './locality.ts';
import { type Left, Pass } from './pass.ts';
import { type Progress, Tally } from './result.ts';
import { SharedVisited } from './shared-visited.ts';
import { ENDS, type Notes, Team, type TeamMemory } from './team.ts';

/** What a member works with. */
export interface MemberParts {
  readonly machine: Explorable;
  readonly team: Team;
  readonly tally: Tally;
  readonly reduction: Reduction;
  readonly notes: Notes | undefined;
}

/** Options of a helper. */
export interface HelpOptions {
  /** What it has seen that others must know of. */
  readonly notes?: Notes;
  /** Local steps are taken alone, as the leader does it. */
  readonly reduce?: boolean;
  /** Called at most every 100 ms. Return false to stop. */
  readonly onProgress?: (progress: Progress) => boolean | void;
}

/**
 * Helps a team until its search is over. The machine is in its first state, and is back in it afterwards.
 * @param machine of the same program as the leader's
 */
export function help(machine: Explorable, memory: TeamMemory, options: HelpOptions = {}): void {
  const team = Team.join(memory, [machine.keyLow, machine.keyHigh]);
  if (team === undefined) return;
  try {
    machine.numbers?.share(memory.numbers);
    const tally = new Tally({ ...(options.onProgress !== undefined && { onProgress: options.onProgress }) });
    const reduction = new Reduction(machine, options.reduce !== false);
    beginPass(reduction, memory);
    work({ machine, team, tally, reduction, notes: options.notes });
    reduction.end();
  } catch (error) {
    team.end(ENDS.failed);
    throw error;
  }
}

/** A pass begins: nothing is relied on, and what all have seen is seen. */
function beginPass(reduction: Reduction, { touches }: TeamMemory): void {
  reduction.begin();
  const { seen } = reduction;
  reduction.goOn(seen && { ...seen, last: touches });
}

/**
 * A member's work, to the end of the last pass, or until all of it ends early.
 * @param left what it has already begun; then `reduction` is in the middle of a pass
 * @returns whether the last pass is over
 */
export function work({ machine, team, tally, reduction, notes }: MemberParts, left?: Left): boolean {
  const { memory } = team;
  const start = machine.mark();
  const visited = new SharedVisited(memory.keys, team.number);
  const look = (): void => {
    tally.look();
    team.count(tally.states, tally.steps);
    if (tally.over) team.end(tally.violation === undefined ? ENDS.limit : ENDS.found);
    else if (machine.neverRepeats !== true) team.end(ENDS.failed);
  };
  const run = (pass: Pass): void => {
    const goesOn = (): boolean => {
      team.count(tally.states, tally.steps);
      return team.ending === 0 && !team.hungry;
    };
    while (pass.run(goesOn)) {
      if (team.ending !== 0) break;
      const rest = pass.give();
      if (rest !== undefined && !team.offer(rest)) team.end(ENDS.failed);
    }
    machine.undo(start);
    look();
  };
  const made = (): Pass => new Pass({ machine, tally, reduction, visited });
  if (left !== undefined) {
    const pass = made();
    pass.load(left);
    run(pass);
  }
  for (;;) {
    for (let rest = team.take(look); rest !== undefined; rest = team.take(look)) {
      const pass = made();
      if (rest.choice < 0) pass.begin();
      else pass.take(rest);
      run(pass);
    }
    if (team.ending !== 0) return false;
    for (const bit of notes?.seen() ?? []) team.note(bit);
    team.count(tally.states, tally.steps);
    reduction.compare();
    if (!team.endPass(reduction.wrong, () => visited.clear(), look)) return team.ending === 0;
    tally.begin();
    team.count(0, 0);
    beginPass(reduction, memory);
  }
}
