/**
 * `merge-reports`: the reports of all shards of a run to the one that the whole run would have made.
 */
import { readFileSync } from 'node:fs';
import {
  type CellResult,
  type Identity,
  type Report,
  type RunInfo,
  type ShardInfo,
  summaryOf,
} from '@mmu-gather/conformance';
import { SuiteReport } from '../human/suite-report.ts';
import { terminal } from '../human/terminal.ts';
import { firstLine, Misuse } from '../misuse.ts';
import { type PagesOptions, preparePages, writePages } from '../pages/pages.ts';
import { coverageOf } from '../reports/coverage.ts';
import { type Files, mustBeWritable, writeFiles } from '../reports/files.ts';
import { codeOf, outcomeOf } from '../reports/report.ts';
import { difference, identityOf, requestOf } from '../suite/identity.ts';
import type { Request } from '../suite/request.ts';

/** Options of the command. */
export interface MergeOptions extends Files, PagesOptions {
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** A report, its file, and which part it is. */
interface Part {
  readonly file: string;
  readonly report: Report;
  readonly shard: ShardInfo;
}

/** Runs the command. Returns the exit code that the whole run would have had. */
export async function runMerge(files: readonly string[], options: MergeOptions): Promise<number> {
  const report = merged(files.map(read));
  if (options.coverage !== undefined && !report.results.some(({ exercise }) => exercise !== undefined))
    throw new Misuse('--coverage: these shards did not ask for it: run them with --coverage');
  const request = requestOf(report.run.identity);
  if (options.html !== undefined) mustBeHere(report.run.identity, request);
  preparePages(options);
  mustBeWritable(options);
  const outcome = outcomeOf(report);
  const coverage = options.coverage === undefined ? undefined : await coverageOf(report);
  if (options.json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else {
    const strategy = report.results[0]?.strategy ?? 'states';
    const human = new SuiteReport({ strategy, verbose: options.verbose === true }, terminal());
    process.stdout.write(human.planned(outcome.cells));
    for (const [i, cell] of outcome.cells.entries()) process.stdout.write(human.finished(cell, outcome.results[i]));
    process.stdout.write(human.end(outcome, options.coverage === true ? coverage : undefined));
  }
  writeFiles(report, options, coverage);
  const pages = await writePages(options, request, report.results, report.run.identity.command);
  if (pages !== undefined && options.json !== true) process.stdout.write(`${pages}\n`);
  return codeOf(outcome);
}

/** Pages take each execution again: that needs the sources and files of the run. */
function mustBeHere(identity: Identity, request: Request): void {
  const why = difference(identity, identityOf(request));
  if (why !== undefined) throw new Misuse(`--html: ${why}: merge where the shards were run`);
}

/** The parts, put together. @throws Misuse if they are not all the parts of one run */
function merged(parts: readonly Part[]): Report {
  const [first] = parts as [Part, ...Part[]];
  const { count } = first.shard;
  const all = new Map<number, Part>();
  for (const part of parts) {
    const { file, report, shard } = part;
    const why =
      difference(first.report.run.identity, report.run.identity) ??
      (shard.count === count ? undefined : `${count} shards there, ${shard.count} here`);
    if (why !== undefined)
      throw new Misuse(`${file}: of another run than ${first.file} (${why}): give the shards of one run`);
    const twice = all.get(shard.index);
    if (twice !== undefined)
      throw new Misuse(`${file}: shard ${shard.index}/${count}, as is ${twice.file}: give each shard once`);
    all.set(shard.index, part);
  }
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !all.has(index));
  if (missing.length > 0)
    throw new Misuse(
      `shard ${missing.map((index) => `${index}/${count}`).join(', ')} is missing: give its report, too`,
    );
  const placed = parts.flatMap(placedOf).toSorted((a, b) => a.at - b.at);
  const results = placed.map(({ result }) => result);
  return { ...first.report, run: runOf(parts), results, summary: summaryOf(results) };
}

/** The run as a whole. */
function runOf(parts: readonly Part[]): RunInfo {
  const { shard: _, ...run } = parts[0]!.report.run;
  return {
    ...run,
    stopped: parts.some(({ report }) => report.run.stopped),
    milliseconds: parts.reduce((sum, { report }) => sum + report.run.milliseconds, 0),
  };
}

/** Results, and where they stand in the whole run. */
function placedOf({ file, report, shard }: Part): { result: CellResult; at: number }[] {
  if (shard.cells.length !== report.results.length) throw new Misuse(`${file}: damaged: make it again`);
  return report.results.map((result, i) => ({ result, at: shard.cells[i]! }));
}

function read(file: string): Part {
  let report: Partial<Report> | null;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Partial<Report> | null;
  } catch (error) {
    const gone = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Misuse(`${file}: ${gone ? 'no such file' : `no JSON: ${firstLine(error)}`}`, { cause: error });
  }
  const shard = report?.run?.shard;
  if (report?.schema !== 1 || shard === undefined || report.results === undefined)
    throw new Misuse(`${file}: no report of a shard: make one with --shard 1/4 --json`);
  return { file, report: report as Report, shard };
}
