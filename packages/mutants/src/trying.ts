/**
 * Trying: the first four steps of a campaign (lead.ts), one mutant or a pair at a time.
 */
import type { Baseline, Difference, Kill } from './campaign.ts';
import { LOST } from './crew.ts';
import { type Counts, countsBy, SORTS } from './economy.ts';
import type { Costs, Fate, KilledBy } from './fate.ts';
import { type Ground, inRounds } from './ground.ts';
import type { Mutation } from './mutation.ts';
import type { Tried } from './orders.ts';

/** Some seconds of one core. */
export const BUDGET = 50_000;

/** Before what a survivor costs is counted: most mutants that are killed are killed by then. */
const FIRST_BUDGET = 5_000;

/** In so many cells that are there for it is counted what a survivor costs, */
const ECONOMY_CELLS = 40;
/** and in so many of those that are searched. */
const COUNTED_CELLS = 80;

/** In so many of the large cells a survivor is tried at most, */
const LARGE_CELLS = 24;
/** and so many states of them are visited. */
const LARGE_BUDGET = 80_000;

/** How mutants are tried. */
export interface TryingOptions {
  /** A mutant that survives so many states is not tried in more cells; {@link BUDGET} if not given. */
  readonly budget?: number;
  /** Cell that killed a mutant before, `scenario@profile`, by the mutant's key: it is tried first. */
  readonly hints?: ReadonlyMap<string, string>;
}

/** Tries mutants. */
export class Trying {
  readonly #ground: Ground;
  readonly #mutations: readonly Mutation[];
  readonly #options: TryingOptions;

  constructor(ground: Ground, mutations: readonly Mutation[], options: TryingOptions) {
    this.#ground = ground;
    this.#mutations = mutations;
    this.#options = options;
  }

