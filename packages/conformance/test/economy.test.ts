// Executions whose TLB work is counted come to their ends, and nothing is wrong with them.
import { describe, expect, test } from 'vitest';
import { ARCHITECTURES, cells, ECONOMY_SCENARIOS, machineOf, type Schedule, scheduled } from '../src/index.ts';

/** What is run of each: where user code may miss or fault though it need not, the schedule in which it does. */
const SCHEDULES: Readonly<Record<string, readonly Schedule[]>> = {
  x86: ['fair', 'sequential'],
  sparc64: ['fair', 'unlucky'],
  riscv: ['fair', 'unlucky'],
};

describe.each(ARCHITECTURES.map(({ id }) => id))('%s', (arch) => {
  const all = cells(ECONOMY_SCENARIOS, ARCHITECTURES, {
    archs: [arch],
    profiles: arch === 'x86' ? ['linux-6.18', 'rfc-2021-corrected', 'flush-ring'] : ['linux-6.18'],
  });

  test('has all of them', () => {
    const own = ECONOMY_SCENARIOS.filter(({ only }) => only?.archs?.includes(arch) ?? true);
    expect(new Set(all.map(({ id }) => id))).toEqual(new Set(own.map(({ id }) => id)));
  });

  test.each<Schedule>(SCHEDULES[arch] ?? ['fair'])('%s', (schedule) => {
    const wrong = all.flatMap((cell) => {
      const machine = machineOf(cell);
      for (const [actor, choice] of scheduled(machine, schedule)) machine.perform(actor, choice);
      const violation = machine.violation ?? machine.checkEnd();
      return violation === undefined ? [] : [`${cell.id}@${cell.profile.id}: ${violation.message}`];
    });
    expect(wrong).toEqual([]);
  });
});
