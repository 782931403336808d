/**
 * Litmus tests for people: one as herd7 shows it, the differences from a table of verdicts, and sums.
 */
import { countsOf, observationOf, showProposition } from '@mmu-gather/litmus';
import type { LitmusResult, Ran } from '../commands/litmus.ts';
import { Table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { plural, time } from './text.ts';

/** What a folder of tests came to. */
export interface Sums {
  readonly suite: string;
  readonly tests: number;
  readonly agree: number;
  readonly forbiddenObserved: number;
  readonly allowedNotObserved: number;
  readonly requiredBroken: number;
  readonly undecided: number;
  readonly unsupported: number;
  /** Tests without an expected verdict. */
  readonly notExpected: number;
  readonly milliseconds: number;
}

/** The word that herd7 has for each kind of condition. */
const KINDS = { exists: 'Allowed', '~exists': 'Forbidden', forall: 'Required' } as const;

/** One test as herd7 shows it. */
export function litmusText(result: LitmusResult, terminal: Terminal): string {
  if (result.run === undefined) return `${unsupportedText(result, terminal)}\n\n`;
  const { test, found } = result.run;
  const { positive, negative } = countsOf(found);
  const holds =
    test.condition.quantifier === 'exists'
      ? positive > 0
      : test.condition.quantifier === 'forall'
        ? negative === 0 && positive > 0
        : positive === 0;
  const lines = [
    `Test ${test.name} ${KINDS[test.condition.quantifier]}`,
    `States ${found.outcomes.length}`,
    ...found.outcomes.map(({ text }) => text),
    holds ? 'Ok' : 'No',
    'Witnesses',
    `Positive: ${positive} Negative: ${negative}`,
    `Condition ${test.condition.quantifier} ${showProposition(test.condition.proposition)}`,
    `Observation ${test.name} ${observationOf(found)} ${positive} ${negative}`,
    ...(found.complete ? [] : [limitText(result.run)]),
    `Time ${test.name} ${(found.milliseconds / 1000).toFixed(2)}`,
    ...expectedText(result, terminal),
  ];
  return `${lines.map((line) => folded(line, terminal.columns)).join('\n')}\n\n`;
}

/** One line for a test that is not as expected; nothing for one that is. */
export function unexpectedText(result: LitmusResult, terminal: Terminal): string {
  const { run, expected } = result;
  if (run === undefined) return `${unsupportedText(result, terminal)}\n`;
  if (run.comparison === undefined || run.comparison === 'agree') return '';
  const what = {
    'forbidden-observed': terminal.paint.red('observed, and is forbidden'),
    'allowed-not-observed': 'not observed, and is allowed',
    'required-broken': terminal.paint.red('not always so, and is required'),
    undecided: `undecided (${run.found.limit ?? 'cut'}), and is ${(expected ?? '').toLowerCase()}`,
  }[run.comparison];
  return `${folded(`${result.file}: ${what}`, terminal.columns)}\n`;
}

/** The table of sums. */
export function summaryText(sums: readonly Sums[], { columns, paint }: Terminal): string {
  const numbers = ['tests', 'agree', 'forbidden', 'missed', 'undecided', 'unsupported', 'time'];
  const widths = numbers.map((head) => Math.max(6, head.length));
  const rest = columns - widths.reduce((sum, width) => sum + width + 2, 0);
  const suite = Math.max(5, Math.min(rest, Math.max(...sums.map((sum) => sum.suite.length))));
  const table = new Table(
    [
      { head: 'suite', width: suite },
      ...numbers.map((head, i) => ({ head, width: widths[i]!, align: 'right' as const })),
    ],
    paint,
  );
  const rows = sums.map((sum) => {
    const wrong = sum.forbiddenObserved + sum.requiredBroken;
    const counts = [sum.tests, sum.agree, wrong, sum.allowedNotObserved, sum.undecided, sum.unsupported];
    return table.row([tail(sum.suite, suite), ...counts.map(String), time(sum.milliseconds)]);
  });
  const notExpected = sums.reduce((total, sum) => total + sum.notExpected, 0);
  const note = notExpected === 0 ? [] : [`${plural(notExpected, 'test')} without an expected verdict`];
  return ['', table.head(), ...rows, ...note].join('\n').trimStart();
}

function unsupportedText({ unsupported }: LitmusResult, { columns, paint }: Terminal): string {
  return folded(`${paint.yellow('unsupported')} ${unsupported ?? ''}`, columns);
}

function expectedText({ expected, run }: LitmusResult, { paint }: Terminal): string[] {
  if (expected === undefined || run === undefined) return [];
  const agrees = run.comparison === 'agree';
  const text = `Expected ${expected}, found ${run.verdict}`;
  return [agrees ? text : paint.red(text)];
}

function limitText({ found }: Ran): string {
  if (found.limit === 'loop') return 'Limit: a loop was cut, so more states may be possible';
  const stop =
    found.limit === 'time' ? 'after the time limit' : found.limit === 'states' ? 'at the most states' : 'early';
  return `Limit: stopped ${stop}, so more states may be possible`;
}

/** A line that is too long goes on below, indented. */
function folded(line: string, columns: number): string {
  const lines: string[] = [];
  let now = '';
  for (const word of line.split(' ')) {
    if (now.trim() !== '' && now.length + 1 + word.length > columns) {
      lines.push(now);
      now = `  ${word}`;
    } else now = now === '' ? word : `${now} ${word}`;
  }
  return [...lines, now].join('\n');
}

/** The end of a text, if it is too long. */
function tail(text: string, width: number): string {
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`;
}
