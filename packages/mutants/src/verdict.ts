/**
 * Verdict: what the fate of a mutant means.
 *
 *     killed        a cell of the suite that holds does not hold with it
 *     covered       it survives; another step does its work: where each of both mutants alone is not noticed, the pair is killed
 *     costs         it survives; on fixed schedules there is more work with it than without: the step saves work
 *     either        two steps in the other order; all executions of all cells that were compared end as before
 *     ordered       it weakens an order that the architecture's memory model gives anyway
 *     twin          wrong forms of scenarios get there, and no right one: it is no step of a right algorithm
 *     unreached     no cell of the campaign gets there
 *     unexplained   it survives, and nothing says why
 */
import { type Sort, SORTS } from './economy.ts';
import type { Costs, Fate } from './fate.ts';
import { TWO_STEPS } from './port-steps.ts';

/** What the fate of a mutant means. */
export type Verdict = 'killed' | 'covered' | 'costs' | 'either' | 'ordered' | 'twin' | 'unreached' | 'unexplained';

/** All of them, as tables show them. */
export const VERDICTS: readonly Verdict[] = [
  'killed',
  'covered',
  'costs',
  'either',
  'ordered',
  'twin',
  'unexplained',
  'unreached',
];

/** What it means. A claim whose pair is not killed explains nothing. */
export function verdictOf({ mutation, verdict, covered, costs, either }: Fate): Verdict {
  if (verdict !== 'survived') return verdict;
  if (covered?.kill !== undefined) return 'covered';
  const sort = costs && saved(costs);
  // Two steps in the place of one are more by themselves.
  if (sort !== undefined && (sort !== 'steps' || mutation.what !== TWO_STEPS)) return 'costs';
  return either === undefined ? 'unexplained' : 'either';
}

/**
 * What the step that a survivor changes saves: the heaviest of what there is more of without it, in more cells than there is less, and on the whole. In
 * what is removed and who is interrupted there must not be less on the whole, or something is missing; a mutant that leaves a step out takes a step
 * less, which speaks for nothing. Where user code misses more often, nothing was loaded, and less is there to be removed.
 */
export function saved({ more, less, sum }: Costs): Sort | undefined {
  const isMore = (sort: Sort): boolean => more[sort] > less[sort] && sum[sort] > 0;
  const mustStay: readonly Sort[] = isMore('traps') ? ['ipis'] : ['removed', 'ipis'];
  if (mustStay.some((sort) => sum[sort] < 0 || less[sort] > more[sort])) return undefined;
  const sort = SORTS.find(isMore);
  return sort === 'steps' && SORTS.some((each) => less[each] > 0) ? undefined : sort;
}
