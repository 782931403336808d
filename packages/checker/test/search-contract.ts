/**
 * What a search relies on when it takes two steps for independent (src/search/footprint.ts), checked on a machine itself: at
 * every state, for every two actors whose next steps do not conflict.
 */
import type { Explorable } from '../src/explorable.ts';
import { type Dependence, Footprint, PLAIN } from '../src/search/footprint.ts';
import { Visited } from '../src/search/visited.ts';

/** Looks at all states that can be reached, or the first so many. Returns the first breach found, as one line. */
export function contractBreach(
  machine: Explorable,
  maxStates: number,
  dependence: Dependence = PLAIN,
): string | undefined {
  const visited = new Visited();
  const n = machine.actors;
  const now = Array.from({ length: n }, () => new Footprint(dependence));
  const after = new Footprint(dependence);

  /** The state after two steps, as text; undefined if one is not possible or violates something. */
  const afterBoth = (a: number, i: number, b: number, j: number): string | undefined => {
    const mark = machine.mark();
    let possible = true;
    for (const [actor, choice] of [
      [a, i],
      [b, j],
    ] as const) {
      possible &&= machine.choices(actor) > choice;
      if (possible) machine.perform(actor, choice);
      possible &&= machine.violation === undefined;
    }
    const key = possible ? `${machine.keyLow}:${machine.keyHigh}` : undefined;
    machine.undo(mark);
    return key;
  };

  /** The next steps of a and b, if they do not conflict. */
  const breachOf = (a: number, b: number): string | undefined => {
    const before = machine.choices(b);
    now[a]!.take(machine, a);
    now[b]!.take(machine, b);
    // An actor that touches nothing and cannot step has no step: another one may give it one.
    if (now[a]!.conflictsWith(now[b]!) || (before === 0 && now[b]!.length === 0)) return undefined;
    const touches = textOf(now[b]!);
    for (let choice = 0; choice < machine.choices(a); choice++) {
      const mark = machine.mark();
      machine.perform(a, choice);
      const cut = machine.violation !== undefined;
      const choices = machine.choices(b);
      after.take(machine, b);
      machine.undo(mark);
      if (cut) continue;
      if (choices !== before)
        return `a step of actor ${a} changes the outcomes of actor ${b} from ${before} to ${choices}`;
      if (before > 0 && textOf(after) !== touches)
        return `a step of actor ${a} changes what actor ${b} touches: ${touches}, then ${textOf(after)}`;
      for (let other = 0; other < choices; other++) {
        if (afterBoth(a, choice, b, other) !== afterBoth(b, other, a, choice))
          return `steps of actors ${a} and ${b} do not commute`;
      }
    }
    return undefined;
  };

  const explore = (): string | undefined => {
    if (visited.size >= maxStates || !visited.add(machine.keyLow, machine.keyHigh)) return undefined;
    for (let a = 0; a < n; a++) {
      if (machine.choices(a) === 0) continue;
      for (let b = 0; b < n; b++) {
        const breach = a === b ? undefined : breachOf(a, b);
        if (breach !== undefined) return breach;
      }
    }
    for (let a = 0; a < n; a++) {
      for (let choice = 0; choice < machine.choices(a); choice++) {
        const mark = machine.mark();
        machine.perform(a, choice);
        const breach = machine.violation === undefined ? explore() : undefined;
        machine.undo(mark);
        if (breach !== undefined) return breach;
      }
    }
    return undefined;
  };
  return explore();
}

function textOf(footprint: Footprint): string {
  return Array.from({ length: footprint.length }, (_, i) => `${footprint.locations[i]}:${footprint.modes[i]}`)
    .toSorted()
    .join();
}
