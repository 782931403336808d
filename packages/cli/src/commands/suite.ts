/**
 * `conformance` and `check`: runs scenarios and shows verdicts, as a table or as JSON.
 */
import { availableParallelism } from 'node:os';
import { race } from '../human/race.ts';
import { SuiteReport } from '../human/suite-report.ts';
import { terminal } from '../human/terminal.ts';
import { preparePages, writePages } from '../pages/pages.ts';
import { coverageOf } from '../reports/coverage.ts';
import { mustBeWritable, writeFiles } from '../reports/files.ts';
import { codeOf, reportOf } from '../reports/report.ts';
import { howOf, mustFit, requestOf, type SuiteOptions } from '../suite/options.ts';
import { type Outcome, run } from '../suite/run.ts';
import { mustLoadUsersModules } from '../suite/users-module.ts';

/** Columns of diagrams in JSON, wherever it is made. */
const JSON_COLUMNS = 120;

/** Runs a command. Returns its exit code. */
export async function runSuite(files: readonly string[], options: SuiteOptions): Promise<number> {
  if (files.length + (options.backend?.length ?? 0) > 0) mustLoadUsersModules();
  mustFit(options);
  preparePages(options);
  const screen = terminal();
  const request = requestOf(files, options, options.json === true ? JSON_COLUMNS : screen.columns);
  if (options.compare === true) {
    const { runCompare } = await import('./compare.ts');
    const profiles = options.profile ?? ['all'];
    // What profiles cost is compared on one architecture: sums over several would say nothing.
    const archs = options.arch ?? (options.backend === undefined ? ['x86'] : []);
    const selection = { ...request.selection, profiles, archs };
    return runCompare({ ...request, selection, compare: true }, options.json === true);
  }
  if (options.rerun !== undefined && options.json !== true) {
    const outcome = await run(request);
    const [cell, result] = [outcome.cells[0], outcome.results[0]];
    if (cell !== undefined && result !== undefined) print(race(cell, result, outcome.run.identity.command, screen));
    await pages(outcome, '\n');
    return codeOf(outcome);
  }
  mustBeWritable(options);
  const how = howOf(options, availableParallelism());
  const human = new SuiteReport({ strategy: options.strategy ?? 'states', verbose: options.verbose === true }, screen);
  const outcome = await run(request, options.json === true ? {} : human, how);
  const report = reportOf(outcome);
  const coverage = options.coverage === undefined ? undefined : await coverageOf(report);
  const shown = options.coverage === true ? coverage : undefined;
  process.stdout.write(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : human.end(outcome, shown));
  writeFiles(report, options, coverage);
  await pages(outcome, '');
  return codeOf(outcome);

  /** Writes pages, and says so where people read. */
  async function pages({ run: { identity }, results }: Outcome, before: string): Promise<void> {
    const written = await writePages(options, request, results, identity.command);
    if (written !== undefined && options.json !== true) print(`${before}${written}`);
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
