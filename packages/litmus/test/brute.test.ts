/**
 * Every state once finds what every interleaving finds: tests with page tables, on the project's files, as far as those are small enough.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { search } from '@mmu-gather/checker';
import { expect, test } from 'vitest';
import { readLitmus } from '../src/index.ts';
import { Final } from '../src/final.ts';
import { onTables } from '../src/on-tables.ts';
import { Words } from '../src/values.ts';

const FOLDER = join(import.meta.dirname, 'files', 'aarch64-vmsa');
/** Executions of a file that is small enough. */
const MOST = 4000;

test('on every small file, with and without ETS2', { timeout: 60_000 }, () => {
  let compared = 0;
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.litmus'))) {
    const read = readLitmus(file, readFileSync(join(FOLDER, file), 'utf8'));
    for (const ets2 of [false, true]) {
      const found = (['brute', 'states'] as const).map((strategy) => {
        const words = new Words();
        const limits = { limited: false, unsupported: undefined };
        const { machine, ends } = onTables(read, words, new Final(read, words), limits, { ets2 });
        const options = strategy === 'brute' ? { maxExecutions: MOST } : { checkKeys: true };
        return search(machine, { strategy, ...options }).exhaustive ? [...ends].toSorted() : undefined;
      });
      if (found[0] === undefined) continue;
      compared++;
      expect({ file, ets2, ends: found[1] }).toEqual({ file, ets2, ends: found[0] });
    }
  }
  expect(compared).toBeGreaterThan(80);
});
