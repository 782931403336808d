import { search } from '@mmu-gather/checker';
import { expect, test } from 'vitest';
import { ARCHITECTURES, cells, machineOf, SCENARIOS } from '../src/index.ts';

// Scenarios of up to some thousand states: the rest has the same code in it.
const MAX_STATES = 10_000;

test.each(cells(SCENARIOS, ARCHITECTURES).filter((cell) => cell.expected === 'holds'))(
  '$id $profile.id: where two paths meet in one key they go on alike',
  (cell) => {
    const result = search(machineOf(cell), { checkKeys: true, maxStates: MAX_STATES });
    expect(result.violation).toBeUndefined();
    expect(result.states).toBeGreaterThan(5);
  },
);
