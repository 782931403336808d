/**
 * Sharing: cells that would read the same values of all switches that they look at run once (reads.ts).
 *
 * Profiles differ in a few switches, and most scenarios look at a few others. Only cells of one group can share: runs that are spread
 * over threads or machines keep groups together, and come to the same results.
 */
import { groupOf } from './group.ts';
import type { Cell } from './matrix.ts';
import { agree, Reads, type SwitchRead } from './reads.ts';
import type { CellResult } from './result.ts';
import { explore, type Finding, resultOf, type RunOptions } from './run.ts';

/** A search that was made, and what it read: plain data, which another process may go on with. */
export interface Made {
  /** Id of the profile that it was made in. */
  readonly profile: string;
  /** The switches that it looked at. */
  readonly reads: readonly SwitchRead[];
  /** What it found. */
  readonly finding: Finding;
}

/** A cell that was run. */
export interface Ran {
  /** Its result. */
  readonly result: CellResult;
  /** The search, if one was made for it that says something about others, too. */
  readonly made?: Made;
}

/** Runs cells, all with the same options, and remembers what it found. */
export class Sharing {
  readonly #options: RunOptions;
  readonly #made = new Map<string, Made[]>();
  readonly #scenarios = new Map<string, Cell['scenario']>();

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** Runs a cell, or takes the result of an equal one that was run before. */
  run(cell: Cell): CellResult {
    return this.make(cell).result;
  }

  /** The same, with the search that was made, if one was. */
  make(cell: Cell): Ran {
    const equal = this.#of(cell).find(({ reads }) => agree(reads, switchesOf(cell)));
    if (equal !== undefined) return { result: resultOf(cell, this.#options, equal.finding, equal.profile) };
    const reads = new Reads();
    const finding = explore(cell, this.#options, reads);
    const result = resultOf(cell, this.#options, finding);
    // What was cut short says nothing about others: it depends on the time, or on who stopped it.
    if (finding.result.verdict === 'incomplete') return { result };
    const made = { profile: cell.profile.id, reads: reads.seen, finding };
    this.know(cell, made);
    return { result, made };
  }

  /** Takes over a search that was made elsewhere, for a cell of the same group. */
  know(cell: Cell, made: Made): void {
    this.#of(cell).push(made);
  }

  /** What was made of cells of a cell's group. */
  #of(cell: Cell): Made[] {
    const key = groupOf({ ...cell, arch: cell.arch.id });
    // Of two scenarios with one id, the later one begins anew.
    if (this.#scenarios.get(key) !== cell.scenario) this.#made.set(key, []);
    this.#scenarios.set(key, cell.scenario);
    return this.#made.get(key)!;
  }
}

function switchesOf(cell: Cell): Parameters<typeof agree>[1] {
  return { profile: { ...cell.profile }, backend: cell.backendSwitches };
}
