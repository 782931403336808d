import { search } from '@mmu-gather/checker';
import { expect, test } from 'vitest';
import { cells, machineOf, SCENARIOS, X86 } from '../src/index.ts';

// Up to so many states: what is larger has the same code in it.
const MAX_STATES = 750;

test.each(cells(SCENARIOS, [X86]).filter((cell) => cell.expected === 'holds'))(
  '$id $profile.id: where two paths meet in one key they go on alike',
  (cell) => {
    const result = search(machineOf(cell), { checkKeys: true, maxStates: MAX_STATES });
    expect(result.violation).toBeUndefined();
    expect(result.states).toBeGreaterThan(5);
  },
);
