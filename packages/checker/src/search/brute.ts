/**
 * Brute force: every interleaving, each to its end. No table and no reduction, so there is nothing to get wrong: the reference
 * that the other searches are compared with in tests. Hopeless beyond a dozen steps.
 */
import type { Explorable } from '../explorable.ts';
import { type Path } from './path.ts';
import { type Result, type SearchOptions, Tally } from './result.ts';

/** The search needs executions that end: one with more steps than this stops it. */
const MAX_DEPTH = 1000;

/** Runs all interleavings from the present state on. The machine is back in it afterwards. */
export function brute(machine: Explorable, options: SearchOptions = {}): Result {
  const tally = new Tally(options);
  const steps: [number, number][] = [];
  const path = (): Path => steps.map(([actor, choice]) => [actor, choice]);

  const explore = (): void => {
    let end = true;
    for (let actor = 0; actor < machine.actors; actor++) {
      const choices = machine.choices(actor);
      for (let choice = 0; choice < choices; choice++) {
        end = false;
        if (!tally.mayGoOn()) return;
        if (steps.length >= MAX_DEPTH) {
          tally.stop('depth');
          return;
        }
        const mark = machine.mark();
        steps.push([actor, choice]);
        machine.perform(actor, choice);
        tally.step();
        if (machine.violation === undefined) {
          explore();
        } else {
          tally.execution();
          tally.found(machine.violation, path);
        }
        steps.pop();
        machine.undo(mark);
      }
    }
    if (!end) return;
    tally.execution();
    const violation = machine.checkEnd();
    if (violation !== undefined) tally.found(violation, path);
    tally.ends?.add(machine.observation());
  };

  explore();
  return tally.result({ executions: tally.executions });
}
