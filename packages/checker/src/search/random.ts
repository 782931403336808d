/**
 * Random: a portfolio of random schedulers, round robin, from one seed. Proves nothing; finds bugs in what is too large for
 * the others. No scheduler wins everywhere (checked on our programs), so all of them take turns:
 *
 * - `urw`   a walk in which an actor's chance to step is the number of steps it has left, measured in a run before: every
 *           interleaving of independent actors is about as likely
 * - `pct2`, `pct3`   random priorities, the highest enabled one steps, and one (two) points where the one that would step falls
 *           to the bottom: finds a bug that needs d ordered steps with known odds (Burckhardt et al., ASPLOS 2010)
 * - `pos`   a fresh random priority for each step; steps that race with the one that was performed draw again (Yuan et
 *           al., CAV 2018)
 *
 * Drains of store buffers and interrupts are actors like the others, with steps of their own to count.
 */
import type { Explorable } from '../explorable.ts';
import { below, type Chance, chance } from './chance.ts';
import { Footprint } from './footprint.ts';
import { type Path } from './path.ts';
import { type Result, type SearchOptions, Tally } from './result.ts';

/** Options of the search. */
export interface RandomOptions extends SearchOptions {
  /** Same seed, same runs. */
  readonly seed?: number;
}

/** Runs if no other limit is given: a second or two. */
const DEFAULT_RUNS = 10_000;
/** A run with more steps than this is left where it is. */
const MAX_DEPTH = 10_000;

/** What a scheduler may know of the run it is in. */
interface Run {
  readonly machine: Explorable;
  readonly next: Chance;
  /** Outcomes of each actor's step. */
  readonly choices: Int32Array;
  /** Actors with an enabled step; the first `enabledCount` entries. */
  readonly enabled: Int32Array;
  enabledCount: number;
  /** Steps so far. */
  steps: number;
  /** Steps that each actor had in a run before, and all together. */
  readonly lengths: Int32Array;
  readonly length: number;
}

/** Picks who steps next. */
interface Scheduler {
  readonly name: string;
  /** A run begins. */
  begin(run: Run): void;
  /** One of the enabled actors. */
  pick(run: Run): number;
  /** That actor is about to step. */
  stepping(run: Run, actor: number): void;
}

/** The enabled actor with the highest priority. */
function highest(run: Run, priority: Float64Array): number {
  let best = run.enabled[0]!;
  for (let i = 1; i < run.enabledCount; i++) if (priority[run.enabled[i]!]! > priority[best]!) best = run.enabled[i]!;
  return best;
}

/** Uniform over interleavings, as far as the lengths are right. */
function urw(actors: number): Scheduler {
  const left = new Int32Array(actors);
  const weight = (actor: number): number => Math.max(1, left[actor]!);
  return {
    name: 'urw',
    begin: (run) => left.set(run.lengths),
    pick(run) {
      let total = 0;
      for (let i = 0; i < run.enabledCount; i++) total += weight(run.enabled[i]!);
      let x = run.next() * total;
      for (let i = 0; i < run.enabledCount - 1; i++) if ((x -= weight(run.enabled[i]!)) < 0) return run.enabled[i]!;
      return run.enabled[run.enabledCount - 1]!;
    },
    stepping: (_, actor) => left[actor]!--,
  };
}

/** Probabilistic concurrency testing of a depth. */
function pct(depth: number, actors: number): Scheduler {
  const priority = new Float64Array(actors);
  const points = new Int32Array(depth - 1);
  let lowest = 0;
  return {
    name: `pct${depth}`,
    begin(run) {
      lowest = 0;
      for (let a = 0; a < actors; a++) priority[a] = 1 + run.next();
      for (let i = 0; i < points.length; i++) points[i] = below(run.next, run.length);
    },
    pick(run) {
      if (points.includes(run.steps)) priority[highest(run, priority)] = --lowest;
      return highest(run, priority);
    },
    stepping() {},
  };
}

