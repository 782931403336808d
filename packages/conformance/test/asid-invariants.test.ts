// The invariants of the ASID model: each is the one that sees what is wrong, by its name.
import type { OracleId } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { ARM64, cells, runCell, SCENARIOS } from '../src/index.ts';

test.for<[twin: string, broken: RegExp, off?: readonly OracleId[]]>([
  ['nothing-reserved', /^(Unique|Same)ASIDActiveTask/],
  ['no-flush', /^UniqueASIDPerCPU/, ['O8']],
  ['local', /^TLBEmptyInvalPTE/],
])('%s', ([twin, broken, oraclesOff]) => {
  const [cell] = cells(SCENARIOS, [ARM64], {
    profiles: ['linux-6.18'],
    memoryModel: 'tso',
    scenarios: [`asid/invariants/${twin}`],
  });
  const { message } = runCell(cell!, oraclesOff === undefined ? {} : { oraclesOff });
  expect(message).toMatch(broken);
});
