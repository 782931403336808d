/**
 * Verdict: what the final states say about a condition, and whether that is what a table of verdicts expects.
 *
 *     exists P     Allowed if some final state satisfies P, else Forbidden        (also for ~exists P: it asks about P)
 *     forall P     Required if all do, Allowed if some do, else Forbidden
 *
 * Tables have a row for each file: `file`, `name`, and columns of verdicts. In the kernel's words Never is Forbidden, Sometimes Allowed,
 * Always Required.
 */
import { basename } from 'node:path';
import { LitmusError } from './errors.ts';
import type { Exploration } from './explore.ts';
import type { LitmusTest } from './test.ts';

/** What a condition comes to. `Undecided`: not everything was explored, and what was decides nothing. */
export type Verdict = 'Allowed' | 'Forbidden' | 'Required' | 'Undecided';

/** How often the condition's proposition holds. */
export interface Counts {
  /** Final states that satisfy it. */
  readonly positive: number;
  /** Final states that do not. */
  readonly negative: number;
}

/** Counts final states. */
export function countsOf({ outcomes }: Exploration): Counts {
  const positive = outcomes.filter((outcome) => outcome.positive).length;
  return { positive, negative: outcomes.length - positive };
}

/** The verdict on a test. */
export function verdictOf(test: LitmusTest, found: Exploration): Verdict {
  const { positive, negative } = countsOf(found);
  if (test.condition.quantifier !== 'forall') {
    if (positive > 0) return 'Allowed';
    return found.complete ? 'Forbidden' : 'Undecided';
  }
  if (positive > 0 && negative > 0) return 'Allowed';
  if (!found.complete) return 'Undecided';
  return negative === 0 && positive > 0 ? 'Required' : 'Forbidden';
}

/** herd7's word for how often the proposition holds. */
export function observationOf(found: Exploration): 'Never' | 'Sometimes' | 'Always' | 'Undecided' {
  const { positive, negative } = countsOf(found);
  if (positive > 0 && negative > 0) return 'Sometimes';
  if (!found.complete) return 'Undecided';
  return positive === 0 ? 'Never' : 'Always';
}

/** How a verdict compares with the expected one. */
export type Comparison =
  /** They agree. */
  | 'agree'
  /** An outcome was observed that must not be: the model is wrong. */
  | 'forbidden-observed'
  /** An outcome was not observed that may be: the model is stronger than the architecture. */
  | 'allowed-not-observed'
  /** Some outcome is none that is required. */
  | 'required-broken'
  /** Not everything was explored. */
  | 'undecided';

/** Compares a verdict with the expected one. An outcome that always comes is also one that may. */
export function compare(verdict: Verdict, expected: Verdict): Comparison {
  if (verdict === expected || (expected === 'Allowed' && verdict === 'Required')) return 'agree';
  if (verdict === 'Undecided') return 'undecided';
  if (expected === 'Forbidden') return 'forbidden-observed';
  return expected === 'Allowed' ? 'allowed-not-observed' : 'required-broken';
}

const WORDS: Readonly<Record<string, Verdict>> = {
  allowed: 'Allowed',
  forbidden: 'Forbidden',
  required: 'Required',
  never: 'Forbidden',
  sometimes: 'Allowed',
  always: 'Required',
};

/** Expected verdicts, by the name of the file. A file without a verdict is not in it. */
export type Expectations = ReadonlyMap<string, Verdict>;

/** The columns of verdicts that a table has. */
export function verdictColumns(text: string): string[] {
  const head = text.split(/\r?\n/, 1)[0]!.split('\t');
  return head.filter((name) => name !== 'file' && name !== 'name');
}

/**
 * Reads one column of a table of verdicts.
 * @param column its name; the only column of verdicts if not given
 * @throws LitmusError if the table is malformed, or has no such column
 */
export function readExpectations(file: string, text: string, column?: string): Expectations {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  const head = lines[0]!.split('\t');
  const columns = verdictColumns(text);
  const wanted = column ?? (columns.length === 1 ? columns[0] : undefined);
  const at = head.indexOf(wanted ?? '');
  const fileAt = head.indexOf('file');
  if (fileAt < 0)
    throw new LitmusError(file, 1, "the first line must name columns with tabs between them, 'file' among them");
  if (at < 0 || wanted === undefined) {
    const what = wanted === undefined ? 'several columns of verdicts' : `no column '${wanted}'`;
    throw new LitmusError(file, 1, `${what}: there are ${columns.join(', ')}`);
  }
  const expected = new Map<string, Verdict>();
  lines.slice(1).forEach((line, i) => {
    if (line.trim() === '') return;
    const cells = line.split('\t');
    const word = (cells[at] ?? '').trim();
    if (word === '') return;
    const verdict = WORDS[word.toLowerCase()];
    if (verdict === undefined)
      throw new LitmusError(file, i + 2, `'${word}' is no verdict: there are ${Object.keys(WORDS).join(', ')}`);
    expected.set(basename(cells[fileAt]!), verdict);
  });
  return expected;
}
