/**
 * Rerun: takes a machine along one recorded path.
 */
import type { Explorable } from '../explorable.ts';
import { hasEnabled, type Path } from './path.ts';
import { type Result, type SearchOptions, Tally } from './result.ts';

/** A path does not fit the machine: the code changed since it was recorded, or it was recorded elsewhere. */
export class PathError extends Error {
  /** Name in messages. */
  override readonly name = 'PathError';
  /** Number of the step that is not possible, from 1. */
  readonly step: number;

  constructor(step: number, message: string) {
    super(message);
    this.step = step;
  }
}

/**
 * Performs a path from the present state on, up to the first violation. The machine is back in its state afterwards.
 * @throws PathError if a step is not possible
 */
export function rerun(machine: Explorable, path: Path, options: SearchOptions = {}): Result {
  const tally = new Tally(options);
  const start = machine.mark();
  try {
    for (const [i, [actor, choice]] of path.entries()) {
      const choices = actor < machine.actors ? machine.choices(actor) : 0;
      if (choice >= choices)
        throw new PathError(
          i + 1,
          `step ${i + 1} of ${path.length} is not possible: ${whyNot(actor, choice, choices)}; the code or the scenario is not the one it was recorded with`,
        );
      machine.perform(actor, choice);
      tally.step();
      if (machine.violation !== undefined) {
        tally.found(machine.violation, () => path.slice(0, i + 1));
        break;
      }
    }
    if (tally.violation === undefined && !hasEnabled(machine)) {
      const violation = machine.checkEnd();
      if (violation !== undefined) tally.found(violation, () => path);
      tally.ends?.add(machine.observation());
    }
    tally.execution();
    return tally.result({ executions: 1 }, true);
  } finally {
    machine.undo(start);
  }
}

function whyNot(actor: number, choice: number, choices: number): string {
  return choices === 0
    ? `actor ${actor} has no enabled step`
    : `the step of actor ${actor} has ${choices} outcomes, not one of number ${choice + 1}`;
}