  /**
   * What becomes of a mutant.
   * @param mutants its number; with a second one both are on, in cells that reach the first
   */
  async fate(mutants: readonly [number, number?]): Promise<Fate> {
    const mutation = this.#mutations[mutants[0]]!;
    const reaching = this.#ground.reaching(mutants[0]);
    const large = this.#ground.large(mutants[0]);
    const none = { mutation, cells: reaching.length + large.length, ran: 0, tooLarge: 0, same: true };
    if (none.cells === 0) return { ...none, ...(await this.#unreached(mutants[0])) };
    if (mutation.weakOnly && !this.#ground.crew.weak && mutants[1] === undefined)
      return { ...none, verdict: 'ordered' };
    const hint = this.#options.hints?.get(mutation.key);
    const first = [...reaching, ...large].filter(({ scenario, profile }) => hint === `${scenario}@${profile}`);
    const cells = [...new Set([...first, ...inRounds(reaching)])];
    const { budget = BUDGET } = this.#options;
    const tried = new Trials();
    tried.add(await this.#try(mutants, cells, Math.min(budget, FIRST_BUDGET)), cells);
    if (tried.isOver) return { ...none, ...this.#fateOf(tried) };
    const { costs, differing, kill } = await this.#cost(mutants[0], cells, inRounds(large));
    if (kill !== undefined && mutants[1] === undefined) return { ...none, ...this.#fateOf(tried), ...killed(kill) };
    const rest = [...new Set([...differing, ...cells])].filter((cell) => cell.part === 'right' && !tried.has(cell));
    tried.add(await this.#try(mutants, rest, budget - tried.states), rest);
    if (tried.isOver) return { ...none, ...this.#fateOf(tried) };
    const larger = [...new Set([...differing, ...inRounds(large)])]
      .filter(({ part }) => part === 'large')
      .slice(0, LARGE_CELLS);
    tried.add(await this.#try(mutants, larger, Math.min(budget, LARGE_BUDGET)), larger);
    return { ...none, ...this.#fateOf(tried), ...(!tried.isOver && { costs }) };
  }

  async #try(
    mutants: readonly [number, number?],
    cells: readonly Baseline[],
    budget: number,
  ): Promise<Tried | typeof LOST> {
    const trials = cells.map(({ cell, states }) => ({ cell, states }));
    const answer = await this.#ground.crew.ask({ kind: 'try', mutants, trials, budget });
    return answer !== LOST && answer.kind === 'tried' ? answer.tried : LOST;
  }

  /** Counts a survivor in the cells that reach it. @returns besides, those of them in which it makes a difference, and what kills it there */
  async #cost(
    mutant: number,
    reaching: readonly Baseline[],
    large: readonly Baseline[],
  ): Promise<{ readonly costs: Costs; readonly differing: readonly Baseline[]; readonly kill?: KilledBy }> {
    const counted = inRounds(this.#ground.counted(mutant)).slice(0, ECONOMY_CELLS);
    const cells = [...counted, ...reaching.slice(0, COUNTED_CELLS), ...large.slice(0, LARGE_CELLS)];
    const answer = await this.#ground.crew.ask({ kind: 'cost', mutant, cells: cells.map(({ cell }) => cell) });
    const differences = answer !== LOST && answer.kind === 'costed' ? answer.differences : [];
    const differs = (one: Difference | undefined): boolean =>
      one !== undefined && ('by' in one || SORTS.some((sort) => one[sort] !== 0));
    const at = differences.findIndex((one) => 'by' in one);
    return {
      costs: costsOf(differences),
      differing: cells.filter(({ part }, i) => part !== 'counted' && differs(differences[i])),
      ...(at >= 0 && { kill: killedBy(differences[at] as Kill, cells[at]!) }),
    };
  }

  /** Who gets to what no right cell reaches? */
  async #unreached(mutant: number): Promise<Pick<Fate, 'verdict' | 'twin'>> {
    const twin = await this.#ground.wrong(mutant);
    return twin === undefined
      ? { verdict: 'unreached' }
      : { verdict: 'twin', twin: `${twin.scenario}@${twin.profile}` };
  }

  #fateOf({ kill, ran, tooLarge, same, lost }: Trials): Pick<Fate, 'verdict' | 'kill' | 'ran' | 'tooLarge' | 'same'> {
    if (lost) return { ...ENDLESS, ran, tooLarge, same };
    if (kill === undefined) return { verdict: 'survived', ran, tooLarge, same };
    return { ...killed(killedBy(kill, this.#ground.cell(kill.cell))), ran, tooLarge, same };
  }
}

/** What has come of a mutant so far. */
class Trials {
  kill: Tried['kill'];
  ran = 0;
  tooLarge = 0;
  states = 0;
  same = true;
  /** No answer: it does not end. */
  lost = false;
  readonly #cells = new Set<Baseline>();

  add(tried: Tried | typeof LOST, cells: readonly Baseline[]): void {
    if (tried === LOST) {
      this.lost = true;
      return;
    }
    this.kill = tried.kill;
    this.ran += tried.ran;
    this.tooLarge += tried.tooLarge;
    this.states += tried.states;
    this.same &&= tried.same;
    for (const cell of cells.slice(0, tried.ran)) this.#cells.add(cell);
  }

  has(cell: Baseline): boolean {
    return this.#cells.has(cell);
  }

  get isOver(): boolean {
    return this.lost || this.kill !== undefined;
  }
}

/** A kill, and the cell in which it was. */
export function killedBy({ by, oracle, message }: Kill, { scenario, profile }: Baseline): KilledBy {
  return { by, oracle, message, scenario, profile };
}

function killed(kill: KilledBy): Pick<Fate, 'verdict' | 'kill'> {
  return { verdict: 'killed', kill };
}

const ENDLESS: Pick<Fate, 'verdict' | 'kill'> = {
  verdict: 'killed',
  kill: { by: 'endless', oracle: 'endless', message: 'no cell comes to an end', scenario: '', profile: '' },
};

function costsOf(differences: readonly Difference[]): Costs {
  const ends = differences.filter((each): each is Counts => !('by' in each));
  const bySort = (of: (values: readonly number[]) => number): Counts =>
    countsBy((sort) => of(ends.map((each) => each[sort])));
  return {
    more: bySort((values) => values.filter((value) => value > 0).length),
    less: bySort((values) => values.filter((value) => value < 0).length),
    sum: bySort((values) => values.reduce((a, b) => a + b, 0)),
    of: ends.length,
  };
}
