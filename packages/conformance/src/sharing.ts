/**
 * Sharing: cells that would read the same values of all switches that they look at run once (reads.ts).
 *
 * Profiles differ in a few switches, and most scenarios look at a few others.
 */
import type { Cell } from './matrix.ts';
import { Reads } from './reads.ts';
import type { CellResult } from './result.ts';
import { explore, type Finding, resultOf, type RunOptions } from './run.ts';

/** A search that was made, and what it read. */
interface Made {
  readonly cell: Cell;
  readonly reads: Reads;
  readonly finding: Finding;
}

/** Runs cells, all with the same options, and remembers what it found. */
export class Sharing {
  readonly #options: RunOptions;
  readonly #made = new Map<string, Made[]>();

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** Runs a cell, or takes the result of an equal one that was run before. */
  run(cell: Cell): CellResult {
    const key = `${cell.id}@${cell.arch.id}@${cell.memoryModel}`;
    const made = this.#made.get(key) ?? [];
    const switches = { profile: { ...cell.profile }, backend: cell.backendSwitches };
    const equal = made.find(({ cell: other, reads }) => other.scenario === cell.scenario && reads.agree(switches));
    if (equal !== undefined) return resultOf(cell, this.#options, equal.finding, equal.cell.profile.id);
    const reads = new Reads();
    const finding = explore(cell, this.#options, reads);
    // What was cut short says nothing about others: it depends on the time, or on who stopped it.
    if (finding.result.verdict !== 'incomplete') this.#made.set(key, [...made, { cell, reads, finding }]);
    return resultOf(cell, this.#options, finding);
  }
}
