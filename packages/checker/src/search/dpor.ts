/**
 * DPOR: one execution per trace, by dynamic partial-order reduction with source sets and sleep sets (Abdulla, Aronis,
 * Jonsson, Sagonas: Source Sets, JACM 2017), for steps that may block.
 *
 * Executions that differ only in the order of independent steps are one *trace*. The search runs one execution to its end,
 * looks for *races* in it, and comes back to run the other order of each:
 *
 *     E:   ... e ........ p        e and p dependent, of different actors, and e not in the past of p's actor
 *     v:   the steps after e that do not need e, then p
 *          at the state before e one of the actors that can begin v must be tried, too
 *
 * Sleep sets keep a trace from being run twice: an actor that was tried at a state sleeps in what follows until a step
 * conflicts with its own. An execution in which all that could go on sleeps is given up (`blocked`).
 *
 * **Blocking.** A race is real only if p's step is enabled after v, that is without e: of two critical sections the
 * acquires race, not the release with the next acquire; an await races with a write before which its cell already passed.
 *
 * - If no step of v conflicts with p's, which then is its actor's next step before e already, it is enabled after v if it is
 *   enabled before e. If it is not, there is no race.
 * - Else nobody knows without trying, and it counts as one. An alternative too many costs an execution that is given up
 *   (3 to 6 in 100 on the ring of L2), never a trace run twice.
 * - So the latest event that conflicts with p may be no race, or not a real one, and an earlier one may be: all are looked at.
 * - Steps that are still blocked where an execution ends or is given up race like steps that were performed: what disabled
 *   them may have come first only in this order.
 *
 * A violation ends its execution, and races with what would have come later are not seen: with `stopAtFirst: false` the
 * violations of a program that has some are a sample. Until the first one is found nothing is left out.
 */
import type { Explorable } from '../explorable.ts';
import { COMMUTING, type Dependence, Footprint, PLAIN, WRITE } from './footprint.ts';
import { type Path } from './path.ts';
import { type Result, type SearchOptions, Tally } from './result.ts';

/** Sets of actors are masks in one word. */
const MAX_ACTORS = 31;
/** The search needs executions that end: one with more steps than this stops it. */
const MAX_DEPTH = 10_000;
/** Depth and touches that there is room for at first. */
const FIRST_DEPTH = 256;
/** No event, no touch. */
const NONE = -1;

/** The execution that the search is on. Event i is the step taken at depth i. */
class Execution {
  /** Number of events. */
  depth = 0;
  readonly actors: number;

  // By depth: the state before the event ...
  enabled: Int32Array = new Int32Array(FIRST_DEPTH);
  /** Actors that must be tried there. */
  backtrack: Int32Array = new Int32Array(FIRST_DEPTH);
  /** Actors that need not be, any more. */
  sleep: Int32Array = new Int32Array(FIRST_DEPTH);
  mark: Float64Array = new Float64Array(FIRST_DEPTH);
  // ... and the event.
  actor: Int32Array = new Int32Array(FIRST_DEPTH);
  choice: Int32Array = new Int32Array(FIRST_DEPTH);
  choices: Int32Array = new Int32Array(FIRST_DEPTH);
  /** Number of the event among those of its actor, from 1. */
  index: Int32Array = new Int32Array(FIRST_DEPTH);
  /** The actor's event before. */
  previous: Int32Array = new Int32Array(FIRST_DEPTH);
  /** Vector clock, `actors` words an event: how many events of each actor it comes after, itself included. */
  clock: Int32Array;
  /** End of its touches. */
  touchesEnd: Int32Array = new Int32Array(FIRST_DEPTH);

  /** The last event of each actor. */
  readonly last: Int32Array;

