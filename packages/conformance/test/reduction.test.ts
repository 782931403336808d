import { search } from '@mmu-gather/checker';
import { expect, test } from 'vitest';
import { cells, machineOf, SCENARIOS, X86 } from '../src/index.ts';

// What all orders of steps of larger cells say takes minutes; their code is in the others, too.
const MAX_STATES = 800;

test('cells have the same verdicts with and without reduction', { timeout: 120_000 }, () => {
  const different: string[] = [];
  let compared = 0;
  let full = 0;
  let reduced = 0;
  for (const cell of cells(SCENARIOS, [X86])) {
    const wanted = search(machineOf(cell), { reduce: false, maxStates: MAX_STATES });
    if (wanted.verdict === 'incomplete') continue;
    const found = search(machineOf(cell));
    if (found.verdict !== wanted.verdict) different.push(`${cell.id} ${cell.profile.id}`);
    compared++;
    full += wanted.states!;
    reduced += found.states!;
  }
  expect(different).toEqual([]);
  expect(compared).toBeGreaterThan(300);
  expect(reduced).toBeLessThan(0.8 * full);
});
