/**
 * Verdict: what the fate of a mutant means.
 *
 *     killed        a cell of the suite that holds does not hold with it
 *     covered       it survives; a claim names the step that does its work, and the suite kills the pair
 *     costs         it survives; in no cell it does less TLB work, in some more: the step saves work, and nothing relies on it
 *     ordered       it weakens an order that the architecture's memory model gives anyway
 *     unreached     no cell of the campaign that holds gets there
 *     unexplained   it survives, and nothing says why
 */
import type { Fate } from './lead.ts';

/** What the fate of a mutant means. */
export type Verdict = 'killed' | 'covered' | 'costs' | 'ordered' | 'unreached' | 'unexplained';

/** All of them, as tables show them. */
export const VERDICTS: readonly Verdict[] = ['killed', 'covered', 'costs', 'ordered', 'unexplained', 'unreached'];

/** What it means. A claim whose pair is not killed explains nothing. */
export function verdictOf({ verdict, covered, costs }: Fate): Verdict {
  if (verdict !== 'survived') return verdict;
  if (covered?.kill !== undefined) return 'covered';
  return costs !== undefined && costs.more > 0 && costs.less === 0 ? 'costs' : 'unexplained';
}
