/**
 * Ground: the cells of a campaign on one architecture, and which mutants each of them reaches.
 *
 *     right      searched with mutants        reaching(mutant)
 *     large      tried at the end             large(mutant)
 *     counted    on fixed schedules alone     counted(mutant)
 *     wrong      run once somebody asks who else gets there
 */
import type { Baseline, Part } from './campaign.ts';
import { Crew, LOST } from './crew.ts';
import type { Assignment } from './orders.ts';

/** Kernels, and the designs that take code of their own. */
export const PROFILES: readonly string[] = ['linux-5.11', 'linux-6.18', 'flush-ring', 'async-queue', 'sync-finish'];

/** What is tried after these: their cells differ in few switches. */
export const FURTHER_PROFILES: readonly string[] = [
  'rfc-2021-corrected',
  'aggressive',
  'linux-6.12',
  'linux-6.1',
  'rfc-2021-as-posted',
];

/** Hears how many groups of cells were run without mutants. */
export type OnCells = (done: number, of: number) => void;

/** Cells without mutants, by the mutants that they reach. */
export class Ground {
  /** Who runs them. */
  readonly crew: Crew;
  readonly #cells = new Map<number, Baseline>();
  /** By mutant, the cheapest first. */
  readonly #lists = {
    right: new Map<number, Baseline[]>(),
    large: new Map<number, Baseline[]>(),
    counted: new Map<number, Baseline[]>(),
  };
  /** The first wrong cell that reaches a mutant. */
  #wrong: Promise<ReadonlyMap<number, Baseline>> | undefined;

  private constructor(crew: Crew) {
    this.crew = crew;
  }

  /** Starts the workers and runs all right cells, and those that are counted. */
  static async start(assignment: Assignment, jobs: number, onCells: OnCells): Promise<Ground> {
    const ground = new Ground(await Crew.start(assignment, jobs));
    for (const part of ['right', 'counted'] as const) {
      for (const cell of await ground.#run(part, onCells)) {
        ground.#cells.set(cell.cell, cell);
        if (cell.part !== 'wrong') for (const mutant of cell.reached) push(ground.#lists[cell.part], mutant, cell);
      }
    }
    return ground;
  }

  /** By profile, states and then number: the order does not depend on time or on the number of workers. */
  async #run(part: Part, onCells?: OnCells): Promise<Baseline[]> {
    const groups = [...this.crew.groups.keys()].filter((group) => this.crew.groups[group] === part);
    let done = 0;
    const found = await Promise.all(
      groups.map(async (group) => {
        const answer = await this.crew.ask({ kind: 'baseline', group });
        onCells?.(++done, groups.length);
        if (answer === LOST || answer.kind !== 'baseline') throw new Error('a cell without mutants does not end');
        return answer.cells;
      }),
    );
    const further = ({ profile }: Baseline): number => (FURTHER_PROFILES.includes(profile) ? 1 : 0);
    return found.flat().toSorted((a, b) => further(a) - further(b) || a.states - b.states || a.cell - b.cell);
  }

  /** Cells that are searched with mutants. */
  get size(): number {
    return [...this.#cells.values()].filter(({ part }) => part === 'right').length;
  }

  /** Mutants that cells reach which are searched. */
  get reached(): readonly number[] {
    return [...new Set([...this.#lists.right.keys(), ...this.#lists.large.keys()])];
  }

  /** A cell by its number. */
  cell(number: number): Baseline {
    return this.#cells.get(number)!;
  }

  /** Cells that hold, the cheapest first. */
  reaching(mutant: number): readonly Baseline[] {
    return this.#lists.right.get(mutant) ?? [];
  }

  /** The same of large cells. */
  large(mutant: number): readonly Baseline[] {
    return this.#lists.large.get(mutant) ?? [];
  }

  /** Cells to count only. */
  counted(mutant: number): readonly Baseline[] {
    return this.#lists.counted.get(mutant) ?? [];
  }

  /** The first wrong form that gets there. */
  async wrong(mutant: number): Promise<Baseline | undefined> {
    this.#wrong ??= this.#run('wrong').then((cells) => {
      const first = new Map<number, Baseline>();
      for (const cell of cells) for (const each of cell.reached) if (!first.has(each)) first.set(each, cell);
      return first;
    });
    return (await this.#wrong).get(mutant);
  }
}

/** Each scenario once, the cheapest first; then each in another profile; and so on: what one scenario misses, another one finds sooner. */
export function inRounds(cells: readonly Baseline[]): Baseline[] {
  const rounds: Baseline[][] = [];
  const seen = new Map<string, number>();
  for (const cell of cells) {
    const round = seen.get(cell.scenario) ?? 0;
    seen.set(cell.scenario, round + 1);
    (rounds[round] ??= []).push(cell);
  }
  return rounds.flat();
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
