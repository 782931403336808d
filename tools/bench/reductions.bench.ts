/**
 * What each switch of the search saves: see reductions.ts.
 */
import { COLUMNS, reductions } from './reductions.ts';
import { print } from './table.ts';

print(
  ['program', 'verdict', ...COLUMNS],
  reductions().map(({ name, verdict, counts }) => [
    name,
    verdict,
    ...COLUMNS.map((column) => counts[column]?.toLocaleString('en-US') ?? ''),
  ]),
);
