/**
 * `demo`: what `npm start` shows.
 */
import { Overview } from '../human/overview.ts';
import { race } from '../human/race.ts';
import { summary } from '../human/summary.ts';
import { terminal } from '../human/terminal.ts';
import { wrap } from '../human/text.ts';
import { exitCode } from '../index.ts';
import { resultsOf, run, sumOf } from './suite.ts';

/** The race that is drawn: recent, real, and two CPUs wide. */
const DRAWN = { id: 'bug:B13/buggy', profile: 'linux-6.18' };

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
    'Each line is a race of a few CPUs. It must hold on every kernel version, with store buffers and with a TLB that fills ' +
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
    { files: [], selection: { archs: ['x86'] }, run: { width: columns } },
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
  process.stdout.write(`${flush()}\n${summary(sumOf(outcome), screen)}\n\n`);
  if (outcome.stopped) return exitCode.stopped;

  const drawn = outcome.cells.findIndex((cell) => cell.id === DRAWN.id && cell.profile === DRAWN.profile);
  const found = outcome.results[drawn];
  if (found !== undefined) {
    title('2. A counterexample: CVE-2025-37964 found again');
    say(
      'One column a CPU, one line a step, with what was read and from which step it came, and with the line of our source. ' +
        'The search returns the execution with the fewest preemptions.',
    );
    process.stdout.write(`${race(outcome.cells[drawn]!, found, 'mmu-gather conformance', screen)}\n\n`);
  }
  return resultsOf(outcome).every((result) => result.ok) ? exitCode.expected : exitCode.unexpected;
}
