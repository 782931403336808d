/**
 * What each rule of the VMSA machine is for: without it, some file of the project has another verdict. A rule that nothing
 * notices would be one that no test covers.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VMSA_RULES, type VmsaRule } from '@mmu-gather/checker';
import { describe, expect, test } from 'vitest';
import {
  explore,
  type ExploreOptions,
  type LitmusTest,
  readExpectations,
  readLitmus,
  type Verdict,
  verdictOf,
} from '../src/index.ts';
import { translated } from './translated.ts';

const FILES = join(import.meta.dirname, 'files');

interface Case {
  readonly file: string;
  readonly read: LitmusTest;
  readonly ets2: boolean;
  readonly expected: Verdict;
}

function cases(folder: string, column: string, change: (read: LitmusTest) => LitmusTest): Case[] {
  const table = join(FILES, folder, 'verdicts.tsv');
  const expected = readExpectations(table, readFileSync(table, 'utf8'), column);
  return readdirSync(join(FILES, folder)).flatMap((file) => {
    const verdict = expected.get(file);
    if (verdict === undefined) return [];
    const read = change(readLitmus(file, readFileSync(join(FILES, folder, file), 'utf8')));
    return [{ file, read, ets2: column === 'ets2', expected: verdict }];
  });
}

const same = (read: LitmusTest): LitmusTest => read;
const ALL: readonly Case[] = [
  ...cases('aarch64-vmsa', 'base', same),
  ...cases('aarch64-vmsa', 'ets2', same),
  // The same instructions, with a walk before every access.
  ...cases('aarch64', 'expected', translated),
];

/** Files whose verdict is not the expected one. */
function noticed(options: ExploreOptions): string[] {
  const wrong = ALL.filter(
    ({ read, ets2, expected }) => verdictOf(read, explore(read, { ...options, ets2 })) !== expected,
  );
  return wrong.map(({ file }) => file);
}

test('with all rules every file has its verdict', () => {
  expect(noticed({})).toEqual([]);
});

describe('without', () => {
  test.each(VMSA_RULES)('%s', (rule: VmsaRule) => {
    expect(noticed({ without: [rule] })).not.toEqual([]);
  });
});
