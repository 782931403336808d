import { search } from '@mmu-gather/checker';
import { expect, test } from 'vitest';
import { ARCHITECTURES, cells, machineOf, SCENARIOS } from '../src/index.ts';

test('every oracle refutes some twin', () => {
  const refuting = new Set<string>();
  for (const cell of cells(SCENARIOS, ARCHITECTURES)) {
    if (cell.expected === 'violated') refuting.add(search(machineOf(cell)).violation!.oracle);
  }
  expect([...refuting].toSorted()).toEqual([
    'O1',
    'O10',
    'O11',
    'O12',
    'O16',
    'O2',
    'O4',
    'O6',
    'O8',
    'O9',
    'deadlock',
  ]);
});

test('at least 25 scenarios on x86, and a wrong twin for each', () => {
  expect(SCENARIOS.length).toBeGreaterThanOrEqual(25);
  const all = cells(SCENARIOS, ARCHITECTURES, { archs: ['x86'] });
  for (const { id } of SCENARIOS) expect(all.some((cell) => cell.twinOf === id)).toBe(true);
});
