/**
 * Coverage as people see it.
 */
import picocolors from 'picocolors';
import { expect, test } from 'vitest';
import { coverageText } from '../src/human/coverage.ts';
import type { Coverage, Pair } from '../src/reports/coverage.ts';

const cell = (scenario: string, both: Pair[], one: Pair[]): Coverage['cells'][number] => ({
  scenario,
  arch: 'x86',
  profile: 'linux-6.18',
  memoryModel: 'tso',
  sites: 7,
  both,
  one,
});

test('a pair that cells have seen in different orders counts once, and is not said to have one', () => {
  const text = coverageText(
    {
      schema: 1,
      sites: ['mm/a.ts:1', 'mm/b.ts:2', 'mm/c.ts:3'],
      untaken: [],
      both: [['mm/a.ts:1', 'mm/c.ts:3']],
      one: [
        ['mm/a.ts:1', 'mm/b.ts:2'],
        ['mm/b.ts:2', 'mm/a.ts:1'],
        ['mm/b.ts:2', 'mm/c.ts:3'],
      ],
      cells: [
        cell('one', [['mm/a.ts:1', 'mm/c.ts:3']], [['mm/a.ts:1', 'mm/b.ts:2']]),
        cell(
          'two',
          [],
          [
            ['mm/b.ts:2', 'mm/a.ts:1'],
            ['mm/b.ts:2', 'mm/c.ts:3'],
          ],
        ),
      ],
    },
    true,
    { columns: 80, interactive: false, paint: picocolors.createColors(false) },
  );
  expect(text).toBe(`scenario  arch  profile     sites  both orders  one order
one       x86   linux-6.18      7            1          1
two       x86   linux-6.18      7            0          2

3 sites exercised, 0 of the same packages not.
Of 3 racing pairs 1 was seen in both orders.
  mm/b.ts:2 before mm/a.ts:1, or after it, by cell
  mm/b.ts:2 before mm/c.ts:3, never after it`);
});
