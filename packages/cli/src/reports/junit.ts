/**
 * JUnit: a run as CI systems show it: a suite an architecture, a test a cell. A failure carries its race, and how to see it again.
 */
import type { CellResult, Report } from '@mmu-gather/conformance';
import library, { type Builder, type TestSuite } from 'junit-report-builder';
import { verdictText } from '../human/results.ts';

/** What its types call the default export of its default export. */
const builder = library as unknown as Builder;

/** The file's text. */
export function junitOf({ results, run }: Report): string {
  const report = builder.newBuilder().name('mmu-gather');
  for (const arch of new Set(results.map((result) => result.arch))) {
    const own = results.filter((result) => result.arch === arch);
    const suite = report.testSuite().name(arch).time(seconds(own));
    for (const result of own) add(suite, result, run.identity.command);
  }
  return report.build();
}

function add(suite: TestSuite, result: CellResult, command: string): void {
  const { arch, scenario, profile, memoryModel, title } = result;
  const test = suite
    .testCase()
    .className(`${arch}.${profile}.${memoryModel}`)
    .name(`${scenario}: ${title}`)
    .time(seconds([result]));
  if (result.limit === 'stopped') test.skipped();
  else if (!result.ok)
    test.failure(whatIsWrong(result), result.oracle ?? result.verdict).stacktrace(how(result, command));
}

/** Expected, and found. */
function whatIsWrong(result: CellResult): string {
  const { expected, oracles, message = result.vacuous } = result;
  const wanted = expected === 'holds' ? 'holds' : `violated ${oracles.join(' or ')}`;
  return `expected: ${wanted}, found: ${verdictText(result)}${message === undefined ? '' : `: ${message}`}`;
}

/** The race, and how to see it again. */
function how({ counterexample, vacuous }: CellResult, command: string): string {
  if (vacuous !== undefined) return 'what the scenario is about never happens';
  if (counterexample === undefined) return `${command} found no violation, and did not explore everything`;
  return `${counterexample.diagram}\n\n${command} --rerun ${counterexample.id} --full`;
}

function seconds(results: readonly CellResult[]): number {
  return results.reduce((sum, result) => sum + result.milliseconds, 0) / 1000;
}
