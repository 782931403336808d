/**
 * What a run is thought to take, and what threads begin with.
 */
import { expect, test } from 'vitest';
import { Costs } from '../src/suite/costs.ts';
import { groupsOf, Queue } from '../src/suite/groups.ts';
import { LONG_GROUPS } from '../src/suite/long-groups.ts';
import type { PlannedCell } from '../src/suite/request.ts';
import { dealt, weightOf } from '../src/suite/shard.ts';

/** Cells of scenarios, in two profiles each. */
const cells: readonly PlannedCell[] = ['a', 'b', 'c'].flatMap((id) =>
  ['old', 'new'].map((profile) => {
    const what = { title: '', arch: 'x86', memoryModel: 'tso', expected: 'holds', oracles: [] } as const;
    return { ...what, id, profile };
  }),
);
/** Milliseconds of the cells, as measured before. */
const before = (times: readonly number[]): Record<string, number> =>
  Object.fromEntries(times.map((time, i) => [`${cells[i]!.id}@x86@${cells[i]!.profile}@tso{}`, time]));
const RUN = { width: 80, full: true };

test('cells that may share a search are one group', () => {
  expect(groupsOf(cells)).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
});

test('groups are taken in their order, but one that is as long as all others first', () => {
  const order = (jobs: number, ...costs: number[]): number[] => {
    const queue = new Queue(groupsOf(cells), jobs, ([cell]) => costs[cell! / 2]!);
    return Array.from({ length: 3 }, () => queue.take()![0]! / 2);
  };
  expect(order(2, 1, 1, 1)).toEqual([0, 1, 2]);
  expect(order(2, 1, 1, 9)).toEqual([2, 0, 1]);
  expect(order(2, 3, 4, 4)).toEqual([0, 1, 2]);
  expect(order(1, 1, 1, 9)).toEqual([0, 1, 2]);
  expect(new Queue([], 2, () => 1).take()).toBeUndefined();
});

test('there is no estimate as long as something was never measured', () => {
  const costs = new Costs(cells, RUN, before([1, 2, 3, 4, 5]));
  expect(costs.left([4, 5], 1)).toBeUndefined();
  expect(costs.left([3, 4], 1)).toBe(9);
  const limited = new Costs(cells, { ...RUN, maxStates: 9 }, before([1, 2, 3, 4, 5]));
  expect(limited.left([3, 4], 1)).toBeUndefined();
  // One that takes longer than it did.
  costs.began(3);
  const end = performance.now() + 10;
  while (performance.now() < end);
  expect(costs.left([3, 4], 1)).toBeUndefined();
});

test('an estimate goes by the threads, the longest cell, and how fast it is now', () => {
  const costs = new Costs(cells, RUN, before([4000, 4000, 4000, 4000, 4000, 20_000]));
  expect(costs.left([0, 1, 2, 3], 2)).toBe(8000);
  expect(costs.left([4, 5], 2)).toBe(20_000);
  // Twice as slow, over enough work to count.
  costs.took(0, 200_000);
  expect(costs.left([1, 2], 2)! / 4000).toBeGreaterThan(30);
});

test('shards are all of it, each group once, and about as long', () => {
  const suite: PlannedCell[] = Object.keys(LONG_GROUPS).flatMap((group, i) => {
    const [id, arch, memoryModel] = group.split('@') as [string, string, string];
    const cell = { ...cells[0]!, id, arch, memoryModel };
    // And many short ones between them.
    return [cell, ...Array.from({ length: 5 }, (_, n) => ({ ...cell, id: `short/${i}/${n}` }))];
  });
  const groups = groupsOf(suite);
  const parts = [1, 2, 3, 4].map((index) => dealt(suite, groups, { index, count: 4 }));
  expect(parts.flat().toSorted((a, b) => a[0]! - b[0]!)).toEqual(groups);
  for (const part of parts) expect(part).toEqual(part.toSorted((a, b) => a[0]! - b[0]!));
  const sizes = parts.map((part) => part.reduce((sum, [cell]) => sum + weightOf(suite[cell!]!), 0));
  expect(Math.max(...sizes) / Math.min(...sizes)).toBeLessThan(1.05);
});
