/**
 * Coverage: what a run has exercised, for people: a row a scenario, the sites that no cell has taken, and the racing pairs of which
 * only one order was seen.
 */
import { type Coverage, keyOf, type Pair } from '../reports/coverage.ts';
import { tableOf } from './table.ts';
import type { Terminal } from './terminal.ts';
import { number, plural, wrap } from './text.ts';

/** @param verbose name every site that was not taken, and every pair of which one order was seen */
export function coverageText(
  { sites, untaken, both, one, cells }: Coverage,
  verbose: boolean,
  terminal: Terminal,
): string {
  const rows = cells.map((cell) => [
    cell.scenario,
    cell.arch,
    cell.profile,
    number(cell.sites),
    number(cell.both.length),
    number(cell.one.length),
  ]);
  const names = verbose || one.length + untaken.length === 0 ? '' : '; --verbose names the others';
  const taken = `${plural(sites.length, 'site')} exercised, ${number(untaken.length)} of the same packages not.`;
  const orders = ordersOf(one);
  const pairs = plural(both.length + orders.length, 'racing pair');
  const raced = `Of ${pairs} ${number(both.length)} ${both.length === 1 ? 'was' : 'were'} seen in both orders${names}.`;
  return [
    tableOf(['scenario', 'arch', 'profile', 'sites', 'both orders', 'one order'], rows, terminal),
    '',
    wrap(taken, terminal.columns),
    wrap(raced, terminal.columns),
    ...(verbose ? [...byFile(untaken).map((file) => wrap(`not exercised: ${file}`, terminal.columns)), ...orders] : []),
  ].join('\n');
}

/** What is known of pairs that no cell has seen in both orders, a line each. */
function ordersOf(one: readonly Pair[]): string[] {
  const said = new Map<string, string>();
  for (const pair of one) {
    const key = keyOf(pair);
    said.set(key, `  ${pair[0]} before ${pair[1]}, ${said.has(key) ? 'or after it, by cell' : 'never after it'}`);
  }
  return [...said.values()];
}

/** `mm/munmap.ts 12, 15` */
function byFile(sites: readonly string[]): string[] {
  const files = new Map<string, string[]>();
  for (const site of sites) {
    const [file, line] = site.split(':') as [string, string];
    files.set(file, [...(files.get(file) ?? []), line]);
  }
  return [...files].map(([file, lines]) => `${file} ${lines.join(', ')}`);
}