/** Partial order sampling. */
function pos(actors: number): Scheduler {
  const priority = new Float64Array(actors);
  const step = new Footprint();
  const other = new Footprint();
  return {
    name: 'pos',
    begin(run) {
      for (let a = 0; a < actors; a++) priority[a] = run.next();
    },
    pick: (run) => highest(run, priority),
    stepping(run, actor) {
      step.take(run.machine, actor);
      priority[actor] = run.next();
      for (let i = 0; i < run.enabledCount; i++) {
        const a = run.enabled[i]!;
        if (a === actor) continue;
        other.take(run.machine, a);
        if (other.conflictsWith(step)) priority[a] = run.next();
      }
    },
  };
}

/** Any enabled actor: for measuring the lengths. */
const uniform: Scheduler = {
  name: 'uniform',
  begin() {},
  pick: (run) => run.enabled[below(run.next, run.enabledCount)]!,
  stepping() {},
};

/** Runs random executions from the present state on, until one violates something or the limit is met. The machine is back afterwards. */
export function randomly(machine: Explorable, options: RandomOptions = {}): Result {
  const limits =
    options.maxExecutions === undefined && options.timeLimit === undefined
      ? { ...options, maxExecutions: DEFAULT_RUNS }
      : options;
  const tally = new Tally(limits);
  const next = chance(options.seed ?? 1);
  const actors = machine.actors;
  const schedulers = [urw(actors), pct(2, actors), pct(3, actors), pos(actors)];
  const hits: Record<string, number> = Object.fromEntries(schedulers.map(({ name }) => [name, 0]));
  const choices = new Int32Array(actors);
  const enabled = new Int32Array(actors);
  const lengths = new Int32Array(actors);
  /** The execution under way: actor and choice of each step. */
  const taken: number[] = [];

  const look = (run: Run): void => {
    run.enabledCount = 0;
    for (let a = 0; a < actors; a++) if ((choices[a] = machine.choices(a)) > 0) enabled[run.enabledCount++] = a;
  };

  /** One execution. Returns the number of its steps. */
  const execute = (scheduler: Scheduler, length: number): number => {
    taken.length = 0;
    const path = (): Path =>
      Array.from({ length: taken.length / 2 }, (_, i) => [taken[2 * i]!, taken[2 * i + 1]!] as const);
    const run: Run = { machine, next, choices, enabled, enabledCount: 0, steps: 0, lengths, length };
    const start = machine.mark();
    scheduler.begin(run);
    const before = tally.violations;
    for (look(run); run.enabledCount > 0; look(run)) {
      if (run.steps >= MAX_DEPTH) {
        tally.leaveOut('depth');
        break;
      }
      const actor = scheduler.pick(run);
      scheduler.stepping(run, actor);
      const choice = choices[actor] === 1 ? 0 : below(next, choices[actor]!);
      machine.perform(actor, choice);
      tally.step();
      taken.push(actor, choice);
      run.steps++;
      if (machine.violation !== undefined) {
        tally.found(machine.violation, path);
        break;
      }
      if (tally.limit === 'time' || tally.limit === 'stopped') break;
    }
    tally.execution();
    if (run.enabledCount === 0) {
      const violation = machine.checkEnd();
      if (violation !== undefined) tally.found(violation, path);
      tally.ends?.add(machine.observation());
    }
    if (tally.violations > before && scheduler.name in hits) hits[scheduler.name]!++;
    machine.undo(start);
    if (scheduler === uniform) for (let i = 0; i < taken.length; i += 2) lengths[taken[i]!]!++;
    return run.steps;
  };

  const length = Math.max(1, execute(uniform, 1));
  for (let turn = 0; tally.mayGoOn(); turn = (turn + 1) % schedulers.length) execute(schedulers[turn]!, length);
  return tally.result({ executions: tally.executions, hits }, true);
}
