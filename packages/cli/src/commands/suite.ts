/**
 * `conformance` and `check`: runs scenarios and shows verdicts, as a table or as JSON.
 */
import module from 'node:module';
import { type CellResult, type NotApplicable, PROFILES, report, type StrategyName } from '@mmu-gather/conformance';
import type { MemoryModel } from '@mmu-gather/core/stepped';
import { notApplicableText } from '../human/not-applicable.ts';
import { race } from '../human/race.ts';
import { countsStates, ResultTable } from '../human/results.ts';
import { Status } from '../human/status.ts';
import { type Sum, summary } from '../human/summary.ts';
import { type Terminal, terminal } from '../human/terminal.ts';
import { number } from '../human/text.ts';
import { exitCode } from '../index.ts';
import { onInterrupt } from '../interrupt.ts';
import { Misuse } from '../misuse.ts';
import { type PagesOptions, preparePages, writePages } from '../pages/pages.ts';
import type { PlannedCell, Request } from '../suite/request.ts';
import { Suite } from '../suite/suite.ts';

/** Columns of diagrams in JSON, wherever it is made. */
const JSON_COLUMNS = 120;

/** Options of both commands. */
export interface SuiteOptions extends PagesOptions {
  readonly backend?: readonly string[];
  readonly arch?: readonly string[];
  readonly profile?: readonly string[];
  readonly with?: readonly string[];
  readonly scenario?: readonly string[];
  readonly memoryModel?: MemoryModel;
  readonly strategy?: Exclude<StrategyName, 'rerun'>;
  readonly maxStates?: number;
  readonly maxExecutions?: number;
  readonly timeLimit?: number;
  readonly seed?: number;
  readonly rerun?: string;
  readonly compare?: boolean;
  readonly full?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** What was run. */
export interface Outcome {
  readonly cells: readonly PlannedCell[];
  /** Of the first cells, in their order; undefined if a cell was stopped and has none. */
  readonly results: readonly (CellResult | undefined)[];
  /** What was asked for and does not apply. */
  readonly notApplicable: readonly NotApplicable[];
  readonly stopped: boolean;
  readonly milliseconds: number;
}

/** Hears of a run. */
export interface Listener {
  /** The cells are known. */
  planned?(cells: readonly PlannedCell[]): string;
  /** A cell came to an end. */
  finished?(cell: PlannedCell, result: CellResult | undefined): string;
}

/** Runs a command. Returns its exit code. */
export async function runSuite(files: readonly string[], options: SuiteOptions): Promise<number> {
  if (files.length + (options.backend?.length ?? 0) > 0 && !('registerHooks' in module)) {
    throw new Misuse(`files of your own need Node 22.18 or newer, and this is ${process.version}`);
  }
  mustFit(options);
  preparePages(options);
  const screen = terminal();
  const request = requestOf(files, options, options.json === true ? JSON_COLUMNS : screen.columns);
  if (options.compare === true) {
    const { runCompare } = await import('./compare.ts');
    const profiles = options.profile ?? PROFILES.map((spec) => spec.id);
    // What profiles cost is compared on one architecture: sums over several would say nothing.
    const selection = {
      ...request.selection,
      profiles,
      archs: options.arch ?? (options.backend === undefined ? ['x86'] : []),
    };
    return runCompare({ ...request, selection, compare: true }, options.json === true);
  }
  const command = commandOf(files, options.backend ?? []);
  if (options.json === true) {
    const outcome = await run(request, {});
    process.stdout.write(`${JSON.stringify(report(resultsOf(outcome), outcome.notApplicable), null, 2)}\n`);
    await writePages(options, request, outcome.results, command);
    return codeOf(outcome);
  }
  if (options.rerun !== undefined) {
    const outcome = await run(request, {});
    const [cell, result] = [outcome.cells[0], outcome.results[0]];
    if (cell !== undefined && result !== undefined) print(race(cell, result, command, screen));
    const written = await writePages(options, request, outcome.results, command);
    if (written !== undefined) print(`\n${written}`);
    return codeOf(outcome);
  }
  let table: ResultTable | undefined;
  const outcome = await run(request, {
    planned(cells) {
      table = new ResultTable(cells, options.strategy ?? 'states', screen);
      return `${table.head()}\n`;
    },
    finished: (cell, result) => `${table!.row(cell, result)}\n`,
  });
  for (const text of races(outcome, command, screen)) print(`\n${text}`);
  const left = notApplicableText(outcome.notApplicable, outcome.cells, options.verbose === true, screen);
  if (left !== '') print(`\n${left}`);
  if (outcome.cells.length > 0) print(`\n${summary(sumOf(outcome), screen)}`);
  const written = await writePages(options, request, outcome.results, command);
  if (written !== undefined) print(written);
  return codeOf(outcome);
}

/** Plans and runs; whatever the listener returns is printed. Returns early if the user interrupts. */
export async function run(request: Request, listener: Listener): Promise<Outcome> {
  const started = performance.now();
  let stop = (): void => {};
  const deaf = onInterrupt(() => stop());
  const suite = await Suite.start(request, (how) => (stop = how));
  const milliseconds = (): number => performance.now() - started;
  if (suite === undefined)
    return { cells: [], results: [], notApplicable: [], stopped: true, milliseconds: milliseconds() };
  const { cells, notApplicable } = suite;
  const results: (CellResult | undefined)[] = [];
  const status = new Status(cells.length);
  try {
    let head = listener.planned?.(cells) ?? '';
    for (const [i, cell] of cells.entries()) {
      const what = `${cell.id} ${cell.profile}`;
      status.update(i, what);
      const result = await suite.run(i, ({ states, executions }) => {
        status.update(i, `${what}: ${states > 0 ? `${number(states)} states` : `${number(executions)} executions`}`);
      });
      results.push(result);
      status.write(head + (listener.finished?.(cell, result) ?? ''));
      head = '';
      if (suite.stopped) break;
    }
  } finally {
    status.end();
    deaf();
  }
  const { stopped } = suite;
  await suite.close();
  return { cells, results, notApplicable, stopped, milliseconds: milliseconds() };
}

/** The results that there are. */
export function resultsOf({ results }: Outcome): CellResult[] {
  return results.filter((result) => result !== undefined);
}

/** What there is to sum up. */
export function sumOf(outcome: Outcome): Sum {
  const { milliseconds, stopped } = outcome;
  return { results: resultsOf(outcome), planned: outcome.cells.length, milliseconds, stopped };
}

function codeOf(outcome: Outcome): number {
  if (outcome.stopped) return exitCode.stopped;
  return resultsOf(outcome).every((result) => result.ok) ? exitCode.expected : exitCode.unexpected;
}

/** The diagrams that are worth showing: of what is not as expected, and of a twin that was asked for alone. */
function races({ cells, results }: Outcome, command: string, screen: Terminal): string[] {
  const alone = new Set(cells.map((cell) => cell.id)).size === 1;
  return cells.flatMap((cell, i) => {
    const result = results[i];
    const worth =
      result !== undefined &&
      result.verdict !== 'incomplete' &&
      (!result.ok || (alone && result.verdict === 'violated'));
    return worth ? [race(cell, result, command, screen)] : [];
  });
}

/** Refuses options that would have no effect: somebody would take an unlimited search for a limited one. */
function mustFit(options: SuiteOptions): void {
  const { strategy = 'states', maxStates, maxExecutions, timeLimit, seed, rerun } = options;
  const refuse = (what: string): never => {
    throw new Misuse(what);
  };
  const searching = options.strategy ?? maxStates ?? maxExecutions ?? timeLimit ?? seed;
  if (options.compare === true && (rerun ?? searching) !== undefined)
    refuse('--compare searches nothing: leave out strategy, limits, seed and --rerun');
  if (options.compare === true && options.html !== undefined)
    refuse('--compare finds no counterexamples: leave out --html');
  if (rerun !== undefined && searching !== undefined)
    refuse('--rerun takes one execution again: leave out strategy, limits and seed');
  if (maxStates !== undefined && !countsStates(strategy))
    refuse(`--max-states does not limit ${strategy}: give --max-executions`);
  if (maxExecutions !== undefined && countsStates(strategy))
    refuse(`--max-executions does not limit ${strategy}: give --max-states`);
  if (seed !== undefined && strategy !== 'random') refuse(`--seed is for --strategy random, not ${strategy}`);
}

function requestOf(files: readonly string[], options: SuiteOptions, width: number): Request {
  const { arch, profile, scenario, memoryModel, strategy, maxStates, maxExecutions, timeLimit, seed, rerun, full } =
    options;
  return {
    files,
    backends: options.backend ?? [],
    selection: {
      ...(arch !== undefined && { archs: arch }),
      ...(profile !== undefined && { profiles: profile }),
      ...(options.with !== undefined && { settings: options.with }),
      ...(scenario !== undefined && { scenarios: scenario }),
      ...(memoryModel !== undefined && { memoryModel }),
    },
    run: {
      width,
      ...(strategy !== undefined && { strategy }),
      ...(maxStates !== undefined && { maxStates }),
      ...(maxExecutions !== undefined && { maxExecutions }),
      ...(timeLimit !== undefined && { timeLimit }),
      ...(seed !== undefined && { seed }),
      ...(full !== undefined && { full }),
    },
    ...(rerun !== undefined && { rerun }),
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The command that reruns what was found. */
function commandOf(files: readonly string[], backends: readonly string[]): string {
  const own = backends.flatMap((backend) => ['--backend', backend]);
  return ['mmu-gather', files.length > 0 ? 'check' : 'conformance', ...files, ...own].join(' ');
}
