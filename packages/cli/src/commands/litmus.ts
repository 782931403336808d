/**
 * `litmus`: explores litmus tests, and compares the verdicts with a table of expected ones.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import {
  compare,
  type Comparison,
  countsOf,
  type Exploration,
  type Expectations,
  explore,
  type ExploreOptions,
  LitmusError,
  type LitmusTest,
  type Model,
  modelOf,
  observationOf,
  readExpectations,
  readLitmus,
  showProposition,
  Unsupported,
  type Verdict,
  verdictColumns,
  verdictOf,
} from '@mmu-gather/litmus';
import { litmusText, type Sums, summaryText, unexpectedText } from '../human/litmus.ts';
import { Status } from '../human/status.ts';
import { terminal } from '../human/terminal.ts';
import { exitCode } from '../index.ts';
import { onInterrupt } from '../interrupt.ts';
import { litmusFiles } from '../litmus/files.ts';
import { Misuse } from '../misuse.ts';

/** Most time for one test, if nothing is said. */
const TIME_LIMIT = 60_000;

/** Options of the command. */
export interface LitmusOptions {
  readonly expect?: readonly string[];
  readonly column?: string;
  readonly variant?: 'ets2';
  readonly memoryModel?: Model;
  readonly maxStates?: number;
  readonly timeLimit?: number;
  readonly full?: boolean;
  readonly json?: boolean;
}

/** A table of expected verdicts. */
interface ExpectedTable {
  readonly file: string;
  readonly expected: Expectations;
}

/** What came of one file. */
export interface LitmusResult {
  readonly file: string;
  readonly expected: Verdict | undefined;
  /** Why it could not be run; then there is nothing else. */
  readonly unsupported: string | undefined;
  readonly run: Ran | undefined;
}

/** A test that was explored. */
export interface Ran {
  readonly test: LitmusTest;
  readonly found: Exploration;
  readonly verdict: Verdict;
  /** Undefined if nothing is expected. */
  readonly comparison: Comparison | undefined;
}

