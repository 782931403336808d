/**
 * Report: an outcome as JSON, and back.
 */
import { type CellResult, type Report, summaryOf } from '@mmu-gather/conformance/report';
import { exitCode } from '../index.ts';
import type { PlannedCell } from '../suite/request.ts';
import type { Outcome } from '../suite/run.ts';

/** What other programs read. */
export function reportOf({ run, results, notApplicable }: Outcome): Report {
  const found = results.filter((result) => result !== undefined);
  return { schema: 1, run, results: found, summary: summaryOf(found), notApplicable };
}

/** What a report was made of. Cells that were never run are in none. */
export function outcomeOf({ run, results, notApplicable }: Report): Outcome {
  return { run, cells: results.map(plannedOf), results, notApplicable };
}

/** The exit code that a run ends with. */
export function codeOf({ run, results }: Outcome): number {
  if (run.stopped) return exitCode.stopped;
  return results.every((result) => result?.ok === true) ? exitCode.expected : exitCode.unexpected;
}

function plannedOf(result: CellResult): PlannedCell {
  const { scenario: id, twinOf, title, arch, profile, memoryModel, expected, oracles } = result;
  const cell = { id, title, arch, profile, memoryModel, expected, oracles };
  return twinOf === undefined ? cell : { ...cell, twinOf };
}
