/**
 * Every oracle has a twin that only it catches: with the oracle switched off, the wrong form passes.
 */
import { search } from '@mmu-gather/checker';
import type { OracleId } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { ARCHITECTURES, cells, machineOf, SCENARIOS, X86 } from '../src/index.ts';

const ONLY: readonly [oracle: OracleId, twin: string][] = [
  ['O1', 'munmap/running-thread/free-first'],
  ['O1s', 'rfc/mask-strict/shared'],
  ['O2', 'huge/mprotect-invalidate/no-ipi-wait'],
  ['O3', 'T20/naive'],
  ['O4', 'T3/naive'],
  ['O5', 'vma-lock/munmap/free-at-once'],
  ['O6', 'cow/both-write/clear-only'],
  ['O7', 'mremap/running-thread/after-unlock'],
  ['O8', 'kthread/use-mm/no-flush'],
  ['O9', 'T30/naive'],
  ['O10', 'T8/naive'],
  ['O11', 'ring/read-in-handler/no-recheck'],
  ['O12', 'fork/running-thread/no-flush'],
  ['O13', 'T11/naive'],
  ['O14', 'huge/split-zap/no-flush'],
  ['O15', 'T25/naive'],
  ['O16', 'T29/naive'],
  ['O17', 'gup-fast/batch-fails/kept'],
];

test.for(ONLY)('%s alone catches %s', ([oracle, twin]) => {
  const all = cells(SCENARIOS, [X86], { scenarios: [twin] });
  expect(all.length).toBeGreaterThan(0);
  const verdicts = all.map((cell) => {
    const found = search(machineOf(cell)).violation?.oracle;
    const without = search(machineOf(cell, undefined, [oracle])).verdict;
    return [cell.profile.id, found, without];
  });
  // On one profile at least; on another one the same mistake may break something else, too.
  expect(verdicts.map(([, ...rest]) => rest)).toContainEqual([oracle, 'holds']);
});

test('every scenario has a wrong twin that some architecture refutes; on x86 each that applies has one', () => {
  const all = cells(SCENARIOS, ARCHITECTURES);
  const on = all.filter((cell) => cell.arch === X86);
  expect(on.filter((cell) => cell.twinOf === undefined).length).toBeGreaterThan(200);
  for (const { id } of SCENARIOS) {
    expect(all.some((cell) => cell.twinOf === id && cell.expected === 'violated')).toBe(true);
    if (on.some((cell) => cell.id === id)) expect(on.some((cell) => cell.twinOf === id)).toBe(true);
  }
});
