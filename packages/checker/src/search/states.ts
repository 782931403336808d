/**
 * States: depth-first search over hashed states. The default: where values repeat, it handles far fewer objects than there
 * are interleavings, and blocking costs it nothing.
 *
 *     at a state:   if some step is local (locality.ts), perform that one alone;
 *                   else perform each outcome of each actor's step; go down where the key is new; undo
 *     no step:      the end of an execution: ask for final violations (deadlock is one)
 *     on the path:  a step that leads back to a state of its own path closes a cycle
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
 * states of the last pass, and the steps of all.
 */
import type { Alike, Explorable } from '../explorable.ts';
import { Reduction } from './locality.ts';
import { type Path } from './path.ts';
import { type Result, type SearchOptions, Tally } from './result.ts';
import { collisionOdds, OnPath, Visited } from './visited.ts';

/** Depth that the stack has room for at first. */
const FIRST_DEPTH = 256;

/** The path that the search is on: at each depth a state, and the step that is being tried there. */
class Stack {
  /** States on the path. */
  depth = 0;
  /** Outcomes of each actor's step, `actors` words a state. */
  choices: Int32Array;
  /** The actor that steps next, or was stepping. */
  actor: Int32Array = new Int32Array(FIRST_DEPTH);
  /** Its outcome. */
  choice: Int32Array = new Int32Array(FIRST_DEPTH);
  /** Where to come back to. */
  mark: Float64Array = new Float64Array(FIRST_DEPTH);
  /** 1 if that step is enough, and no other is tried. */
  alone: Uint8Array = new Uint8Array(FIRST_DEPTH);
  readonly #actors: number;

  constructor(actors: number) {
    this.#actors = actors;
    this.choices = new Int32Array(FIRST_DEPTH * actors);
  }

  /** Puts the machine's state on top. Returns false if no actor can step there. */
  push(machine: Explorable): boolean {
    if (this.depth === this.actor.length) this.#grow();
    const top = this.depth++;
    const base = top * this.#actors;
    let enabled = false;
    for (let a = 0; a < this.#actors; a++) {
      const n = machine.choices(a);
      this.choices[base + a] = n;
      if (n > 0) enabled = true;
    }
    this.actor[top] = 0;
    this.choice[top] = -1;
    this.alone[top] = 0;
    return enabled;
  }

