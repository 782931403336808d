/**
 * Search: all strategies behind one call. Each explores from the machine's present state on, leaves the machine in it, and
 * returns a {@link Result}.
 *
 * | strategy | explores | says `holds` | for |
 * | --- | --- | --- | --- |
 * | `states` | every state once | yes | everything, unless it is too large |
 * | `dpor` | one execution per trace | yes | programs in which nearly every order gives another state |
 * | `bounded` | states, in the order of the preemptions they need | yes, without a bound | the counterexample that is shown |
 * | `random` | random executions | never | what is too large |
 * | `rerun` | one recorded execution | never | a counterexample again |
 * | `brute` | every interleaving | yes | tests of the others |
 */
import type { Explorable } from '../explorable.ts';
import { bounded, type BoundedOptions } from './bounded.ts';
import { brute } from './brute.ts';
import { dpor, type DporOptions } from './dpor.ts';
import type { Path } from './path.ts';
import { randomly, type RandomOptions } from './random.ts';
import { rerun } from './rerun.ts';
import type { Result } from './result.ts';
import { states } from './states.ts';

/** Names of the strategies. */
export type Strategy = 'states' | 'dpor' | 'bounded' | 'random' | 'rerun' | 'brute';
/** All strategies. */
export const STRATEGIES: readonly Strategy[] = ['states', 'dpor', 'bounded', 'random', 'rerun', 'brute'];

/** A strategy with its options. */
export interface Search extends BoundedOptions, RandomOptions, DporOptions {
  /** How to search; `states` if not given. */
  readonly strategy?: Strategy;
  /** The execution that `rerun` takes. */
  readonly path?: Path;
}

/** Strategies that ask for keys of states. */
const KEYED: ReadonlySet<Strategy> = new Set(['states', 'bounded']);

/** Searches from the machine's present state on. */
export function search(machine: Explorable, options: Search = {}): Result {
  const { strategy = 'states' } = options;
  const work = (): Result => searchBy(strategy, machine, options);
  return KEYED.has(strategy) || machine.withoutKeys === undefined ? work() : machine.withoutKeys(work);
}

function searchBy(strategy: Strategy, machine: Explorable, options: Search): Result {
  switch (strategy) {
    case 'states':
      return states(machine, options);
    case 'dpor':
      return dpor(machine, options);
    case 'bounded':
      return bounded(machine, options);
    case 'random':
      return randomly(machine, options);
    case 'brute':
      return brute(machine, options);
    case 'rerun':
      if (options.path === undefined)
        throw new Error("strategy 'rerun' needs a path: decode it from an id with decodeId");
      return rerun(machine, options.path, options);
  }
}

export { bounded, type BoundedOptions } from './bounded.ts';
export { brute } from './brute.ts';
export { counterexample, type Counterexample, type CounterexampleOptions, shorten } from './counterexample.ts';
export { dpor, type DporOptions } from './dpor.ts';
export type { Dependence } from './footprint.ts';
export { decodeId, encodeId, IdError } from './id.ts';
export { neighbour, type Neighbour } from './neighbour.ts';
export { type Path, turnCost } from './path.ts';
export { randomly, type RandomOptions } from './random.ts';
export { PathError, rerun } from './rerun.ts';
export type { Limit, Progress, Result, SearchOptions, Verdict } from './result.ts';
export { Reduction, type Seen } from './locality.ts';
export { states } from './states.ts';
export { type Notes, type TeamMemory, type TeamOptions } from './team.ts';
export type { SharedKeys } from './shared-visited.ts';
export { help, type HelpOptions } from './together.ts';
