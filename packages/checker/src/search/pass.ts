/**
 * Pass: one depth-first search over hashed states, which can be left between two steps and gone on with.
 *
 *     at a state:   if some step is local (locality.ts), perform that one alone;
 *                   else perform each outcome of each actor's step; go down where the key is new; undo
 *     no step:      the end of an execution: ask for final violations (deadlock is one)
 *     on the path:  a step that leads back to a state of its own path closes a cycle
 */
import type { Alike, Explorable } from '../explorable.ts';
import type { Reduction } from './locality.ts';
import type { Path } from './path.ts';
import type { Tally } from './result.ts';
import { type Rest, Stack, type Trials } from './stack.ts';
import { OnPath } from './visited.ts';

/** Turns of the search from one look at what others want to the next: a tenth of a millisecond or so. */
const LOOK_INTERVAL = 64;

/** A set of keys. */
export interface Keys {
  /** Adds a key. Returns false if it was there. */
  add(low: number, high: number): boolean;
}

/** What a pass works with. */
export interface PassParts {
  readonly machine: Explorable;
  readonly tally: Tally;
  readonly reduction: Reduction;
  readonly visited: Keys;
  /** Identical CPUs are taken for one another. */
  readonly alike?: Alike | undefined;
  /** Debug mode: the next steps of each key. */
  readonly known?: Map<string, string> | undefined;
}

/** A pass that was left: what to go on with. */
export interface Left {
  readonly trials: Trials;
  readonly fresh: boolean;
}

/** One pass over the states, or a part of one. */
export class Pass {
  readonly #parts: PassParts;
  readonly #machine: Explorable;
  readonly #tally: Tally;
  readonly #key: { readonly low: number; readonly high: number };
  readonly #onPath = new OnPath();
  readonly #stack: Stack;
  /** Nothing was tried yet at the top. */
  #fresh = false;
  #turns = 0;

  constructor(parts: PassParts) {
    this.#parts = parts;
    this.#machine = parts.machine;
    this.#tally = parts.tally;
    this.#key = parts.alike ?? ownKey(parts.machine);
    this.#stack = new Stack(parts.machine.actors);
  }

  /** Begins at the machine's state. */
  begin(): void {
    this.#parts.alike?.look();
    this.#parts.visited.add(this.#key.low, this.#key.high);
    this.#fresh = this.#enter();
  }

  /** Takes over what another pass has left to try at a state. The machine is at its first state. */
  take({ path, actor, choice }: Rest): void {
    for (const [a, c] of path) this.#retrace(a, c, true);
    this.#arrive();
    this.#stack.goOnFrom(actor, choice, false);
    this.#fresh = false;
  }

  /** Goes on where a pass was left. The machine is at its first state. */
  load({ trials: { actor, choice, alone }, fresh }: Left): void {
    const top = actor.length - 1;
    for (let d = 0; d < top; d++) this.#retrace(actor[d]!, choice[d]!, alone[d] === 1);
    this.#arrive();
    this.#stack.goOnFrom(actor[top]!, choice[top]!, alone[top] === 1);
    this.#fresh = fresh;
  }

  /** What there is to go on with. */
  save(): Left {
    return { trials: this.#stack.save(), fresh: this.#fresh };
  }

  /** Gives away a part of what is left to try, if it has any to spare. */
  give(): Rest | undefined {
    return this.#stack.give();
  }

  /** Goes on until nothing is left, the search is over, or `goesOn`, asked now and then, says no. @returns whether it was left */
  run(goesOn: () => boolean): boolean {
    const stack = this.#stack;
    const tally = this.#tally;
    while (stack.depth > 0) {
      if (++this.#turns % LOOK_INTERVAL === 0 && !tally.over && !goesOn()) return true;
      const top = stack.depth - 1;
      if (!(this.#fresh && !tally.over && this.#performAlone())) {
        if (tally.over || !stack.advance()) {
          this.#leave();
          continue;
        }
        this.#perform(stack.actor[top]!, stack.choice[top]!);
      }
      this.#look(top);
    }
    return false;
  }

  /** A step was performed: goes down, or takes it back. */
  #look(top: number): void {
    const machine = this.#machine;
    const { low, high } = this.#key;
    this.#fresh = false;
    if (machine.violation !== undefined) {
      this.#tally.found(machine.violation, () => this.#path());
    } else if (this.#parts.visited.add(low, high)) {
      this.#fresh = this.#enter();
      if (this.#fresh) return;
    } else {
      const from = this.#onPath.depthOf(low, high);
      if (from >= 0 && this.#stack.isFair(from)) {
        const message = livelock(this.#stack.depth - from);
        this.#tally.found({ oracle: 'livelock', message }, () => this.#path());
      }
    }
    machine.undo(this.#stack.mark[top]!);
  }

  /** Goes down to the machine's state if it can be left; else it is an end, and is done with. */
  #enter(): boolean {
    const machine = this.#machine;
    const tally = this.#tally;
    tally.state();
    if (tally.over) return false;
    if (this.#arrive()) return true;
    this.#stack.depth--;
    const violation = machine.checkEnd();
    if (violation !== undefined) tally.found(violation, () => this.#path());
    tally.ends?.add(machine.observation());
    return false;
  }

  /** Puts the machine's state on top. Returns false if no actor can step there. */
  #arrive(): boolean {
    if (!this.#stack.push(this.#machine)) return false;
    this.#onPath.push(this.#key.low, this.#key.high);
    return true;
  }

  /** Everything was tried at the top. */
  #leave(): void {
    const stack = this.#stack;
    this.#fresh = false;
    this.#parts.alike?.look();
    this.#onPath.pop(this.#key.low, this.#key.high);
    if (--stack.depth > 0) this.#machine.undo(stack.mark[stack.depth - 1]!);
  }

  /** Takes the actor's step at the top. */
  #perform(actor: number, choice: number): void {
    const { alike, known } = this.#parts;
    this.#stack.mark[this.#stack.depth - 1] = this.#machine.mark();
    this.#machine.perform(actor, choice);
    alike?.look();
    this.#tally.step();
    if (known !== undefined && this.#machine.violation === undefined) compareNextSteps(this.#machine, known);
  }

  /** Takes a step at the top that is enough, if there is one. */
  #performAlone(): boolean {
    const machine = this.#machine;
    const stack = this.#stack;
    const { reduction } = this.#parts;
    for (let actor = 0; actor < machine.actors; actor++) {
      if (!stack.hasOneStep(actor) || !reduction.mayBeAlone(actor)) continue;
      this.#perform(actor, 0);
      const isBack = this.#onPath.depthOf(this.#key.low, this.#key.high) >= 0;
      if (machine.violation !== undefined || reduction.stays(isBack)) {
        stack.takeAlone(actor);
        return true;
      }
      machine.undo(stack.mark[stack.depth - 1]!);
    }
    return false;
  }

  /** Takes a step that was taken before. */
  #retrace(actor: number, choice: number, alone: boolean): void {
    this.#arrive();
    this.#stack.goOnFrom(actor, choice, alone);
    this.#stack.mark[this.#stack.depth - 1] = this.#machine.mark();
    this.#machine.perform(actor, choice);
    this.#parts.alike?.look();
  }

  #path(): Path {
    return this.#stack.path();
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
