/**
 * The catalogue of historical bugs: each is shown by scenarios (`bug:B02/fixed`, its twin `bug:B02/buggy`), or says why not.
 */
import type { Bug } from './bug.ts';
import { BUGS_ELSEWHERE } from './elsewhere.ts';
import { BUGS_OF_OPERATIONS } from './operations.ts';
import { BUGS_OF_TABLES } from './tables.ts';
import { BUGS_OF_TARGETS } from './targets.ts';

/** All bugs, in the order of their ids. */
export const BUG_CATALOGUE: readonly Bug[] = [
  ...BUGS_OF_OPERATIONS,
  ...BUGS_OF_TABLES,
  ...BUGS_OF_TARGETS,
  ...BUGS_ELSEWHERE,
].toSorted((a, b) => (a.id < b.id ? -1 : 1));

/** The bug with an id; undefined if there is none. */
export function bugOf(id: string): Bug | undefined {
  return BUG_CATALOGUE.find((bug) => bug.id === id);
}
