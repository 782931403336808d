/**
 * What each rule of walks is for: without it, some file of the project has another verdict. A rule that nothing notices would be untested,
 * or no rule.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WALK_RULES, type WalkRule } from '@mmu-gather/checker';
import { describe, expect, test } from 'vitest';
import { compare, explore, type ExploreOptions, readExpectations, readLitmus, verdictOf } from '../src/index.ts';

const FOLDER = join(import.meta.dirname, 'files', 'aarch64-vmsa');
const TABLE = join(FOLDER, 'verdicts.tsv');

const CASES = ['base', 'ets2'].flatMap((column) =>
  [...readExpectations(TABLE, readFileSync(TABLE, 'utf8'), column)].map(([file, expected]) => ({
    file: `${file}, ${column}`,
    read: readLitmus(file, readFileSync(join(FOLDER, file), 'utf8')),
    ets2: column === 'ets2',
    expected,
  })),
);

/** Files whose verdict is not the expected one. */
function noticed(options: ExploreOptions): string[] {
  const wrong = CASES.filter(
    ({ read, ets2, expected }) => compare(verdictOf(read, explore(read, { ...options, ets2 })), expected) !== 'agree',
  );
  return wrong.map(({ file }) => file);
}

test('with all rules every file has its verdict', () => {
  expect(noticed({})).toEqual([]);
});

describe('without', () => {
  test.each(WALK_RULES)('%s', { timeout: 30_000 }, (rule: WalkRule) => {
    expect(noticed({ without: [rule] })).not.toEqual([]);
  });
});
