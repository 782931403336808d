/**
 * Coverage: what a run has exercised, for people: a row a scenario, and the racing pairs of which only one order was seen.
 */
import type { Coverage } from '../reports/coverage.ts';
import { tableOf } from './table.ts';
import type { Terminal } from './terminal.ts';
import { number, plural, wrap } from './text.ts';

/** @param verbose name every pair of which one order was seen */
export function coverageText({ sites, both, one, cells }: Coverage, verbose: boolean, terminal: Terminal): string {
  const rows = cells.map((cell) => [
    cell.scenario,
    cell.arch,
    cell.profile,
    number(cell.sites),
    number(cell.both.length),
    number(cell.one.length),
  ]);
  const names = verbose || one.length === 0 ? '' : '; --verbose names the others';
  const sum = `${plural(sites.length, 'site')} exercised; of ${plural(both.length + one.length, 'racing pair')} ${number(both.length)} were seen in both orders${names}.`;
  const pairs = verbose ? one.map(([first, second]) => `  ${first} before ${second}, never after it`) : [];
  return [
    tableOf(['scenario', 'arch', 'profile', 'sites', 'both orders', 'one order'], rows, terminal),
    '',
    wrap(sum, terminal.columns),
    ...pairs,
  ].join('\n');
}
