/**
 * Tables on a terminal: they fit, whatever the names.
 */
import type { CellResult } from '@mmu-gather/conformance';
import picocolors from 'picocolors';
import { expect, test } from 'vitest';
import { Overview } from '../src/human/overview.ts';
import { ResultTable } from '../src/human/results.ts';
import type { Terminal } from '../src/human/terminal.ts';
import type { PlannedCell } from '../src/suite/request.ts';

const LONG = 'a-scenario/with-a-name/that-goes-on/and-on/and-on/until-nobody-reads-it';

function cell(id: string, twinOf?: string): PlannedCell {
  const what = {
    arch: 'x86',
    profile: 'linux-6.18',
    memoryModel: 'tso',
    oracles: ['O1'],
    title: 'what it is about '.repeat(20),
  };
  return twinOf === undefined ? { ...what, id, expected: 'holds' } : { ...what, id, twinOf, expected: 'violated' };
}

const RESULT: CellResult = {
  scenario: LONG,
  title: 'what it is about',
  arch: 'x86',
  profile: 'linux-6.18',
  memoryModel: 'tso',
  strategy: 'states',
  bounds: { cpus: 2, pages: 4 },
  expected: 'violated',
  oracles: ['O10'],
  verdict: 'violated',
  oracle: 'O10',
  exhaustive: false,
  ok: true,
  states: 123_456_789,
  steps: 1,
  milliseconds: 59_999,
};

const CELLS = [cell(LONG), cell(`${LONG}/twin`, LONG), cell('short', LONG)];

test.each([80, 100, 180])('%i columns', (columns) => {
  const terminal: Terminal = { columns, interactive: true, paint: picocolors.createColors(false) };
  const table = new ResultTable(CELLS, 'states', terminal);
  const lines = [table.head(), ...CELLS.map((each) => table.row(each, RESULT)), table.row(CELLS[0]!, undefined)];
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
  expect(lines[1]).toMatch(/^ {2}a-scenario\/wit.*violated O10 +123\.5 M +60 s/);
  expect(lines[3]).toMatch(/^ {4}short /);
  expect(lines[4]).toMatch(/^! .* stopped/);
  expect(lines[1]!.includes('what it is')).toBe(columns >= 180);
});

test('names are whole where nobody looks', () => {
  const table = new ResultTable(CELLS, 'states', {
    columns: 80,
    interactive: false,
    paint: picocolors.createColors(false),
  });
  expect(table.row(CELLS[0]!, RESULT)).toContain(LONG);
});

test.each([80, 140])('the overview in %i columns', (columns) => {
  const cells = [cell('one'), cell('one/naive', 'one')];
  const overview = new Overview(cells, { columns, interactive: true, paint: picocolors.createColors(false) });
  const holds: CellResult = { ...RESULT, expected: 'holds', verdict: 'holds', states: 12 };
  const row = overview.row([
    { planned: cells[0]!, result: holds },
    { planned: cells[1]!, result: RESULT },
  ]);
  expect(row).toMatch(/^one +holds +12 +naive O10/);
  expect(row.length).toBeLessThanOrEqual(columns);
  const wrong = overview.row([{ planned: cells[0]!, result: { ...RESULT, ok: false } }]);
  expect(wrong).toMatch(/^one +! violated O10/);
});
