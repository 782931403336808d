/**
 * Suites: folders of litmus files with a table of verdicts, run as the command runs them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  compare,
  explore,
  type LitmusTest,
  type Model,
  readExpectations,
  readLitmus,
  verdictOf,
} from '../src/index.ts';

/** How to run a suite. */
export interface How {
  /** Under another memory model than the language's own. */
  readonly model?: Model;
  /** Pick translations from sets, as kernel scenarios do. */
  readonly sets?: boolean;
  /** What to do with every test first. */
  readonly change?: (test: LitmusTest) => LitmusTest;
}

const same = (read: LitmusTest): LitmusTest => read;

/** Runs every file of a folder that has a verdict. Returns how each compares; `unsupported` and the message if it cannot be run. */
export function runSuite(
  folder: string,
  column: string,
  { model, sets = false, change = same }: How = {},
): Map<string, string> {
  const table = join(folder, 'verdicts.tsv');
  const expected = readExpectations(table, readFileSync(table, 'utf8'), column);
  const results = new Map<string, string>();
  for (const file of readdirSync(folder)) {
    const verdict = expected.get(file);
    if (verdict === undefined) continue;
    try {
      const test = change(readLitmus(file, readFileSync(join(folder, file), 'utf8')));
      results.set(
        file,
        compare(
          verdictOf(test, explore(test, { ets2: column === 'ets2', sets, ...(model !== undefined && { model }) })),
          verdict,
        ),
      );
    } catch (error) {
      results.set(file, error instanceof Error ? error.message : String(error));
    }
  }
  return results;
}

/** How many of each kind, messages as `error`. */
export function tally(results: ReadonlyMap<string, string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const result of results.values()) {
    const kind = /^[a-z-]+$/.test(result) ? result : 'error';
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