  /** Can the actor step at the top, in one way? */
  hasOneStep(actor: number): boolean {
    return this.choices[(this.depth - 1) * this.#actors + actor] === 1;
  }

  /** At the top one step is enough. */
  takeAlone(actor: number): void {
    const top = this.depth - 1;
    this.actor[top] = actor;
    this.choice[top] = 0;
    this.alone[top] = 1;
  }

  /** Moves the top on to the next step to try. Returns false if there is none left. */
  advance(): boolean {
    const top = this.depth - 1;
    if (this.alone[top] === 1) return false;
    const base = top * this.#actors;
    let actor = this.actor[top]!;
    let choice = this.choice[top]! + 1;
    while (choice >= this.choices[base + actor]!) {
      choice = 0;
      if (++actor >= this.#actors) return false;
    }
    this.actor[top] = actor;
    this.choice[top] = choice;
    return true;
  }

  /** The steps that are being tried, from the first state on. */
  path(): Path {
    return Array.from({ length: this.depth }, (_, i) => [this.actor[i]!, this.choice[i]!] as const);
  }

  /** Is the cycle from the state at a depth to itself fair? See the head of this file. */
  isFair(from: number): boolean {
    for (let a = 0; a < this.#actors; a++) {
      let always = true;
      for (let d = from; d < this.depth && always; d++)
        always = this.choices[d * this.#actors + a]! > 0 && this.actor[d] !== a;
      if (always) return false;
    }
    return true;
  }

  #grow(): void {
    const grown = <T extends Int32Array | Float64Array | Uint8Array>(old: T, bigger: T): T => {
      bigger.set(old);
      return bigger;
    };
    this.choices = grown(this.choices, new Int32Array(2 * this.choices.length));
    this.actor = grown(this.actor, new Int32Array(2 * this.actor.length));
    this.choice = grown(this.choice, new Int32Array(2 * this.choice.length));
    this.mark = grown(this.mark, new Float64Array(2 * this.mark.length));
    this.alone = grown(this.alone, new Uint8Array(2 * this.alone.length));
  }
}

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
  do {
    tally.states = 0;
    reduction.begin();
    explore(machine, tally, reduction, known, alike);
    machine.undo(start);
  } while (reduction.wrong && !tally.over);
  reduction.end();
  if (known !== undefined) machine.runCode?.(false);
  return tally.result({ states: tally.states, collisionOdds: collisionOdds(tally.states) });
}

/** Where every violation is counted, or every key compared, all orders of steps are wanted. */
function wantsAll({ stopAtFirst, checkKeys }: SearchOptions): boolean {
  return stopAtFirst === false || checkKeys === true;
}

/** One pass. */
function explore(
  machine: Explorable,
  tally: Tally,
  reduction: Reduction,
  known: Map<string, string> | undefined,
  alike: Alike | undefined,
): void {
  const key = alike === undefined ? ownKey(machine) : alike;
  const visited = new Visited();
  const onPath = new OnPath();
  const stack = new Stack(machine.actors);
  const path = (): Path => stack.path();

  /** Goes down to the machine's state if it can be left; else it is an end, and is done with. */
  const enter = (): boolean => {
    tally.state();
    if (tally.over) return false;
    if (stack.push(machine)) {
      onPath.push(key.low, key.high);
      return true;
    }
    stack.depth--;
    const violation = machine.checkEnd();
    if (violation !== undefined) tally.found(violation, path);
    tally.ends?.add(machine.observation());
    return false;
  };

  /** Takes the actor's step at the top. */
  const perform = (actor: number, choice: number): void => {
    stack.mark[stack.depth - 1] = machine.mark();
    machine.perform(actor, choice);
    alike?.look();
    tally.step();
    if (known !== undefined && machine.violation === undefined) compareNextSteps(machine, known);
  };

  /** Takes a step at the top that is enough, if there is one. */
  const performAlone = (): boolean => {
    for (let actor = 0; actor < machine.actors; actor++) {
      if (!stack.hasOneStep(actor) || !reduction.mayBeAlone(actor)) continue;
      perform(actor, 0);
      if (machine.violation !== undefined || reduction.stays(onPath.depthOf(key.low, key.high) >= 0)) {
        stack.takeAlone(actor);
        return true;
      }
      machine.undo(stack.mark[stack.depth - 1]!);
    }
    return false;
  };

  alike?.look();
  visited.add(key.low, key.high);
  /** Nothing was tried yet at the top. */
  let fresh = enter();
  while (stack.depth > 0) {
    const top = stack.depth - 1;
    if (!(fresh && !tally.over && performAlone())) {
      if (tally.over || !stack.advance()) {
        fresh = false;
        alike?.look();
        onPath.pop(key.low, key.high);
        if (--stack.depth > 0) machine.undo(stack.mark[stack.depth - 1]!);
        continue;
      }
      perform(stack.actor[top]!, stack.choice[top]!);
    }
    fresh = false;
    if (machine.violation !== undefined) {
      tally.found(machine.violation, path);
    } else if (visited.add(key.low, key.high)) {
      fresh = enter();
      if (fresh) continue;
    } else {
      const from = onPath.depthOf(key.low, key.high);
      if (from >= 0 && stack.isFair(from)) {
        tally.found({ oracle: 'livelock', message: livelock(stack.depth - from) }, path);
      }
    }
    machine.undo(stack.mark[top]!);
  }
}

/** The key of the machine's present state. */
function ownKey(machine: Explorable): { readonly low: number; readonly high: number } {
  return {
    get low() {
      return machine.keyLow;
    },
    get high() {
      return machine.keyHigh;
    },
  };
}

/** Debug mode: what may happen next must follow from the key. */
function compareNextSteps(machine: Explorable, known: Map<string, string>): void {
  const key = `${machine.keyLow}:${machine.keyHigh}`;
  const next = machine.nextSteps();
  const before = known.get(key);
  if (before === undefined) known.set(key, next);
  else if (before !== next) throw new Error(`two paths meet in one key, and go on differently: ${before} or ${next}`);
}

function livelock(steps: number): string {
  return `the last ${steps} steps lead back to where they began, and can repeat for ever`;
}
