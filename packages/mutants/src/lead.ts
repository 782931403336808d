/**
 * Lead: a campaign on one architecture. First all cells without mutants: what they reach, and what they cost. Then each mutant in the
 * cells that reach it, each scenario once and the cheapest first, until one kills it.
 */
import type { Baseline, KillKind } from './campaign.ts';
import { Crew, LOST } from './crew.ts';
import type { Mutation } from './mutation.ts';
import type { Claim } from './claim.ts';
import type { Costs, Tried } from './orders.ts';

/** What to do. */
export interface CampaignOptions {
  /** The architecture. */
  readonly arch: string;
  /** Profiles whose cells are run; {@link PROFILES} if not given. */
  readonly profiles?: readonly string[];
  /** Scenarios, `*` stands for anything; all if not given. */
  readonly scenarios?: readonly string[];
  /** Worker threads. */
  readonly jobs: number;
  /** Is this mutant tried? All are if not given. */
  readonly wanted?: (mutation: Mutation) => boolean;
  /** A cell with more states is no part of the campaign; {@link MOST_STATES} if not given. */
  readonly mostStates?: number;
  /** A mutant that survives so many states is not tried in more cells; {@link BUDGET} if not given. */
  readonly budget?: number;
  /** Cell that killed a mutant before, `scenario@profile`, by the mutant's key: it is tried first. */
  readonly hints?: ReadonlyMap<string, string>;
  /** Claims that mutants change nothing; none if not given. */
  readonly claims?: readonly Claim[];
}

/** Most of the suite's cells have some hundred states, and few more than these. */
export const MOST_STATES = 2_000;

/** Some seconds of one core. */
export const BUDGET = 50_000;

/** Kernels, and the designs that take code of their own. */
export const PROFILES: readonly string[] = ['linux-5.11', 'linux-6.18', 'flush-ring', 'async-queue', 'sync-finish'];

/** In so many cells is counted what a survivor costs. */
const COSTED_CELLS = 60;

/** What killed a mutant, or a pair. */
export interface KilledBy {
  /** `oracle`: a violation; `error`: the code throws; `endless`: it does not end. */
  readonly by: KillKind;
  /** The oracle, or the error's name. */
  readonly oracle: string;
  /** One line. */
  readonly message: string;
  /** Id of the scenario. */
  readonly scenario: string;
  /** Id of the profile. */
  readonly profile: string;
}

/** A claim about a survivor, put to the test. */
export interface Covered {
  /** What it says. */
  readonly claim: Claim;
  /** What killed the pair, if anything did. */
  readonly kill?: KilledBy;
}

/** What became of a mutant. */
export interface Fate {
  /** The mutant. */
  readonly mutation: Mutation;
  /** `unreached`: no cell that holds reaches it. `ordered`: what it weakens, the memory model orders anyway. */
  readonly verdict: 'killed' | 'survived' | 'unreached' | 'ordered';
  /** What killed it. */
  readonly kill?: KilledBy;
  /** Cells that reach it. */
  readonly cells: number;
  /** Cells that were run. */
  readonly ran: number;
  /** Those that grew too large with it: they say nothing. */
  readonly tooLarge: number;
  /** Each cell that was run has as many states as without it. */
  readonly same: boolean;
  /** Of a survivor: what it costs. */
  readonly costs?: Costs;
  /** Of a survivor of which a claim says what covers it: what killed the pair, if anything did. */
  readonly covered?: Covered;
}

/** Hears of a campaign. */
export interface CampaignListener {
  /** Something was done: of the cells without mutants, or of the mutants. */
  progress?(what: 'cells' | 'mutants', done: number, of: number): void;
}

/** A campaign that has its cells. */
export class Lead {
  readonly #crew: Crew;
  readonly #options: CampaignOptions;
  readonly #mutations: readonly Mutation[];
  readonly #cells = new Map<number, Baseline>();
  /** Cells by mutant, the cheapest first. */
  readonly #reaching = new Map<number, Baseline[]>();

  #stopped = false;

  private constructor(crew: Crew, options: CampaignOptions, mutations: readonly Mutation[]) {
    this.#crew = crew;
    this.#options = options;
    this.#mutations = mutations;
  }

  /** Starts the workers and runs all cells without mutants. */
  static async start(
    options: CampaignOptions,
    mutations: readonly Mutation[],
    listener: CampaignListener = {},
  ): Promise<Lead> {
    const { arch, profiles = PROFILES, scenarios = [], jobs, mostStates = MOST_STATES } = options;
    const selection = { archs: [arch], profiles, scenarios };
    const crew = await Crew.start({ selection, mostStates }, jobs);
    const lead = new Lead(crew, options, mutations);
    let done = 0;
    const found = await Promise.all(
      Array.from({ length: crew.groups }, async (_, group) => {
        const answer = await crew.ask({ kind: 'baseline', group });
        listener.progress?.('cells', ++done, crew.groups);
        if (answer === LOST || answer.kind !== 'baseline') throw new Error('a cell without mutants does not end');
        return answer.cells;
      }),
    );
    // By states and then by number: the order does not depend on time or on the number of workers.
    for (const cell of found.flat().toSorted((a, b) => a.states - b.states || a.cell - b.cell)) {
      lead.#cells.set(cell.cell, cell);
      for (const mutant of cell.reached) {
        const cells = lead.#reaching.get(mutant);
        if (cells === undefined) lead.#reaching.set(mutant, [cell]);
        else cells.push(cell);
      }
    }
    return lead;
  }

