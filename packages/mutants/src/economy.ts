/**
 * Economy: what a cell costs on two fixed schedules, with mutants and without. A step that only saves work is no step to an oracle; here it
 * is one.
 *
 *     removed    pages that invalidations drop, whether they had to or not
 *     ipis       CPUs that are interrupted
 *     flushes    invalidations, and context loads that flush
 *     steps      accesses to shared memory, and all other steps
 *
 * One invalidation of everything may stand for two of a page each. So whoever drops as many pages and interrupts as often is compared by
 * invalidations, and whoever is equal in these, too, by steps.
 */
import { measure } from '@mmu-gather/checker';
import { type Cell, machineOf, type Schedule, scheduled } from '@mmu-gather/conformance';
import type { Switchboard } from './switchboard.ts';

/** What is counted, what weighs most first. */
export const SORTS = ['removed', 'ipis', 'flushes', 'steps'] as const;

/** One of {@link SORTS}. */
export type Sort = (typeof SORTS)[number];

/** What two executions did. */
type Counts = Readonly<Record<Sort, number>>;

/** The executions that are looked at. */
export const SCHEDULES: readonly Schedule[] = ['fair', 'sequential'];

/** What a cell costs with a mutant, against what it costs without. */
export interface Comparison {
  /** What it does more of, and nothing that weighs as much less of; absent if it does not. */
  readonly more?: Sort;
  /** What it does less of; `steps` also if it does not come to its end. */
  readonly less?: Sort;
}

/** Counts cells, and remembers what they cost without a mutant. */
export class Economy {
  readonly #board: Switchboard;
  readonly #without = new Map<number, readonly Counts[]>();

  /** @param board says which mutants are on */
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

  /** Compares a cell with mutants and without. */
  compare(number: number, cell: Cell, mutants: readonly [number, number?]): Comparison {
    const without = this.count(number, cell);
    let more: Sort | undefined;
    for (const [i, schedule] of SCHEDULES.entries()) {
      this.#board.turn(...mutants);
      try {
        const one = compared(countsOf(cell, schedule), without[i]!);
        if (one.less !== undefined) return one;
        more ??= one.more;
      } catch {
        return { less: 'removed' };
      } finally {
        this.#board.turn();
      }
    }
    return more === undefined ? {} : { more };
  }
}

/** Fewer pages that are dropped, or CPUs that are interrupted, are less whatever else is more: something is missing. */
function compared(mutated: Counts, without: Counts): Comparison {
  for (const sort of ['removed', 'ipis'] as const) if (mutated[sort] < without[sort]) return { less: sort };
  const differs = SORTS.find((sort) => mutated[sort] !== without[sort]);
  if (differs === undefined) return {};
  return mutated[differs] > without[differs] ? { more: differs } : { less: differs };
}

function countsOf(cell: Cell, schedule: Schedule): Counts {
  const machine = machineOf(cell);
  const path = scheduled(machine, schedule);
  const { full, range, contextFlushes, ipis, removed, steps } = measure(machine, path);
  return { removed, ipis, flushes: full + range + contextFlushes, steps };
}
