/**
 * What each switch of the search saves in the suite's cells of x86: see suite-reductions.ts. `npm run docs:reductions` writes it into
 * docs/search.md.
 */
import { suiteReductions } from './suite-reductions.ts';
import { print } from './table.ts';

print(
  ['switch', 'cells', 'compared', 'violated', 'smaller', 'too large', 'states, traces', 'with it'],
  suiteReductions('x86').map(({ name, cells, compared, violated, smaller, larger, off, on }) => [
    name,
    cells,
    compared,
    violated,
    smaller,
    larger,
    off,
    on,
  ]),
);