  /** Cells of the campaign. */
  get cells(): number {
    return this.#cells.size;
  }

  /** Tries the mutants of all packages that cells reach, or those that are wanted of them. */
  async run(listener: CampaignListener = {}): Promise<Fate[]> {
    const { wanted = () => true } = this.#options;
    const packages = new Set([...this.#reaching.keys()].map((i) => packageOf(this.#mutations[i]!)));
    const chosen = [...this.#mutations.keys()].filter((i) => {
      const mutation = this.#mutations[i]!;
      return packages.has(packageOf(mutation)) && wanted(mutation);
    });
    const fates: (Fate | undefined)[] = chosen.map(() => undefined);
    let [next, done] = [0, 0];
    const goOn = async (): Promise<void> => {
      for (let at = next++; at < chosen.length && !this.#stopped; at = next++) {
        fates[at] = await this.#explained(chosen[at]!, await this.fate([chosen[at]!]));
        listener.progress?.('mutants', ++done, chosen.length);
      }
    };
    await Promise.all(Array.from({ length: this.#options.jobs + 1 }, goOn));
    return fates.filter((fate) => fate !== undefined);
  }

  /** Begins no more mutants: {@link Lead.run} returns what it has. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * What becomes of a mutant.
   * @param mutants its number; with a second one both are on, in cells that reach the first
   */
  async fate(mutants: readonly [number, number?]): Promise<Fate> {
    const mutation = this.#mutations[mutants[0]]!;
    const reaching = this.#reaching.get(mutants[0]) ?? [];
    const none = { mutation, cells: reaching.length, ran: 0, tooLarge: 0, same: true };
    if (reaching.length === 0) return { ...none, verdict: 'unreached' };
    if (mutation.weakOnly && !this.#crew.weak && mutants[1] === undefined) return { ...none, verdict: 'ordered' };
    const hint = this.#options.hints?.get(mutation.key);
    const first = reaching.filter(({ scenario, profile }) => hint === `${scenario}@${profile}`);
    const trials = [...first, ...inRounds(reaching).filter((cell) => !first.includes(cell))].map(
      ({ cell, states }) => ({
        cell,
        states,
      }),
    );
    const { budget = BUDGET } = this.#options;
    const answer = await this.#crew.ask({ kind: 'try', mutants, trials, budget });
    if (answer === LOST || answer.kind !== 'tried') {
      const kill = {
        by: 'endless',
        oracle: 'endless',
        message: 'no cell comes to an end',
        scenario: '',
        profile: '',
      } as const;
      return { ...none, verdict: 'killed', kill };
    }
    return { ...none, ...this.#fateOf(answer.tried) };
  }

  /** Of a survivor: what it costs, and what a claim says of it. */
  async #explained(mutant: number, fate: Fate): Promise<Fate> {
    if (fate.verdict !== 'survived') return fate;
    const { arch, claims = [] } = this.#options;
    const claim = claims.find(({ mutant: key, archs }) => key === fate.mutation.key && (archs?.includes(arch) ?? true));
    const second = this.#mutations.findIndex(({ key }) => key === claim?.coveredBy);
    if (claim !== undefined && second >= 0) {
      const { kill } = await this.fate([mutant, second]);
      return { ...fate, covered: { claim, ...(kill !== undefined && { kill }) } };
    }
    const cells = this.#reaching
      .get(mutant)!
      .slice(0, COSTED_CELLS)
      .map(({ cell }) => cell);
    const answer = await this.#crew.ask({ kind: 'cost', mutant, cells });
    return answer !== LOST && answer.kind === 'costed' ? { ...fate, costs: answer.costs } : fate;
  }

  #fateOf({ kill, ran, tooLarge, same }: Tried): Pick<Fate, 'verdict' | 'kill' | 'ran' | 'tooLarge' | 'same'> {
    if (kill === undefined) return { verdict: 'survived', ran, tooLarge, same };
    const { by, oracle, message, cell } = kill;
    const { scenario, profile } = this.#cells.get(cell)!;
    return { verdict: 'killed', kill: { by, oracle, message, scenario, profile }, ran, tooLarge, same };
  }

  /** Ends the workers. */
  async close(): Promise<void> {
    await this.#crew.dismiss();
  }
}

/** Each scenario once, the cheapest first; then each in another profile; and so on: what one scenario misses, another one finds sooner. */
function inRounds(cells: readonly Baseline[]): Baseline[] {
  const rounds: Baseline[][] = [];
  const seen = new Map<string, number>();
  for (const cell of cells) {
    const round = seen.get(cell.scenario) ?? 0;
    seen.set(cell.scenario, round + 1);
    (rounds[round] ??= []).push(cell);
  }
  return rounds.flat();
}

/** `x86` of `x86/flush.ts`. */
export function packageOf({ site }: Mutation): string {
  return site.file.slice(0, site.file.indexOf('/'));
}
