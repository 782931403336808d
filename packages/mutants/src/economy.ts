/**
 * Economy: what a cell costs on three fixed schedules, with mutants and without. A step that only saves work is no step to an oracle; here it
 * is one.
 *
 *     removed    pages that invalidations drop, whether they had to or not
 *     ipis       CPUs that are interrupted
 *     told       invalidations that every CPU takes part in
 *     flushes    invalidations, and context loads that flush
 *     lookups    levels at which invalidations of a range look for leaves
 *     traps      accesses of user code that are tried, the same one again after each miss or fault
 *     kept       pages, tables, VMAs and mms that are allocated in the end
 *     steps      accesses to shared memory, and all other steps
 *
 * One invalidation of everything may stand for two of a page each, and what one flush drops too much another one does not find any more. So sorts
 * are compared one by one, in each cell, and over all of them.
 */
import { type Machine, measure, type Path, type Violation } from '@mmu-gather/checker';
import { type Cell, EndlessExecution, machineOf, type Schedule, scheduled } from '@mmu-gather/conformance';
import type { Switchboard } from './switchboard.ts';

/** What is counted. */
export type Sort = 'removed' | 'ipis' | 'told' | 'flushes' | 'lookups' | 'traps' | 'kept' | 'steps';

/** What weighs most first. */
export const SORTS: readonly Sort[] = ['removed', 'ipis', 'told', 'flushes', 'lookups', 'traps', 'kept', 'steps'];

/** How much of each. */
export type Counts = Readonly<Record<Sort, number>>;

/** A number for each sort. */
export function countsBy(count: (sort: Sort) => number): Counts {
  return Object.fromEntries(SORTS.map((sort) => [sort, count(sort)])) as Record<Sort, number>;
}

/** The executions that are looked at. */
export const SCHEDULES: readonly Schedule[] = ['fair', 'sequential', 'unlucky'];

/** What a cell costs more with a mutant than without, on all schedules together; or what goes wrong on the way. */
export type Compared = Counts | { readonly wrong: Violation | Error };

/** Counts cells, and remembers what they cost without a mutant. */
export class Economy {
  readonly #board: Switchboard;
  readonly #without = new Map<number, readonly Counts[]>();

  /** @param board says which mutant is on */
  constructor(board: Switchboard) {
    this.#board = board;
  }

  /** Counts a cell without mutants. @param number its number */
  count(number: number, cell: Cell): readonly Counts[] {
    let counts = this.#without.get(number);
    if (counts === undefined) {
      this.#board.turn();
      this.#without.set(number, (counts = SCHEDULES.map((schedule) => countsOf(cell, schedule))));
    }
    return counts;
  }

  /** Does a cell without mutants hold on the schedules that are counted? A kernel with a bug may break it. */
  holds(number: number, cell: Cell): boolean {
    try {
      this.count(number, cell);
      return true;
    } catch (error) {
      if (error instanceof Violated) return false;
      throw error;
    }
  }

  /** Compares a cell with a mutant and without. */
  compare(number: number, cell: Cell, mutant: number): Compared {
    const without = this.count(number, cell);
    this.#board.turn(mutant);
    try {
      const mutated = SCHEDULES.map((schedule, i) => countsOrSpins(cell, schedule, without[i]!));
      return countsBy((sort) => sum(mutated, sort) - sum(without, sort));
    } catch (error) {
      return { wrong: error instanceof Violated ? error.violation : (error as Error) };
    } finally {
      this.#board.turn();
    }
  }
}

/** An execution that is counted violates something. */
class Violated extends Error {
  readonly violation: Violation;

  constructor(violation: Violation) {
    super(violation.message);
    this.violation = violation;
  }
}

function sum(counts: readonly Counts[], sort: Sort): number {
  return counts.reduce((total, each) => total + each[sort], 0);
}

function countsOf(cell: Cell, schedule: Schedule): Counts {
  const machine = machineOf(cell);
  const path = scheduled(machine, schedule);
  const violation = violationOf(machine, path);
  if (violation !== undefined) throw new Violated(violation);
  const { full, range, contextFlushes, ipis, broadcasts, lookups, removed, accesses, allocated, steps } = measure(
    machine,
    path,
  );
  return {
    removed,
    ipis,
    told: broadcasts,
    flushes: full + range + contextFlushes,
    lookups,
    traps: accesses,
    kept: allocated,
    steps,
  };
}

/** Who spins where he waited does not get done while nobody else runs: that takes all the steps that anybody looks at, and changes nothing else. */
function countsOrSpins(cell: Cell, schedule: Schedule, without: Counts): Counts {
  try {
    return countsOf(cell, schedule);
  } catch (error) {
    if (!(error instanceof EndlessExecution) || schedule === 'fair') throw error;
    return { ...without, steps: error.steps };
  }
}

function violationOf(machine: Machine, path: Path): Violation | undefined {
  const start = machine.mark();
  try {
    for (const [actor, choice] of path) machine.perform(actor, choice);
    return machine.violation;
  } finally {
    machine.undo(start);
  }
}
