/**
 * `demo`: what `npm start` shows.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { replay, summary } from '@mmu-gather/replay';
import { Overview } from '../human/overview.ts';
import { race } from '../human/race.ts';
import { sumOf } from '../human/suite-report.ts';
import { summary as sumUp } from '../human/summary.ts';
import { terminal } from '../human/terminal.ts';
import { wrap } from '../human/text.ts';
import { exitCode } from '../index.ts';
import { fromHere } from '../suite/site.ts';
import { codeOf } from '../reports/report.ts';
import { run } from '../suite/run.ts';
import { reading } from './reading.ts';
import { readFacts } from './replay.ts';

/** The race that is drawn: recent, real, and two CPUs wide. */
const DRAWN = { id: 'bug:B13/buggy', profile: 'linux-6.18' };

/** What is run: seconds of the suite, not minutes. */
const SHOWN = [
  'munmap/*',
  'mprotect/*',
  'cow/*',
  'fork/*',
  'bug:*',
  ...[1, 2, 3, 4, 6, 8, 9, 13, 16, 18, 19, 20, 25, 28, 29].map((trace) => `T${trace}/*`),
];

interface Recording {
  readonly trace: string;
  readonly facts: string;
}

/** The recording that is replayed. */
const RECORDING: Recording = { trace: 'm01-ceiling.trace.txt.gz', facts: 'x86-6.18-host.json' };

/** What to try next. */
const NEXT = [
  "npm run --silent mmu-gather -- conformance --scenario 'munmap/*'",
  'npm run --silent mmu-gather -- check FILE.ts    (README.md: yours in 20 lines)',
  'npm run --silent mmu-gather -- replay TRACE     (a recording of your machine)',
];

/** Shows what the project is. Returns the exit code. */
export async function demo(): Promise<number> {
  const screen = terminal();
  const { columns, paint } = screen;
  const say = (text: string): void => {
    process.stdout.write(`${wrap(text, columns)}\n\n`);
  };
  const title = (text: string): void => {
    process.stdout.write(`${paint.bold(text)}\n`);
  };

  title('1. Conformance: TLB-flush algorithms of Linux on x86, under every interleaving');
  say(
    'A part of the suite: each line is a race of a few CPUs. It must hold on every kernel version, with store buffers and with a TLB that fills ' +
      'whenever it can; the number counts the states. Its twins have one thing wrong, and must be refuted by the oracle beside them.',
  );
  let overview: Overview | undefined;
  let rows: Parameters<Overview['row']>[0][number][] = [];
  const flush = (): string => {
    const text = rows.length === 0 ? '' : `${overview!.row(rows)}\n`;
    rows = [];
    return text;
  };
  const outcome = await run(
    { files: [], backends: [], selection: { archs: ['x86'], scenarios: SHOWN }, run: { width: columns } },
    {
      planned(cells) {
        overview = new Overview(cells, screen);
        return `${overview.head()}\n`;
      },
      finished(planned, result) {
        const before = planned.twinOf === undefined && rows.some((row) => row.planned.id !== planned.id) ? flush() : '';
        if (result !== undefined) rows.push({ planned, result });
        return before;
      },
    },
  );
  process.stdout.write(`${flush()}\n${sumUp(sumOf(outcome), screen)}\n\n`);
  if (outcome.run.stopped) return exitCode.stopped;

  const drawn = outcome.cells.findIndex((cell) => cell.id === DRAWN.id && cell.profile === DRAWN.profile);
  const found = outcome.results[drawn];
  if (found !== undefined) {
    title('2. A counterexample: CVE-2025-37964 found again');
    say(
      "One column a CPU, one line a step, with what was read and from which step it came, and the line of our source; ~ is a store that leaves its CPU's store buffer. " +
        'The search returns the execution with the fewest preemptions.',
    );
    process.stdout.write(`${race(outcome.cells[drawn]!, found, 'mmu-gather conformance', screen)}\n\n`);
  }
  const recording = fixture(RECORDING);
  if (recording !== undefined) {
    title('3. Replay: a recording of Linux 6.18 drives the same code');
    say(
      'On a real machine a program unmapped, protected and dropped 1 to 64 pages while a second thread ran. Its system calls, page ' +
        'faults and switches drive the code of part 1, and what that flushes is compared with what the kernel flushed. ' +
        'A match is the same CPU, reason and number of pages in the same operation.',
    );
    const facts = readFacts(recording.facts);
    const { result: report, stopped } = await reading((onProgress) => replay(recording.trace, { facts, onProgress }));
    process.stdout.write(`${summary(report)}\n\n`);
    if (stopped) return exitCode.stopped;
  }
  title('Next');
  process.stdout.write(`${NEXT.map((line) => `  ${line}`).join('\n')}\n`);
  return codeOf(outcome);
}

/** A recording of the replay package, with what is known of its machine; an installed package does not hold it. */
function fixture({ trace, facts }: Recording): Recording | undefined {
  const folder = new URL(
    './test/fixtures/',
    pathToFileURL(createRequire(import.meta.url).resolve('@mmu-gather/replay/package.json')),
  );
  const path = (name: string): string => fromHere(fileURLToPath(new URL(name, folder)));
  return existsSync(path(trace)) && existsSync(path(facts)) ? { trace: path(trace), facts: path(facts) } : undefined;
}
