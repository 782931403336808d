/**
 * References for the searches, by brute force: the number of traces of a machine, and the least that a violation costs.
 */
import type { Explorable } from '../src/explorable.ts';
import { type Dependence, Footprint, PLAIN } from '../src/search/footprint.ts';
import { isDrain, turnCost } from '../src/search/path.ts';

interface Event {
  readonly actor: number;
  readonly choice: number;
  readonly footprint: Footprint;
}

/** Runs all interleavings; gives up, with false, after so many. */
function interleavings(
  machine: Explorable,
  most: number,
  end: (events: readonly Event[], cost: number) => void,
  dependence: Dependence = PLAIN,
): boolean {
  const events: Event[] = [];
  let count = 0;
  const explore = (last: number, cost: number): boolean => {
    let isEnd = true;
    for (let actor = 0; actor < machine.actors; actor++) {
      const choices = machine.choices(actor);
      for (let choice = 0; choice < choices; choice++) {
        isEnd = false;
        const footprint = new Footprint(dependence);
        footprint.take(machine, actor);
        const total = cost + turnCost(machine, last, actor);
        const mark = machine.mark();
        machine.perform(actor, choice);
        events.push({ actor, choice, footprint });
        const turn = isDrain(machine, actor) ? last : actor;
        const goOn = machine.violation === undefined ? explore(turn, total) : (end(events, total), ++count < most);
        events.pop();
        machine.undo(mark);
        if (!goOn) return false;
      }
    }
    if (!isEnd) return true;
    end(events, cost);
    return ++count < most;
  };
  return explore(-1, 0);
}

/** Number of traces: interleavings that differ in more than the order of independent steps. Undefined if there are too many interleavings. */
export function countTraces(
  machine: Explorable,
  mostInterleavings: number,
  dependence?: Dependence,
): number | undefined {
  const traces = new Set<string>();
  const all = interleavings(machine, mostInterleavings, (events) => traces.add(normalForm(events)), dependence);
  return all ? traces.size : undefined;
}

/** Foata's normal form: each event as early as what it depends on allows. */
function normalForm(events: readonly Event[]): string {
  const level: number[] = [];
  const layers: string[][] = [];
  events.forEach((event, i) => {
    let at = 0;
    for (let j = 0; j < i; j++) {
      const before = events[j]!;
      if (before.actor === event.actor || before.footprint.conflictsWith(event.footprint))
        at = Math.max(at, level[j]! + 1);
    }
    level.push(at);
    (layers[at] ??= []).push(`${event.actor}.${event.choice}`);
  });
  return layers.map((layer) => layer.toSorted().join()).join(';');
}

/** The least cost of a violation: fewest preemptions, then fewest steps. Undefined if there are too many interleavings. */
export function cheapestViolation(
  machine: Explorable,
  mostInterleavings: number,
): { preemptions: number; steps: number } | 'none' | undefined {
  let preemptions = Infinity;
  let steps = Infinity;
  const all = interleavings(machine, mostInterleavings, (events, cost) => {
    if (machine.violation === undefined && machine.checkEnd() === undefined) return;
    if (cost > preemptions || (cost === preemptions && events.length >= steps)) return;
    preemptions = cost;
    steps = events.length;
  });
  return !all ? undefined : preemptions === Infinity ? 'none' : { preemptions, steps };
}
