// What profiles cost: fixed schedules, counts, totals.
import { measure, rerun } from '@mmu-gather/checker';
import { describe, expect, test } from 'vitest';
import { ARCHITECTURES, cells, compare, countCell, machineOf, SCENARIOS, scheduled, sum, X86 } from '../src/index.ts';

const cell = (scenario: string, profile: string, settings: string[] = []) =>
  cells(SCENARIOS, [X86], { scenarios: [scenario], profiles: [profile], settings })[0]!;

describe('schedules', () => {
  test.each(['fair', 'sequential'] as const)('%s executions end, repeat, and violate nothing', (schedule) => {
    for (const each of cells(SCENARIOS, [X86], { scenarios: ['munmap/*', 'T8/*'], profiles: ['linux-6.18'] })) {
      if (each.expected === 'violated') continue;
      const path = scheduled(machineOf(each), schedule);
      expect(scheduled(machineOf(each), schedule)).toEqual(path);
      expect(rerun(machineOf(each), path).violation).toBeUndefined();
    }
  });

  test('fair lets CPUs take turns, sequential does not', () => {
    const machine = machineOf(cell('T8/fixed', 'linux-5.11'));
    const cpus = machine.actors / 3;
    const mains = (schedule: 'fair' | 'sequential'): number[] =>
      scheduled(machine, schedule).flatMap(([actor]) => (actor < cpus ? [actor] : []));
    const switches = (actors: number[]): number => actors.filter((actor, i) => i > 0 && actor !== actors[i - 1]).length;
    expect(switches(mains('fair'))).toBeGreaterThan(10);
    expect(switches(mains('sequential'))).toBeLessThanOrEqual(3);
  });
});

describe('counts', () => {
  test('one page, one other CPU: one flush, one interrupt, an entry on each', () => {
    const counts = countCell(cell('munmap/running-thread', 'linux-5.11'), 'sequential');
    expect(counts).toMatchObject({ flushes: 1, ipis: 1, entries: 2, redundant: 0 });
    expect(counts.stale).toBeGreaterThan(10);
  });

  // One page, one other CPU. Who is interrupted, and where the flush is done, are each architecture's own.
  test.each([
    { id: 'x86', calls: ['tlbFlush'], ipis: 1, entries: 2 },
    { id: 'arm64', calls: ['tlbFlush'], ipis: 0, entries: 2 },
    { id: 'powerpc-radix', calls: ['tlbFlush'], ipis: 0, entries: 2 },
    { id: 'powerpc-hash', calls: ['lazyMmu.leave'], ipis: 0, entries: 2 },
    { id: 's390', calls: ['pte.ptepGetAndClear'], ipis: 0, entries: 2 },
    { id: 'sparc64', calls: ['lazyMmu.leave'], ipis: 1, entries: 2 },
    { id: 'riscv', calls: ['tlbFlush'], ipis: 1, entries: 2 },
  ])('$id: one flush, where entries change if it is done there', ({ id, calls, ipis, entries }) => {
    const arch = ARCHITECTURES.find((each) => each.id === id)!;
    const [one] = cells(SCENARIOS, [arch], { scenarios: ['munmap/running-thread'], profiles: ['linux-6.18'] });
    const machine = machineOf(one!);
    const costs = measure(machine, scheduled(machine, 'sequential'));
    expect(costs).toMatchObject({ flushes: 1, redundant: 0, ipis, removed: entries });
    expect(costs.calls.filter(({ removed }) => removed > 0).map(({ call }) => call)).toEqual(calls);
  });

  test('a page that nobody has hashed is flushed for nothing', () => {
    const arch = ARCHITECTURES.find((each) => each.id === 'powerpc-hash')!;
    const [one] = cells(SCENARIOS, [arch], { scenarios: ['cow/running-thread'], profiles: ['linux-6.18'] });
    expect(countCell(one!, 'sequential')).toMatchObject({ flushes: 1, redundant: 1, entries: 0, stale: 0 });
  });

  test('a batch that is full sooner flushes more', () => {
    const small = countCell(cell('T8/fixed', 'linux-5.11', ['gatherBatch.bundle=1', 'gatherBatch.batches=0']), 'fair');
    const large = countCell(cell('T8/fixed', 'linux-5.11'), 'fair');
    expect(small.flushes).toBeGreaterThanOrEqual(large.flushes);
  });

  test('what a profile saves because it is wrong is not counted', () => {
    const found = compare(SCENARIOS, [X86], {
      scenarios: ['T15/fixed'],
      profiles: ['linux-5.11', 'linux-6.18'],
    });
    expect(found.cells.map((each) => each.broken)).toEqual(['pfnmapFlush="none" is wrong', undefined]);
    expect(found.common).toBe(0);
  });

  test('totals are over what all profiles hold, and name where one loses', () => {
    const scenarios = ['T8/*', 'munmap/*', 'bug:B13/*'];
    const found = compare(SCENARIOS, [X86], {
      scenarios,
      profiles: ['linux-5.11', 'linux-6.18', 'sync-finish'],
    });
    const names = (profile: string) =>
      found.cells.filter((each) => each.profile === profile).map((each) => each.scenario);
    expect(names('linux-6.18')).toContain('bug:B13/fixed');
    expect(names('linux-5.11')).not.toContain('bug:B13/fixed');
    expect(found.common).toBe(names('linux-5.11').length);
    for (const { profile, total } of found.profiles) {
      const own = found.cells.filter((each) => each.profile === profile && each.scenario !== 'bug:B13/fixed');
      expect(total).toEqual(sum(own));
    }
    const [first, , waits] = found.profiles;
    expect(waits!.total.flushes).toBeLessThan(first!.total.flushes);
    expect(first!.loses).toEqual([]);
  });
});
