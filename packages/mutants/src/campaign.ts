/**
 * Campaign: cells of the suite that hold, run with mutants. Only for a thread whose code is instrumented (load.ts).
 *
 * A mutant is killed by a cell that holds without it and does not with it. Twins are no use here: they are wrong already.
 */
import { search, SetupError } from '@mmu-gather/checker';
import type { OracleId } from '@mmu-gather/core/stepped';
import {
  agree,
  ARCHITECTURES,
  type Cell,
  cells,
  ECONOMY_SCENARIOS,
  EndlessExecution,
  groupOf,
  machineOf,
  Reads,
  SCENARIOS,
  scheduled,
  type Selection,
  type SwitchRead,
} from '@mmu-gather/conformance';
import { type Counts, Economy, SCHEDULES } from './economy.ts';
import { Endless, type Switchboard } from './switchboard.ts';

/** A search with a mutant may visit so many times the states that it visits without. */
const MORE_STATES = 5;

/** And so many in any case: what is small may grow more. */
const FEW_STATES = 1_000;

/** Of a cell that is too large for the campaign so many are visited with a mutant: what is wrong mostly shows early. */
const STATES_OF_LARGE = 20_000;

/** Ends are not compared of more than so many states. */
const MOST_STATES_OF_ENDS = 5_000;

/** The oracles that look at TLBs and entries, all off: code that goes wrong goes on. */
const NO_ORACLES: readonly OracleId[] = [...Array.from({ length: 16 }, (_, n) => `O${n + 1}` as OracleId), 'O1s'];

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

/** What a cell costs with a mutant more than without, or what goes wrong. */
export type Difference = Counts | Kill;

/** A run of one cell. */
export type Outcome =
  | { readonly kind: 'holds' | 'too large'; readonly states: number }
  | { readonly kind: 'killed'; readonly states: number; readonly kill: Kill };

/**
 * What a cell is in the campaign for.
 *
 *     right      it holds: it is searched with mutants, and counted
 *     large      the same, and it is too large to be searched as a whole: a mutant that it does not kill has not survived it
 *     counted    it is for counting TLB work, and larger than what is searched
 *     wrong      a twin, or what a profile breaks: it only shows that wrong forms get somewhere
 */
export type Part = 'right' | 'large' | 'counted' | 'wrong';

/** A cell of the campaign, without mutants. */
export interface Baseline {
  /** Its number among the cells. */
  readonly cell: number;
  /** Id of the scenario, or of the twin. */
  readonly scenario: string;
  /** Id of the profile. */
  readonly profile: string;
  /** What it is there for. */
  readonly part: Part;
  /** Distinct states; 0 where they are not counted. */
  readonly states: number;
  /** Mutants whose sites it reaches. */
  readonly reached: readonly number[];
}

/** The cells of a selection, grouped by what may share a run. */
export class Campaign {
  readonly #cells: readonly { readonly cell: Cell; readonly part: Part }[];
  /** Numbers of cells, by part, scenario, architecture and memory model. */
  readonly groups: readonly { readonly part: Part; readonly cells: readonly number[] }[];
  readonly #board: Switchboard;
  readonly #economy: Economy;
  readonly #mostStates: number;

