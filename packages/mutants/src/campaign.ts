/**
 * Campaign: cells of the suite that hold, run with mutants. Only for a thread whose code is instrumented (load.ts).
 *
 * A mutant is killed by a cell that holds without it and does not with it. Twins are no use here: they are wrong already.
 */
import { measure, search, SetupError } from '@mmu-gather/checker';
import {
  agree,
  ARCHITECTURES,
  type Cell,
  cells,
  groupOf,
  machineOf,
  Reads,
  type Schedule,
  SCENARIOS,
  scheduled,
  type Selection,
  type SwitchRead,
} from '@mmu-gather/conformance';
import { Endless, type Switchboard } from './switchboard.ts';

/** A search with a mutant may visit so many times the states that it visits without. */
const MORE_STATES = 5;

/** And so many in any case: what is small may grow more. */
const FEW_STATES = 1_000;

/** How a mutant was noticed. */
export type KillKind = 'oracle' | 'error' | 'endless';

/** What a cell says of a mutant. */
export interface Kill {
  /** How. */
  readonly by: KillKind;
  /** The oracle; the error's name. */
  readonly oracle: string;
  /** One line. */
  readonly message: string;
}

/** A run of one cell. */
export type Outcome =
  | { readonly kind: 'holds' | 'too large'; readonly states: number }
  | { readonly kind: 'killed'; readonly states: number; readonly kill: Kill };

/** A cell of the campaign, without mutants. */
export interface Baseline {
  /** Its number among the cells. */
  readonly cell: number;
  /** Id of the scenario. */
  readonly scenario: string;
  /** Id of the profile. */
  readonly profile: string;
  /** Distinct states. */
  readonly states: number;
  /** Mutants whose sites it reaches. */
  readonly reached: readonly number[];
}

/** The cells of a selection that are expected to hold, grouped by what may share a search. */
export class Campaign {
  readonly #cells: readonly Cell[];
  /** Numbers of cells, by scenario, architecture and memory model. */
  readonly groups: readonly (readonly number[])[];
  readonly #board: Switchboard;
  readonly #mostStates: number;

  /** @param mostStates a cell with more states than this is no part of the campaign */
  constructor(board: Switchboard, selection: Selection, mostStates: number) {
    this.#board = board;
    this.#mostStates = mostStates;
    this.#cells = cells(SCENARIOS, ARCHITECTURES, selection).filter(
      (cell) => cell.expected === 'holds' && cell.twin === undefined && cell.bound === undefined,
    );
    const groups = new Map<string, number[]>();
    for (const [i, cell] of this.#cells.entries()) {
      const key = groupOf({ ...cell, arch: cell.arch.id });
      groups.set(key, [...(groups.get(key) ?? []), i]);
    }
    this.groups = [...groups.values()];
  }

  /** May loads be stale in some cell, and stores pass one another? If not, mutants for the weak model are no mutants. */
  get weak(): boolean {
    return this.#cells.some(({ memoryModel }) => memoryModel === 'weak');
  }

  /** Runs a group without mutants. What is as another one of the group is, and what is too large, is left out. */
  baseline(group: number): Baseline[] {
    const made: (readonly SwitchRead[])[] = [];
    return this.groups[group]!.flatMap((number) => {
      const cell = this.#cells[number]!;
      const switches = { profile: { ...cell.profile }, backend: cell.backendSwitches };
      if (made.some((reads) => agree(reads, switches))) return [];
      this.#board.turn();
      this.#board.clear();
      const reads = new Reads();
      const result = search(machineOf(cell, reads), { strategy: 'states', maxStates: this.#mostStates });
      made.push(reads.seen);
      if (result.verdict !== 'holds') return [];
      const states = result.states ?? 0;
      return [{ cell: number, scenario: cell.id, profile: cell.profile.id, states, reached: this.#board.reached() }];
    });
  }

  /**
   * Compares what a cell costs with a mutant and without, on two fixed schedules.
   * @returns `more` if it does more TLB work of some sort and of no sort less; `less` if less of some sort, or if it does not come to its
   *   end; else `equal`
   */
  cost(number: number, mutants: readonly [number, number?]): 'more' | 'less' | 'equal' {
    const cell = this.#cells[number]!;
    let more = false;
    for (const schedule of ['fair', 'sequential'] as const) {
      this.#board.turn();
      const without = tlbWork(cell, schedule);
      try {
        this.#board.turn(...mutants);
        const mutated = tlbWork(cell, schedule);
        for (const sort of ['flushes', 'ipis', 'removed'] as const) {
          if (mutated[sort] < without[sort]) return 'less';
          more ||= mutated[sort] > without[sort];
        }
      } catch {
        return 'less';
      } finally {
        this.#board.turn();
      }
    }
    return more ? 'more' : 'equal';
  }

  /**
   * Runs a cell with a mutant, or two.
   * @param states how many it has without
   */
  run(number: number, states: number, mutants: readonly [number, number?]): Outcome {
    const cell = this.#cells[number]!;
    this.#board.turn(...mutants);
    try {
      const maxStates = Math.max(FEW_STATES, MORE_STATES * states);
      const result = search(machineOf(cell), { strategy: 'states', maxStates });
      const visited = result.states ?? 0;
      if (result.verdict === 'holds') return { kind: 'holds', states: visited };
      if (result.verdict === 'incomplete') return { kind: 'too large', states: visited };
      const { oracle, message } = result.violation!;
      return { kind: 'killed', states: visited, kill: { by: 'oracle', oracle, message } };
    } catch (error) {
      return { kind: 'killed', states: 0, kill: killOf(error) };
    } finally {
      this.#board.turn();
    }
  }
}

/** TLB work of one execution: what a mutant that flushes more has more of. */
interface TlbWork {
  /** Invalidations, and context loads that flush. */
  readonly flushes: number;
  /** Interrupts. */
  readonly ipis: number;
  /** Entries that were dropped. */
  readonly removed: number;
}

function tlbWork(cell: Cell, schedule: Schedule): TlbWork {
  const machine = machineOf(cell);
  const { full, range, contextFlushes, ipis, removed } = measure(machine, scheduled(machine, schedule));
  return { flushes: full + range + contextFlushes, ipis, removed };
}

/** Code that throws, in the setup or in the race. */
function killOf(error: unknown): Kill {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  const message = (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!;
  if (cause instanceof Endless) return { by: 'endless', oracle: 'endless', message };
  if (error instanceof SetupError) return { by: 'oracle', oracle: 'setup', message };
  return { by: 'error', oracle: cause instanceof Error ? cause.name : 'error', message };
}
