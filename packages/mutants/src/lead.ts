/**
 * Lead: a campaign on one architecture. First all cells without mutants: what they reach, and what they cost. Then each mutant:
 *
 *     1  in the cells that reach it, each scenario once and the cheapest first, until one kills it or it has survived a few thousand states
 *     2  what survives is counted on fixed schedules in all of them
 *     3  and goes on in the rest of them, those first in which it made a difference there
 *     4  what survives that, too, is tried in larger cells, each as far as time allows
 *
 * What no right cell reaches is looked for in wrong ones. When all are tried, whatever survived and costs nothing is asked once more:
 *
 *     5  is there another step whose mutant holds alone, too, and does not beside this one? It does this one's work
 *     6  of two steps in the other order: do all executions end as before?
 */
import type { Baseline, Difference, Kill, KillKind, Part } from './campaign.ts';
import { Crew, LOST } from './crew.ts';
import type { Mutation } from './mutation.ts';
import { type Claim, mutantsOf } from './claim.ts';
import { type Counts, countsBy, SORTS } from './economy.ts';
import type { Tried } from './orders.ts';
import { verdictOf } from './verdict.ts';

/** What to do. */
export interface CampaignOptions {
  /** The architecture. */
  readonly arch: string;
  /** Profiles whose cells are run; {@link PROFILES}, and then {@link FURTHER_PROFILES}, if not given. */
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
  /** What is known of mutants from an earlier run of the same code, by key: they are not tried again, but claims are. */
  readonly known?: ReadonlyMap<string, Fate>;
}

/** Most of the suite's cells have some hundred states, and few more than these. */
export const MOST_STATES = 2_000;

/** Some seconds of one core. */
export const BUDGET = 50_000;

/** In so many cells that are there for it is counted what a survivor costs, */
const ECONOMY_CELLS = 40;
/** and in so many of those that are searched. */
const COUNTED_CELLS = 80;

/** Before what a survivor costs is counted: most mutants that are killed are killed by then. */
const FIRST_BUDGET = 5_000;

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

/** In so many of the large cells a survivor is tried at most, */
const LARGE_CELLS = 24;
/** and so many states of them are visited. */
const LARGE_BUDGET = 80_000;

/** What covers a survivor is looked for in so many cells, */
const COVER_CELLS = 8;
/** and in so many states of each. */
const COVER_BUDGET = 20_000;

/** Ends are compared in so many cells. */
const EITHER_CELLS = 24;

/** Of a mutant that survived: what it costs on fixed schedules. */
export interface Costs {
  /** In how many cells there is more of what. */
  readonly more: Counts;
  /** In how many less. */
  readonly less: Counts;
  /** How much more there is in all of them together. */
  readonly sum: Counts;
  /** Cells that were compared. */
  readonly of: number;
}

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

/** What covers a survivor: a claim says so, or it was found. */
export interface Covered {
  /** Key of the mutant that takes it away. */
  readonly by: string;
  /** Why, if it is a claim. */
  readonly why?: string;
  /** What killed both together, where each alone is not noticed; nothing: the claim is not true. */
  readonly kill?: KilledBy;
}

/** What became of a mutant. */
export interface Fate {
  /** The mutant. */
  readonly mutation: Mutation;
  /**
   * `unreached`: no cell reaches it. `twin`: wrong forms of scenarios do, and no right one. `ordered`: what it weakens, the memory model orders
   * anyway.
   */
  readonly verdict: 'killed' | 'survived' | 'unreached' | 'twin' | 'ordered';
  /** What killed it. */
  readonly kill?: KilledBy;
  /** A wrong form that reaches what no right one does: `T10/naive@linux-5.11`. */
  readonly twin?: string;
  /** Cells that reach it and are searched. */
  readonly cells: number;
  /** Cells that were run. */
  readonly ran: number;
  /** Those that grew too large with it: they say nothing. */
  readonly tooLarge: number;
  /** Each cell that was run has as many states as without it. */
  readonly same: boolean;
  /** Of a survivor: what it costs. */
  readonly costs?: Costs;
  /** Of a survivor: what covers it. */
  readonly covered?: Covered;
  /** Of two steps in the other order: so many cells were compared, and each ended in the same memories as without. */
  readonly either?: number;
  /** It was looked for what covers it. */
  readonly looked?: true;
}

/** Hears of a campaign. */
export interface CampaignListener {
  /** Something was done: of the cells without mutants, or of the mutants. */
  progress?(what: 'cells' | 'mutants' | 'survivors', done: number, of: number): void;
  /** A mutant's fate is known. */
  fate?(fate: Fate): void;
}

