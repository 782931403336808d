/**
 * How each bug of the catalogue is shown by scenarios.
 *
 *     code            the project has the code that had the bug, or the code has its shape: the buggy form is a switch of it
 *     abstract        threads of port calls, at the level of the hardware
 *     not modelled    by nothing; the catalogue says why
 */
import type { AnyScenario, Twin } from '../scenario.ts';
import type { Bug } from './bug.ts';
import { BUG_CATALOGUE } from './catalogue.ts';

/** How a bug is shown. */
export type BugKind = 'code' | 'abstract' | 'not modelled';

/** A bug and the scenarios that show it. */
export interface ShownBug {
  /** The bug. */
  readonly bug: Bug;
  /** How it is shown; `code` if one of its scenarios is. */
  readonly kind: BugKind;
  /** Those scenarios: their right forms, the main one first. */
  readonly scenarios: readonly AnyScenario[];
  /** Their twins: the buggy forms. */
  readonly buggy: readonly Twin<never>[];
  /** Of the twins those that are steps on the way to the mend: each mends a part and not all. */
  readonly rungs: readonly Twin<never>[];
}

/** How many bugs are shown how. */
export type BugCounts = Readonly<Record<BugKind, number>>;

/** Each bug of the catalogue, as these scenarios show it. */
export function shownBugs(suite: readonly AnyScenario[]): ShownBug[] {
  return BUG_CATALOGUE.map((bug) => {
    const scenarios = suite.filter((scenario) => scenario.bug === bug.id);
    const buggy = scenarios.flatMap((scenario) => scenario.twins);
    const rungs = buggy.filter(({ id }) => id.includes('/rung-'));
    return { bug, kind: kindOf(scenarios), scenarios, buggy, rungs };
  });
}

function kindOf(scenarios: readonly AnyScenario[]): BugKind {
  if (scenarios.length === 0) return 'not modelled';
  return scenarios.every((scenario) => scenario.abstract === true) ? 'abstract' : 'code';
}

/** Counts bugs by kind. */
export function countBugs(bugs: readonly ShownBug[]): BugCounts {
  const count = (kind: BugKind): number => bugs.filter((each) => each.kind === kind).length;
  return { code: count('code'), abstract: count('abstract'), 'not modelled': count('not modelled') };
}