  // Touches of all events, each linked with the one of the same location before it.
  location: Int32Array = new Int32Array(FIRST_DEPTH);
  mode: Int32Array = new Int32Array(FIRST_DEPTH);
  event: Int32Array = new Int32Array(FIRST_DEPTH);
  before: Int32Array = new Int32Array(FIRST_DEPTH);
  /** The last touch of each location. */
  head: Int32Array = new Int32Array(FIRST_DEPTH).fill(NONE);

  constructor(actors: number) {
    this.actors = actors;
    this.clock = new Int32Array(FIRST_DEPTH * actors);
    this.last = new Int32Array(actors).fill(NONE);
  }

  /** The last touch of a location. */
  lastTouch(location: number): number {
    return location < this.head.length ? this.head[location]! : NONE;
  }

  /** Does event j come after event i, of which it may be the same, in every execution of the trace? */
  comesAfter(j: number, i: number): boolean {
    return this.clock[j * this.actors + this.actor[i]!]! >= this.index[i]!;
  }

  /** Room for the state at the present depth. */
  reserve(): void {
    if (this.depth < this.actor.length) return;
    this.enabled = doubled(this.enabled);
    this.backtrack = doubled(this.backtrack);
    this.sleep = doubled(this.sleep);
    this.actor = doubled(this.actor);
    this.choice = doubled(this.choice);
    this.choices = doubled(this.choices);
    this.index = doubled(this.index);
    this.previous = doubled(this.previous);
    this.clock = doubled(this.clock);
    this.touchesEnd = doubled(this.touchesEnd);
    const mark = new Float64Array(2 * this.mark.length);
    mark.set(this.mark);
    this.mark = mark;
  }

  /** Adds an event to the end. Its clock has been set. */
  push(actor: number, footprint: Footprint): void {
    const at = this.depth;
    this.actor[at] = actor;
    this.previous[at] = this.last[actor]!;
    this.last[actor] = at;
    let end = this.touchesBegin(at);
    for (let i = 0; i < footprint.length; i++, end++) {
      if (end === this.location.length) {
        this.location = doubled(this.location);
        this.mode = doubled(this.mode);
        this.event = doubled(this.event);
        this.before = doubled(this.before);
      }
      const location = footprint.locations[i]!;
      while (location >= this.head.length) this.head = doubled(this.head, NONE);
      this.location[end] = location;
      this.mode[end] = footprint.modes[i]!;
      this.event[end] = at;
      this.before[end] = this.head[location]!;
      this.head[location] = end;
    }
    this.touchesEnd[at] = end;
    this.depth++;
  }

  /** Takes the last event away. */
  pop(): void {
    const at = --this.depth;
    const begin = this.touchesBegin(at);
    for (let touch = this.touchesEnd[at]! - 1; touch >= begin; touch--)
      this.head[this.location[touch]!] = this.before[touch]!;
    this.last[this.actor[at]!] = this.previous[at]!;
  }

  touchesBegin(event: number): number {
    return event === 0 ? 0 : this.touchesEnd[event - 1]!;
  }

  /** The execution as a path. */
  path(): Path {
    return Array.from({ length: this.depth }, (_, i) => [this.actor[i]!, this.choice[i]!] as const);
  }
}

function doubled(old: Int32Array, fill = 0): Int32Array {
  const bigger = new Int32Array(2 * old.length);
  bigger.set(old);
  if (fill !== 0) bigger.fill(fill, old.length);
  return bigger;
}

/** Options of the search. */
export interface DporOptions extends SearchOptions {
  /**
   * Additions commute with each other, and so do atomics that set bits, and those that clear bits, as long as none of them reads: their
   * orders are no traces of their own. Not by default.
   */
  readonly commute?: boolean;
}

/**
 * Runs one execution per trace from the present state on. The machine is back in it afterwards.
 * @param dependence which steps do not commute; tests have wrong ones
 */
export function dpor(
  machine: Explorable,
  options: DporOptions = {},
  dependence: Dependence = options.commute === true ? COMMUTING : PLAIN,
): Result {
  return new Dpor(machine, options, dependence).run();
}