/** A campaign that has its cells. */
export class Lead {
  readonly #crew: Crew;
  readonly #options: CampaignOptions;
  readonly #mutations: readonly Mutation[];
  readonly #cells = new Map<number, Baseline>();
  /** Cells that hold, by mutant, the cheapest first. */
  readonly #reaching = new Map<number, Baseline[]>();
  /** The same of large cells. */
  readonly #large = new Map<number, Baseline[]>();
  /** Cells to count only, by mutant. */
  readonly #counted = new Map<number, Baseline[]>();
  /** The first wrong cell that reaches a mutant; looked for once it is asked for. */
  #wrong: Promise<ReadonlyMap<number, Baseline>> | undefined;
  #stopped = false;

  private constructor(crew: Crew, options: CampaignOptions, mutations: readonly Mutation[]) {
    this.#crew = crew;
    this.#options = options;
    this.#mutations = mutations;
  }

  /**
   * Starts the workers and runs all cells without mutants.
   * @throws Error if a claim is about a mutant that is gone
   */
  static async start(
    options: CampaignOptions,
    mutations: readonly Mutation[],
    listener: CampaignListener = {},
  ): Promise<Lead> {
    const {
      arch,
      profiles = [...PROFILES, ...FURTHER_PROFILES],
      scenarios = [],
      jobs,
      mostStates = MOST_STATES,
    } = options;
    mustExist(options.claims ?? [], mutations);
    const selection = { archs: [arch], profiles, scenarios };
    const crew = await Crew.start({ selection, mostStates }, jobs);
    const lead = new Lead(crew, options, mutations);
    for (const part of ['right', 'counted'] as const) {
      const cells = await lead.#baselines(part, listener);
      for (const cell of cells) {
        lead.#cells.set(cell.cell, cell);
        const list = { right: lead.#reaching, large: lead.#large, counted: lead.#counted, wrong: undefined }[cell.part];
        for (const mutant of cell.reached) if (list !== undefined) push(list, mutant, cell);
      }
    }
    return lead;
  }

  /** By profile, states and then number: the order does not depend on time or on the number of workers. */
  async #baselines(part: Part, listener: CampaignListener = {}): Promise<Baseline[]> {
    const groups = [...this.#crew.groups.keys()].filter((group) => this.#crew.groups[group] === part);
    let done = 0;
    const found = await Promise.all(
      groups.map(async (group) => {
        const answer = await this.#crew.ask({ kind: 'baseline', group });
        listener.progress?.('cells', ++done, groups.length);
        if (answer === LOST || answer.kind !== 'baseline') throw new Error('a cell without mutants does not end');
        return answer.cells;
      }),
    );
    const further = ({ profile }: Baseline): number => (FURTHER_PROFILES.includes(profile) ? 1 : 0);
    return found.flat().toSorted((a, b) => further(a) - further(b) || a.states - b.states || a.cell - b.cell);
  }

  /** Cells of the campaign that hold. */
  get cells(): number {
    return [...this.#cells.values()].filter(({ part }) => part === 'right').length;
  }

  /** Tries the mutants of all packages that cells reach, or those that are wanted of them. */
  async run(listener: CampaignListener = {}): Promise<Fate[]> {
    const { wanted = () => true, known } = this.#options;
    const packages = new Set(
      [...this.#reaching.keys(), ...this.#large.keys()].map((i) => packageOf(this.#mutations[i]!)),
    );
    const chosen = [...this.#mutations.keys()].filter((i) => {
      const mutation = this.#mutations[i]!;
      return packages.has(packageOf(mutation)) && wanted(mutation);
    });
    const fates = new Map<number, Fate>();
    for (const i of chosen) {
      const fate = known?.get(this.#mutations[i]!.key);
      if (fate !== undefined) fates.set(i, fate);
    }
    const each = async (
      what: 'mutants' | 'survivors',
      mutants: readonly number[],
      become: (mutant: number) => Promise<Fate>,
    ): Promise<void> => {
      let [next, done] = [0, 0];
      const goOn = async (): Promise<void> => {
        for (let at = next++; at < mutants.length && !this.#stopped; at = next++) {
          const fate = await become(mutants[at]!);
          fates.set(mutants[at]!, fate);
          listener.fate?.(fate);
          listener.progress?.(what, ++done, mutants.length);
        }
      };
      await Promise.all(Array.from({ length: this.#options.jobs + 1 }, goOn));
    };
    const untried = chosen.filter((i) => !fates.has(i));
    await each('mutants', untried, (i) => this.fate([i]));
    const open = chosen.filter((i) => fates.has(i) && this.#isOpen(fates.get(i)!));
    await each('survivors', open, (i) => this.#explained(i, fates.get(i)!, [...fates.values()]));
    return chosen.flatMap((i) => fates.get(i) ?? []);
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
    const large = this.#large.get(mutants[0]) ?? [];
    const none = { mutation, cells: reaching.length + large.length, ran: 0, tooLarge: 0, same: true };
    if (none.cells === 0) return { ...none, ...(await this.#unreached(mutants[0])) };
    if (mutation.weakOnly && !this.#crew.weak && mutants[1] === undefined) return { ...none, verdict: 'ordered' };
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
    const answer = await this.#crew.ask({ kind: 'try', mutants, trials, budget });
    return answer !== LOST && answer.kind === 'tried' ? answer.tried : LOST;
  }

  /** Counts a survivor in the cells that reach it. @returns besides, those of them in which it makes a difference, and what kills it there */
  async #cost(
    mutant: number,
    reaching: readonly Baseline[],
    large: readonly Baseline[],
  ): Promise<{ readonly costs: Costs; readonly differing: readonly Baseline[]; readonly kill?: KilledBy }> {
    const counted = inRounds(this.#counted.get(mutant) ?? []).slice(0, ECONOMY_CELLS);
    const cells = [...counted, ...reaching.slice(0, COUNTED_CELLS), ...large.slice(0, LARGE_CELLS)];
    const answer = await this.#crew.ask({ kind: 'cost', mutant, cells: cells.map(({ cell }) => cell) });
    const differences = answer !== LOST && answer.kind === 'costed' ? answer.differences : [];
    const differs = (one: Difference | undefined): boolean =>
      one === null || (one !== undefined && ('by' in one || SORTS.some((sort) => one[sort] !== 0)));
    const at = differences.findIndex((one) => one !== null && 'by' in one);
    return {
      costs: costsOf(differences),
      differing: cells.filter(({ part }, i) => part !== 'counted' && differs(differences[i])),
      ...(at >= 0 && { kill: killedBy(differences[at] as Kill, cells[at]!) }),
    };
  }

  /** Who gets to what no right cell reaches? */
  async #unreached(mutant: number): Promise<Pick<Fate, 'verdict' | 'twin'>> {
    this.#wrong ??= this.#baselines('wrong').then((cells) => {
      const first = new Map<number, Baseline>();
      for (const cell of cells) for (const each of cell.reached) if (!first.has(each)) first.set(each, cell);
      return first;
    });
    const twin = (await this.#wrong).get(mutant);
    return twin === undefined
      ? { verdict: 'unreached' }
      : { verdict: 'twin', twin: `${twin.scenario}@${twin.profile}` };
  }

  #claimOn({ mutation }: Fate): Claim | undefined {
    const { arch, claims = [] } = this.#options;
    return claims.find((each) => mutantsOf(each).includes(mutation.key) && (each.archs?.includes(arch) ?? true));
  }

  /** Is there a question that was not asked yet? Claims are put to the test each time. */
  #isOpen(fate: Fate): boolean {
    if (fate.verdict !== 'survived') return false;
    if (this.#claimOn(fate) !== undefined || fate.covered?.why !== undefined) return true;
    return fate.looked === undefined && verdictOf(fate) === 'unexplained';
  }

  /** Of a survivor: what a claim says of it, or what is found to cover it, or whether the order of two steps matters. */
  async #explained(mutant: number, before: Fate, all: readonly Fate[]): Promise<Fate> {
    const fate: Fate & { covered?: Covered } = { ...before };
    if (fate.covered?.why !== undefined) delete fate.covered;
    const claim = this.#claimOn(fate);
    if (claim !== undefined) {
      const second = this.#mutations.findIndex(({ key }) => key === claim.coveredBy);
      const { kill } = await this.fate([mutant, second]);
      const covered = { by: claim.coveredBy, why: claim.why, ...(kill !== undefined && { kill }) };
      if (kill !== undefined) return { ...fate, covered };
    }
    if (fate.looked !== undefined || verdictOf(fate) !== 'unexplained') return fate;
    const covered = await this.#cover(mutant, all);
    if (covered !== undefined) return { ...fate, covered, looked: true };
    const either = fate.mutation.operator === 'swap' ? await this.either(mutant) : undefined;
    return { ...fate, looked: true, ...(either !== undefined && { either }) };
  }

  /**
   * Looks for what covers a survivor: in its own file, and in cells that have killed what stands there. What is noticed only beside a mutant of other
   * code mostly is not what does its work: an access or a flush more, or less, gives the other one its chance.
   */
  async #cover(mutant: number, all: readonly Fate[]): Promise<Covered | undefined> {
    const { site } = this.#mutations[mutant]!;
    const isNear = (other: number): boolean => this.#mutations[other]!.site.file === site.file;
    const sameFunction = (other: number): number => (this.#mutations[other]!.site.function === site.function ? 1 : 0);
    const reaching = inRounds(this.#reaching.get(mutant) ?? []);
    const killers = new Map<string, number>();
    for (const { mutation, kill } of all) {
      if (kill === undefined || mutation.site.file !== site.file) continue;
      const cell = `${kill.scenario}@${kill.profile}`;
      killers.set(cell, (killers.get(cell) ?? 0) + (mutation.site.function === site.function ? 10 : 1));
    }
    const kills = ({ scenario, profile }: Baseline): number => killers.get(`${scenario}@${profile}`) ?? 0;
    const best = reaching.toSorted((a, b) => kills(b) - kills(a)).slice(0, COVER_CELLS);
    const trials = best.map(({ cell, states, reached }) => {
      const candidates = reached
        .filter((other) => other !== mutant && isNear(other))
        .filter((other) => this.#crew.weak || !this.#mutations[other]!.weakOnly)
        .toSorted((a, b) => sameFunction(b) - sameFunction(a) || a - b);
      return { cell, states, candidates };
    });
    const answer = await this.#crew.ask({ kind: 'cover', mutant, trials, budget: COVER_BUDGET });
    if (answer === LOST || answer.kind !== 'covered' || answer.cover === undefined) return undefined;
    const { mutant: by, kill } = answer.cover;
    return { by: this.#mutations[by]!.key, kill: killedBy(kill, this.#cells.get(kill.cell)!) };
  }

  /**
   * Of two steps in the other order: does it matter?
   * @param mutant its number
   * @returns in how many cells all ends are the same; undefined if in one they are not, or nobody can tell
   */
  async either(mutant: number): Promise<number | undefined> {
    const cells = inRounds(this.#reaching.get(mutant) ?? []).slice(0, EITHER_CELLS);
    const answer = await this.#crew.ask({ kind: 'ends', mutant, cells: cells.map(({ cell }) => cell) });
    if (answer === LOST || answer.kind !== 'compared' || answer.differ > 0 || answer.same === 0) return undefined;
    return answer.same;
  }

  #fateOf({ kill, ran, tooLarge, same, lost }: Trials): Pick<Fate, 'verdict' | 'kill' | 'ran' | 'tooLarge' | 'same'> {
    if (lost) return { ...ENDLESS, ran, tooLarge, same };
    if (kill === undefined) return { verdict: 'survived', ran, tooLarge, same };
    return { ...killed(killedBy(kill, this.#cells.get(kill.cell)!)), ran, tooLarge, same };
  }

  /** Ends the workers. */
  async close(): Promise<void> {
    await this.#crew.dismiss();
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

function killedBy({ by, oracle, message }: Kill, { scenario, profile }: Baseline): KilledBy {
  return { by, oracle, message, scenario, profile };
}

function killed(kill: KilledBy): Pick<Fate, 'verdict' | 'kill'> {
  return { verdict: 'killed', kill };
}

const ENDLESS: Pick<Fate, 'verdict' | 'kill'> = {
  verdict: 'killed',
  kill: { by: 'endless', oracle: 'endless', message: 'no cell comes to an end', scenario: '', profile: '' },
};

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

function costsOf(differences: readonly Difference[]): Costs {
  const ends = differences.filter((each): each is Counts => each !== null && !('by' in each));
  const bySort = (of: (values: readonly number[]) => number): Counts =>
    countsBy((sort) => of(ends.map((each) => each[sort])));
  return {
    more: bySort((values) => values.filter((value) => value > 0).length),
    less: bySort((values) => values.filter((value) => value < 0).length),
    sum: bySort((values) => values.reduce((a, b) => a + b, 0)),
    of: ends.length,
  };
}

function mustExist(claims: readonly Claim[], mutations: readonly Mutation[]): void {
  const keys = new Set(mutations.map(({ key }) => key));
  const gone = claims.flatMap((claim) => [...mutantsOf(claim), claim.coveredBy]).find((key) => !keys.has(key));
  if (gone !== undefined) throw new Error(`a claim speaks of a mutant that is gone: ${gone}`);
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
