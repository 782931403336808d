/**
 * Stress runs for people: one line each, a row where there are several, and for a violation what every CPU did last.
 */
import type { StressRun } from '../commands/stress.ts';
import { type Column, Table } from './table.ts';
import { terminal } from './terminal.ts';
import { number, plural } from './text.ts';

/** Events that are shown of each CPU. */
const SHOWN = 12;

/** A run in words. */
export function stressText(run: StressRun): string {
  const { arch, profile, breaks, cpus, seed, bug, outcome, message, oracle, cpu, seconds, operations, accesses } = run;
  const known = breaks ? ' (scenarios of the suite break in it)' : '';
  const what = `${arch} ${profile}${bug === undefined ? known : ` with ${bug}`}`;
  const done = `${number(operations)} operations and ${number(accesses)} accesses of ${cpus} CPUs in ${seconds.toFixed(1)} s, seed ${seed}`;
  if (outcome === 'clean') return `${what}: clean after ${done}`;
  if (outcome !== 'violation') return `${what}: ${outcome}: ${message} (${done})`;
  return [`${what}: ${oracle} on CPU ${cpu}: ${message}`, `after ${done}`, '', ...lastEvents(run)].join('\n');
}

/** Several runs: a row for each, when it is over. */
export class StressTable {
  readonly #table: Table;

  /** @param runs all that there will be */
  constructor(runs: readonly { readonly profile: string; readonly config: { readonly arch: string } }[]) {
    const named = (head: string, names: readonly string[]): Column => ({
      head,
      width: Math.max(...[head, ...names].map(({ length }) => length)),
    });
    this.#table = new Table(
      [
        named(
          'arch',
          runs.map(({ config }) => config.arch),
        ),
        named(
          'profile',
          runs.map(({ profile }) => profile),
        ),
        { head: 'time', width: 8, align: 'right' },
        { head: 'operations', width: 10, align: 'right' },
        { head: 'accesses', width: 11, align: 'right' },
        { head: 'found', width: 8 },
        { head: 'the suite breaks', width: 40 },
      ],
      terminal().paint,
    );
  }

  /** The titles. */
  head(): string {
    return this.#table.head();
  }

  /** A run. */
  row(run: StressRun): string {
    const { arch, profile, seconds, operations, accesses } = run;
    return this.#table.row([
      arch,
      profile,
      `${seconds.toFixed(1)} s`,
      number(operations),
      number(accesses),
      found(run),
      broken(run),
    ]);
  }
}

function found({ outcome, oracle, message }: StressRun): string {
  if (outcome === 'clean') return 'nothing';
  return outcome === 'violation' ? `${oracle}` : `${outcome}: ${message}`;
}

function broken({ known }: StressRun): string {
  return known.length < 2 ? (known[0] ?? '') : `${known[0]} and ${number(known.length - 1)} more`;
}

/** What is below the table: runs that did not end as expected, in full, and how many there were. */
export function stressSummary(runs: readonly StressRun[], asExpected: (run: StressRun) => boolean): string {
  const wrong = runs.filter((run) => !asExpected(run));
  const clean = runs.filter(({ outcome }) => outcome === 'clean').length;
  const counts = `${plural(runs.length, 'run')}: ${clean} clean, ${runs.length - clean - wrong.length} others as expected, ${wrong.length} not as expected`;
  return [...wrong.map((run) => `\n${stressText(run)}\n`), `\n${counts}\n`].join('');
}

/** What each CPU did last, all by time; milliseconds before the last of all. */
function lastEvents({ events, cpus }: StressRun): string[] {
  const shown = Array.from({ length: cpus }, (_, cpu) => events.filter((event) => event.cpu === cpu).slice(-SHOWN));
  const byTime = shown.flat().toSorted((a, b) => a.time - b.time);
  const end = byTime.at(-1)?.time ?? 0;
  return byTime.map(
    ({ cpu, time, text }) => `${((time - end) / 1000).toFixed(3).padStart(10)} ms  CPU ${cpu}  ${text}`,
  );
}
