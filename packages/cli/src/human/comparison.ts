/**
 * Comparison: what profiles cost, scenario by scenario, and in total. Profiles that cost the same share a line.
 */
import { type ComparedCell, type Comparison, type Counts, sum } from '@mmu-gather/conformance';
import { type Column, Table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { number, plural, wrap } from './text.ts';

const COUNTS: readonly (readonly [key: keyof Counts, head: string])[] = [
  ['flushes', 'flushes'],
  ['ipis', 'IPIs'],
  ['entries', 'entries'],
  ['redundant', 'redundant'],
  ['stale', 'stale'],
];
/** Room for totals. */
const LEAST_WIDTH = 7;
const COLUMNS: readonly Column[] = COUNTS.map(([, head]) => ({
  head,
  width: Math.max(head.length, LEAST_WIDTH),
  align: 'right',
}));

/** What is counted, and how. */
const LEGEND =
  'Each scenario is a workload here: it runs once with its CPUs in turn, one step each, and once with one after the other, and both are ' +
  'added; only sizes are as it sets them, the profile decides the rest. flushes: calls of a flush function that invalidated or ' +
  'interrupted; entries: cached pages that they dropped; redundant: flushes that removed nothing older than memory; stale: steps for ' +
  'which a CPU could use what was older than memory. ! marks profiles that are wrong there, and save what they must not.';

/** The whole comparison. */
export function comparisonText(comparison: Comparison, terminal: Terminal): string {
  const { paint, columns } = terminal;
  const table = new Table(
    [...COLUMNS, { head: 'profiles', width: columns - Table.width(COLUMNS) - 4, wrap: true }],
    paint,
  );
  const lines = [`  ${table.head()}`];
  for (const [scenario, cells] of groups(comparison.cells, (cell) => cell.scenario)) {
    lines.push(scenario);
    for (const equal of groups(cells, (cell) => JSON.stringify(sum([cell]))).values()) {
      const names = equal.map((cell) => (cell.broken === undefined ? cell.profile : `!${cell.profile}`));
      lines.push(indent(table.row([...counts(sum([equal[0]!])), names.join(', ')])));
    }
  }
  return [...lines, '', totals(comparison, terminal), '', wrap(LEGEND, columns)].join('\n');
}

/** What each profile costs over the scenarios that all of them run and hold. */
function totals({ common, profiles }: Comparison, { columns, paint }: Terminal): string {
  const width = Math.max(7, ...profiles.map(({ profile }) => profile.length));
  const table = new Table([{ head: 'profile', width }, ...COLUMNS, { head: 'loses', width: 5, align: 'right' }], paint);
  return [
    `In total, over ${plural(common, 'scenario')} that all of these profiles hold:`,
    table.head(),
    ...profiles.map(({ profile, total, loses }) => table.row([profile, ...counts(total), number(loses.length)])),
    wrap(`loses: scenarios in which it flushes or interrupts more than ${profiles[0]?.profile ?? ''}`, columns),
  ].join('\n');
}

function counts(of: Counts): string[] {
  return COUNTS.map(([key]) => number(of[key]));
}

function groups(cells: readonly ComparedCell[], by: (cell: ComparedCell) => string): Map<string, ComparedCell[]> {
  const found = new Map<string, ComparedCell[]>();
  for (const cell of cells) found.set(by(cell), [...(found.get(by(cell)) ?? []), cell]);
  return found;
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
