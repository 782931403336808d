/**
 * Suite report: a run for people. The table as results come in, then the races worth showing, what does not apply, and the sum.
 */
import type { CellResult, StrategyName } from '@mmu-gather/conformance';
import type { Coverage } from '../reports/coverage.ts';
import type { PlannedCell } from '../suite/request.ts';
import type { Listener, Outcome } from '../suite/run.ts';
import { coverageText } from './coverage.ts';
import { notApplicableText } from './not-applicable.ts';
import { race } from './race.ts';
import { ResultTable } from './results.ts';
import { type Sum, summary } from './summary.ts';
import type { Terminal } from './terminal.ts';

/** What is shown. */
export interface Shown {
  readonly strategy: StrategyName;
  /** Name what is only counted otherwise: what does not apply, pairs of which one order was seen. */
  readonly verbose: boolean;
}

/** The report of one run. */
export class SuiteReport implements Listener {
  readonly #shown: Shown;
  readonly #screen: Terminal;
  #table: ResultTable | undefined;

  constructor(shown: Shown, screen: Terminal) {
    this.#shown = shown;
    this.#screen = screen;
  }

  planned(cells: readonly PlannedCell[]): string {
    this.#table = new ResultTable(cells, this.#shown.strategy, this.#screen);
    return `${this.#table.head()}\n`;
  }

  finished(cell: PlannedCell, result: CellResult | undefined): string {
    return `${this.#table!.row(cell, result)}\n`;
  }

  /** What follows the table. @param coverage what was exercised, if that is shown */
  end(outcome: Outcome, coverage?: Coverage): string {
    const { cells, notApplicable, run } = outcome;
    const { verbose } = this.#shown;
    const parts = [
      ...races(outcome, run.identity.command, this.#screen),
      notApplicableText(notApplicable, cells, verbose, this.#screen),
      ...(coverage === undefined ? [] : [coverageText(coverage, verbose, this.#screen)]),
      ...(cells.length > 0 ? [summary(sumOf(outcome), this.#screen)] : []),
    ];
    return parts
      .filter((part) => part !== '')
      .map((part) => `\n${part}\n`)
      .join('');
  }
}

/** What there is to sum up. */
export function sumOf({ run, cells, results }: Outcome): Sum {
  const found = results.filter((result) => result !== undefined);
  return { results: found, planned: cells.length, milliseconds: run.milliseconds, stopped: run.stopped };
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