/** Runs the command. Returns its exit code. */
export async function runLitmus(args: readonly string[], options: LitmusOptions): Promise<number> {
  if (options.column !== undefined && options.expect === undefined)
    throw new Misuse('--column goes with --expect FILE');
  const files = litmusFiles(args);
  const tables = tablesOf(options);
  const tests = files.map((file) => ({ file, read: readTest(file) }));
  const show = new Shown(options, tables.length > 0);
  let stopped = false;
  const deaf = onInterrupt(() => (stopped = true));
  const status = new Status(files.length);
  const results: LitmusResult[] = [];
  const begin = performance.now();
  try {
    for (const { file, read } of tests) {
      if (stopped) break;
      status.update(results.length, basename(file));
      const result = resultOf(file, read, expectedOf(file, tables), exploreOptions(options));
      results.push(result);
      status.write(show.result(result));
      // Ctrl-C is heard between tests.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    status.end();
    deaf();
  }
  process.stdout.write(show.end(results, performance.now() - begin));
  if (stopped) {
    process.stderr.write(`mmu-gather: stopped after ${results.length} of ${files.length} tests\n`);
    return exitCode.stopped;
  }
  return results.every(isExpected) ? exitCode.expected : exitCode.unexpected;
}

/** Supported, and as expected if something is expected. */
function isExpected({ unsupported, run }: LitmusResult): boolean {
  return unsupported === undefined && (run?.comparison === undefined || run.comparison === 'agree');
}

function exploreOptions({ variant, column, memoryModel, maxStates, timeLimit }: LitmusOptions): ExploreOptions {
  return {
    ets2: variant === 'ets2' || (variant === undefined && column === 'ets2'),
    timeLimit: timeLimit ?? TIME_LIMIT,
    ...(memoryModel !== undefined && { model: memoryModel }),
    ...(maxStates !== undefined && { maxStates }),
  };
}

/** Reads a file that must be there. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Misuse(`${file}: ${absent ? 'no such file' : 'cannot be read'}`, { cause: error });
  }
}

/** Reads a test, or says why it is not supported. Malformed ones end the command. */
function readTest(file: string): LitmusTest | string {
  return supported(() => readLitmus(file, textOf(file)));
}

/** A table with one column needs no name for it, if another table has the column that is named. */
function tablesOf({ expect = [], column }: LitmusOptions): ExpectedTable[] {
  const texts = expect.map((file) => ({ file, text: textOf(file) }));
  const known = texts.some(({ text }) => verdictColumns(text).includes(column ?? ''));
  return texts.map(({ file, text }) => {
    const columns = verdictColumns(text);
    const named = known && columns.length === 1 ? columns[0] : column;
    return { file, expected: bad(() => readExpectations(file, text, named)) };
  });
}

function supported<T>(part: () => T): T | string {
  try {
    return part();
  } catch (error) {
    if (error instanceof Unsupported) return error.message;
    return bad(() => {
      throw error;
    });
  }
}

function bad<T>(part: () => T): T {
  try {
    return part();
  } catch (error) {
    if (error instanceof LitmusError) throw new Misuse(error.message, { cause: error });
    throw error;
  }
}

/** A table beside the file counts before others. */
function expectedOf(file: string, tables: readonly ExpectedTable[]): Verdict | undefined {
  const name = basename(file);
  const here = (table: string): boolean => relative(dirname(table), file) === name;
  const table = tables.find((each) => here(each.file)) ?? tables.find((each) => each.expected.has(name));
  return table?.expected.get(name);
}

function resultOf(
  file: string,
  read: LitmusTest | string,
  expected: Verdict | undefined,
  options: ExploreOptions,
): LitmusResult {
  if (typeof read === 'string') return { file, expected, unsupported: read, run: undefined };
  const found = supported(() => explore(read, options));
  if (typeof found === 'string') return { file, expected, unsupported: found, run: undefined };
  const verdict = verdictOf(read, found);
  const comparison = expected === undefined ? undefined : compare(verdict, expected);
  return { file, expected, unsupported: undefined, run: { test: read, found, verdict, comparison } };
}

/** What is written: JSON at the end, or text as results come in. */
class Shown {
  readonly #options: LitmusOptions;
  readonly #compares: boolean;

  constructor(options: LitmusOptions, compares: boolean) {
    this.#options = options;
    this.#compares = compares;
  }

  result(result: LitmusResult): string {
    if (this.#options.json === true) return '';
    if (this.#compares && this.#options.full !== true) return unexpectedText(result, terminal());
    return litmusText(result, terminal());
  }

  end(results: readonly LitmusResult[], milliseconds: number): string {
    if (this.#options.json === true) return `${JSON.stringify(this.#json(results, milliseconds), null, 2)}\n`;
    return this.#compares ? `${summaryText(sumsOf(results), terminal())}\n` : '';
  }

  #json(results: readonly LitmusResult[], milliseconds: number): object {
    const { ets2 } = exploreOptions(this.#options);
    return {
      schema: 1,
      ets2,
      tests: results.map((result) => jsonOf(result, this.#options)),
      ...(this.#compares && { summary: sumsOf(results) }),
      milliseconds,
    };
  }
}

function jsonOf({ file, expected, unsupported, run }: LitmusResult, options: LitmusOptions): object {
  const expects = { ...(expected !== undefined && { expected }) };
  if (run === undefined) return { file, ...expects, unsupported };
  const { test, found, verdict, comparison } = run;
  return {
    file,
    name: test.name,
    language: test.language,
    model: modelOf(test, exploreOptions(options)),
    verdict,
    ...expects,
    ...(comparison !== undefined && { comparison }),
    condition: `${test.condition.quantifier} ${showProposition(test.condition.proposition)}`,
    observation: observationOf(found),
    ...countsOf(found),
    states: found.outcomes.map(({ text, positive }) => ({ text, positive })),
    complete: found.complete,
    ...(found.limit !== undefined && { limit: found.limit }),
    searched: found.states,
    milliseconds: found.milliseconds,
  };
}

/** Sums by folder. */
function sumsOf(results: readonly LitmusResult[]): Sums[] {
  const suites = new Map<string, LitmusResult[]>();
  for (const result of results) {
    const suite = dirname(result.file);
    suites.set(suite, [...(suites.get(suite) ?? []), result]);
  }
  return [...suites].map(([suite, own]) => {
    const count = (comparison: Comparison): number => own.filter(({ run }) => run?.comparison === comparison).length;
    return {
      suite,
      tests: own.length,
      agree: count('agree'),
      forbiddenObserved: count('forbidden-observed'),
      allowedNotObserved: count('allowed-not-observed'),
      requiredBroken: count('required-broken'),
      undecided: count('undecided'),
      unsupported: own.filter(({ unsupported }) => unsupported !== undefined).length,
      notExpected: own.filter(({ run, expected }) => run !== undefined && expected === undefined).length,
      milliseconds: own.reduce((sum, { run }) => sum + (run?.found.milliseconds ?? 0), 0),
    };
  });
}