class Dpor {
  readonly #machine: Explorable;
  readonly #tally: Tally;
  readonly #run: Execution;
  readonly #actors: number;
  /** The step that is looked at. */
  readonly #step: Footprint;
  readonly #sleeper: Footprint;
  readonly #dependence: Dependence;
  /** For each actor: its first event in v. */
  readonly #first: Int32Array;
  readonly #path = (): Path => this.#run.path();

  constructor(machine: Explorable, options: SearchOptions, dependence: Dependence) {
    this.#dependence = dependence;
    this.#step = new Footprint(dependence);
    this.#sleeper = new Footprint(dependence);
    if (machine.actors > MAX_ACTORS)
      throw new Error(
        `dpor takes at most ${MAX_ACTORS} actors, this machine has ${machine.actors}: use the strategy 'states'`,
      );
    this.#machine = machine;
    this.#actors = machine.actors;
    this.#tally = new Tally(options);
    this.#run = new Execution(machine.actors);
    this.#first = new Int32Array(machine.actors);
  }

  run(): Result {
    this.#enter(0);
    do {
      while (this.#next()) this.#forward();
    } while (this.#back());
    const tally = this.#tally;
    return tally.result({ executions: tally.executions, blocked: tally.blocked });
  }

  /** Fills in the state at the present depth; with no step to try, if it is the end of an execution. */
  #enter(sleep: number): void {
    const run = this.#run;
    const machine = this.#machine;
    run.reserve();
    const at = run.depth;
    let enabled = 0;
    for (let a = 0; a < this.#actors; a++) if (machine.choices(a) > 0) enabled |= 1 << a;
    const awake = enabled & ~sleep;
    run.enabled[at] = enabled;
    run.sleep[at] = sleep;
    run.backtrack[at] = awake & -awake;
    run.actor[at] = NONE;
    run.choice[at] = 0;
    run.choices[at] = 0;
    if (awake === 0) {
      for (let a = 0; a < this.#actors; a++) if (((enabled >> a) & 1) === 0) this.#races(a);
      if (enabled === 0) this.#end();
      else this.#tally.blocked++;
    }
    if (at >= MAX_DEPTH) this.#tally.stop('depth');
  }

  /** The execution ends here. */
  #end(): void {
    const tally = this.#tally;
    tally.execution();
    const violation = this.#machine.checkEnd();
    if (violation !== undefined) tally.found(violation, this.#path);
    tally.ends?.add(this.#machine.observation());
  }

  /** Chooses the next event at the present depth. Returns false if there is none. */
  #next(): boolean {
    const run = this.#run;
    const at = run.depth;
    if (run.actor[at] !== NONE) {
      if (++run.choice[at]! < run.choices[at]!) return this.#tally.mayGoOn();
      run.sleep[at]! |= 1 << run.actor[at]!;
    }
    const left = run.backtrack[at]! & run.enabled[at]! & ~run.sleep[at]!;
    if (left === 0 || !this.#tally.mayGoOn()) return false;
    const actor = 31 - Math.clz32(left & -left);
    this.#races(actor);
    run.actor[at] = actor;
    run.choice[at] = 0;
    run.choices[at] = this.#machine.choices(actor);
    return true;
  }

  /** Performs the event that was chosen, and enters the state after it. */
  #forward(): void {
    const run = this.#run;
    const machine = this.#machine;
    const at = run.depth;
    const actor = run.actor[at]!;
    this.#step.take(machine, actor);
    let sleep = run.sleep[at]!;
    for (let rest = sleep; rest !== 0; rest &= rest - 1) {
      const sleeper = 31 - Math.clz32(rest & -rest);
      this.#sleeper.take(machine, sleeper);
      if (this.#sleeper.conflictsWith(this.#step)) sleep &= ~(1 << sleeper);
    }
    this.#setClock(actor);
    run.mark[at] = machine.mark();
    machine.perform(actor, run.choice[at]!);
    this.#tally.step();
    run.push(actor, this.#step);
    if (machine.violation === undefined) {
      this.#enter(sleep);
      return;
    }
    this.#tally.execution();
    this.#tally.found(machine.violation, this.#path);
    this.#back();
  }

  /** Takes the last event back. Returns false if there is none. */
  #back(): boolean {
    const run = this.#run;
    if (run.depth === 0) return false;
    run.pop();
    this.#machine.undo(run.mark[run.depth]!);
    return true;
  }

  /** The clock of the step at hand as the event at the present depth. */
  #setClock(actor: number): void {
    const run = this.#run;
    const n = this.#actors;
    const at = run.depth;
    const clock = run.clock;
    const base = at * n;
    const last = run.last[actor]!;
    for (let a = 0; a < n; a++) clock[base + a] = last === NONE ? 0 : clock[last * n + a]!;
    for (let i = 0; i < this.#step.length; i++) {
      const mode = this.#step.modes[i]!;
      for (let touch = run.lastTouch(this.#step.locations[i]!); touch !== NONE; touch = run.before[touch]!) {
        if (!this.#dependence.conflict(mode, run.mode[touch]!)) continue;
        const event = run.event[touch]!;
        for (let a = 0; a < n; a++) clock[base + a] = Math.max(clock[base + a]!, clock[event * n + a]!);
        // Everything before a write of this location comes before that write.
        if (run.mode[touch] === WRITE) break;
      }
    }
    run.index[at] = last === NONE ? 1 : run.index[last]! + 1;
    clock[base + actor] = run.index[at]!;
  }

  /** Finds the events that race with an actor's next step, and gives them alternatives. */
  #races(actor: number): void {
    const run = this.#run;
    const step = this.#step;
    step.take(this.#machine, actor);
    const last = run.last[actor]!;
    for (let i = 0; i < step.length; i++) {
      for (let touch = run.lastTouch(step.locations[i]!); touch !== NONE; touch = run.before[touch]!) {
        const event = run.event[touch]!;
        if (last !== NONE && run.comesAfter(last, event)) {
          // So does everything before a write of this location.
          if (run.mode[touch] === WRITE) break;
        } else if (this.#dependence.conflict(step.modes[i]!, run.mode[touch]!)) {
          this.#race(event, actor);
        }
      }
    }
  }

  /** Gives an event an alternative in which the actor's step comes first, if that may be possible. */
  #race(event: number, actor: number): void {
    const run = this.#run;
    const n = this.#actors;
    const first = this.#first.fill(NONE);
    for (let j = event + 1; j < run.depth; j++) {
      const a = run.actor[j]!;
      if (first[a] === NONE && !run.comesAfter(j, event)) first[a] = j;
    }
    let initials = 0;
    if (first[actor] === NONE && !this.#needs(event)) {
      if (((run.enabled[event]! >> actor) & 1) === 0) return;
      initials = 1 << actor;
    }
    for (let a = 0; a < n; a++) {
      const j = first[a]!;
      if (j === NONE) continue;
      let free = true;
      for (let b = 0; b < n && free; b++) {
        free = b === a || first[b] === NONE || run.clock[j * n + b]! < run.index[first[b]!]!;
      }
      if (free) initials |= 1 << a;
    }
    if ((initials & run.backtrack[event]!) === 0) run.backtrack[event]! |= initials & -initials;
  }

  /** Does the step conflict with one of v? */
  #needs(event: number): boolean {
    const run = this.#run;
    for (let i = 0; i < this.#step.length; i++) {
      for (
        let touch = run.lastTouch(this.#step.locations[i]!);
        touch !== NONE && run.event[touch]! > event;
        touch = run.before[touch]!
      ) {
        if (
          this.#dependence.conflict(this.#step.modes[i]!, run.mode[touch]!) &&
          !run.comesAfter(run.event[touch]!, event)
        )
          return true;
      }
    }
    return false;
  }
}