  /** @param mostStates a cell with more states than this is no part of the campaign */
  constructor(board: Switchboard, selection: Selection, mostStates: number) {
    this.#board = board;
    this.#economy = new Economy(board);
    this.#mostStates = mostStates;
    const suite = cells(SCENARIOS, ARCHITECTURES, selection).filter(({ bound }) => bound === undefined);
    const counted = cells(ECONOMY_SCENARIOS, ARCHITECTURES, selection);
    this.#cells = [
      ...suite.map(
        (cell) => ({ cell, part: cell.expected === 'holds' && cell.twin === undefined ? 'right' : 'wrong' }) as const,
      ),
      ...counted.map((cell) => ({ cell, part: 'counted' }) as const),
    ];
    const groups = new Map<string, { readonly part: Part; readonly cells: number[] }>();
    for (const [i, { cell, part }] of this.#cells.entries()) {
      const key = `${part} ${groupOf({ ...cell, arch: cell.arch.id })}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { part, cells: [i] });
      else group.cells.push(i);
    }
    this.groups = [...groups.values()];
  }

  /** May loads be stale in some cell, and stores pass one another? If not, mutants for the weak model are no mutants. */
  get weak(): boolean {
    return this.#cells.some(({ cell, part }) => part === 'right' && cell.memoryModel === 'weak');
  }

  /** Runs a group without mutants. What is as another one of the group is, and what is too large, is left out. */
  baseline(group: number): Baseline[] {
    const made: (readonly SwitchRead[])[] = [];
    return this.groups[group]!.cells.flatMap((number) => {
      const { cell, part } = this.#cells[number]!;
      const switches = { profile: { ...cell.profile }, backend: cell.backendSwitches };
      if (made.some((reads) => agree(reads, switches))) return [];
      this.#board.turn();
      this.#board.clear();
      const reads = new Reads();
      const found = this.#withoutMutants(number, cell, part, reads);
      made.push(reads.seen);
      if (found === undefined) return [];
      const { id: profile } = cell.profile;
      return [{ cell: number, scenario: cell.id, profile, ...found, reached: this.#board.reached() }];
    });
  }

  /** @returns undefined if it is not what it is expected to be */
  #withoutMutants(number: number, cell: Cell, part: Part, reads: Reads): Pick<Baseline, 'part' | 'states'> | undefined {
    if (part === 'counted') {
      machineOf(cell, reads);
      return this.#economy.holds(number, cell) ? { part, states: 0 } : undefined;
    }
    const { verdict, states = 0 } = search(machineOf(cell, reads), { strategy: 'states', maxStates: this.#mostStates });
    if (part === 'right') {
      if (verdict === 'holds') return { part, states };
      return verdict === 'incomplete' ? { part: 'large', states } : undefined;
    }
    // A search of a wrong form ends where it goes wrong: what comes after that is reached when nobody minds.
    for (const schedule of SCHEDULES) scheduled(machineOf(cell, reads, NO_ORACLES), schedule);
    return { part, states: 0 };
  }

  /** What a cell costs with a mutant on fixed schedules, against what it costs without. */
  cost(number: number, mutant: number): Difference {
    const compared = this.#economy.compare(number, this.#cells[number]!.cell, mutant);
    if (!('wrong' in compared)) return compared;
    const { wrong } = compared;
    if (!(wrong instanceof Error)) return { by: 'oracle', oracle: wrong.oracle, message: wrong.message };
    if (!(wrong instanceof EndlessExecution)) return killOf(wrong);
    return { by: 'endless', oracle: 'endless', message: wrong.message };
  }

  /**
   * Runs a cell with a mutant. With two, it is killed only where each alone is not.
   * @param states how many it has without
   */
  run(number: number, states: number, mutants: readonly [number, number?]): Outcome {
    const large = states >= this.#mostStates;
    const limit = large ? STATES_OF_LARGE : Math.max(FEW_STATES, MORE_STATES * states);
    const outcome = this.#search(number, limit, mutants);
    if (outcome.kind !== 'killed') return outcome;
    const less = { kind: 'too large', states: outcome.states } as const;
    // Nobody has said of it yet that it holds, as far as this.
    if (large && !this.#holdsSoFar(number, limit, -1)) return less;
    if (mutants[1] !== undefined && !mutants.every((mutant) => this.#holdsSoFar(number, limit, mutant!))) return less;
    return outcome;
  }

  /**
   * Looks in a cell for a mutant that is noticed only beside another one: what covers it.
   * @param states how many the cell has without
   * @param mutant the other one
   * @param candidates what may cover it
   * @param most states that may be visited
   * @param alive is told after each
   */
  cover(
    number: number,
    states: number,
    mutant: number,
    candidates: readonly number[],
    most: number,
    alive: () => void,
  ): { readonly states: number; readonly found?: { readonly mutant: number; readonly kill: Kill } } {
    const limit = Math.max(FEW_STATES, MORE_STATES * states);
    let visited = 0;
    for (const candidate of candidates) {
      alive();
      if (visited > most) break;
      // Cheaper than the pair, and known already when the next one asks.
      if (!this.#holdsSoFar(number, limit, candidate)) continue;
      const outcome = this.#search(number, limit, [mutant, candidate]);
      visited += Math.max(outcome.states, states / 4);
      if (outcome.kind === 'killed' && this.#holdsSoFar(number, limit, mutant))
        return { states: visited, found: { mutant: candidate, kill: outcome.kill } };
    }
    return { states: visited };
  }

  /**
   * Do all executions of a cell end with the same memory, with a mutant and without?
   * @returns undefined if that is too much to ask
   */
  sameEnds(number: number, mutant: number): boolean | undefined {
    const [without, mutated] = [this.#ends(number, -1), this.#ends(number, mutant)];
    if (mutated === 'violated') return false;
    if (typeof without !== 'object' || mutated === undefined) return undefined;
    return without.size === mutated.size && [...without].every((end) => mutated.has(end));
  }

  /** @returns undefined if there are too many states */
  #ends(number: number, mutant: number): ReadonlySet<string> | 'violated' | undefined {
    const { cell } = this.#cells[number]!;
    this.#board.turn(mutant);
    try {
      const options = { strategy: 'states', maxStates: MOST_STATES_OF_ENDS, collectEnds: true } as const;
      const { verdict, ends } = search(machineOf(cell), options);
      if (verdict === 'violated') return verdict;
      return verdict === 'holds' ? new Set([...ends!].map(memoryOf)) : undefined;
    } finally {
      this.#board.turn();
    }
  }

  /** Whether a cell holds with a mutant, as far as it was searched: by cell and mutant. */
  readonly #holding = new Map<number, Map<number, boolean>>();

  /** @param mutant -1 for none */
  #holdsSoFar(number: number, limit: number, mutant: number): boolean {
    let known = this.#holding.get(number);
    if (known === undefined) this.#holding.set(number, (known = new Map()));
    let holds = known.get(mutant);
    if (holds === undefined) known.set(mutant, (holds = this.#search(number, limit, [mutant]).kind !== 'killed'));
    return holds;
  }

  #search(number: number, maxStates: number, mutants: readonly [number, number?]): Outcome {
    const { cell } = this.#cells[number]!;
    this.#board.turn(...mutants);
    try {
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

/** Code that throws, in the setup or in the race. */
function killOf(error: unknown): Kill {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  const message = (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!;
  if (cause instanceof Endless) return { by: 'endless', oracle: 'endless', message };
  if (error instanceof SetupError) return { by: 'oracle', oracle: 'setup', message };
  return { by: 'error', oracle: cause instanceof Error ? cause.name : 'error', message };
}

/** Of an observation, what stands in memory; what each CPU has seen on its way is its own. */
function memoryOf(observation: string): string {
  return observation.slice(0, observation.indexOf('|'));
}
