/**
 * Explaining: the last two steps of a campaign (lead.ts), of what survived and costs nothing. Does another step do its work? Of two steps in the
 * other order, does it matter?
 */
import type { Baseline } from './campaign.ts';
import { type Claim, mutantsOf } from './claim.ts';
import { LOST } from './crew.ts';
import type { Covered, Fate } from './fate.ts';
import { type Ground, inRounds } from './ground.ts';
import type { Mutation } from './mutation.ts';
import { killedBy, type Trying } from './trying.ts';
import { verdictOf } from './verdict.ts';

/** What covers a survivor is looked for in so many cells, */
const COVER_CELLS = 8;
/** and in so many states of each. */
const COVER_BUDGET = 20_000;

/** Ends are compared in so many cells. */
const EITHER_CELLS = 24;

/** Explains survivors. */
export class Explaining {
  readonly #ground: Ground;
  readonly #mutations: readonly Mutation[];
  readonly #claims: readonly Claim[];

  /** @param claims those that are about this architecture */
  constructor(ground: Ground, mutations: readonly Mutation[], claims: readonly Claim[]) {
    this.#ground = ground;
    this.#mutations = mutations;
    this.#claims = claims;
  }

  /** Is there a question that was not asked yet? Claims are put to the test each time. */
  isOpen(fate: Fate): boolean {
    if (fate.verdict !== 'survived') return false;
    if (this.#claimOn(fate) !== undefined || fate.covered?.why !== undefined) return true;
    return fate.looked === undefined && verdictOf(fate) === 'unexplained';
  }

  /**
   * What a claim says of a survivor, or what is found to cover it, or whether the order of two steps matters.
   * @param trying tries the pairs of claims
   * @param all what is known of other mutants: where they were killed tells where to look
   */
  async explained(mutant: number, before: Fate, trying: Trying, all: readonly Fate[]): Promise<Fate> {
    const fate: Fate & { covered?: Covered } = { ...before };
    if (fate.covered?.why !== undefined) delete fate.covered;
    const claim = this.#claimOn(fate);
    if (claim !== undefined) {
      const second = this.#mutations.findIndex(({ key }) => key === claim.coveredBy);
      const { kill } = await trying.fate([mutant, second]);
      if (kill !== undefined) return { ...fate, covered: { by: claim.coveredBy, why: claim.why, kill } };
    }
    if (fate.looked !== undefined || verdictOf(fate) !== 'unexplained') return fate;
    const covered = await this.#cover(mutant, all);
    if (covered !== undefined) return { ...fate, covered, looked: true };
    const either = fate.mutation.operator === 'swap' ? await this.either(mutant) : undefined;
    return { ...fate, looked: true, ...(either !== undefined && { either }) };
  }

  #claimOn({ mutation }: Fate): Claim | undefined {
    return this.#claims.find((each) => mutantsOf(each).includes(mutation.key));
  }

  /**
   * Looks for what covers a survivor: in its own file, and in cells that have killed what stands there. What is noticed only beside a mutant of other
   * code mostly is not what does its work: an access or a flush more, or less, gives the other one its chance.
   */
  async #cover(mutant: number, all: readonly Fate[]): Promise<Covered | undefined> {
    const { site } = this.#mutations[mutant]!;
    const isNear = (other: number): boolean => this.#mutations[other]!.site.file === site.file;
    const sameFunction = (other: number): number => (this.#mutations[other]!.site.function === site.function ? 1 : 0);
    const reaching = inRounds(this.#ground.reaching(mutant));
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
        .filter((other) => this.#ground.crew.weak || !this.#mutations[other]!.weakOnly)
        .toSorted((a, b) => sameFunction(b) - sameFunction(a) || a - b);
      return { cell, states, candidates };
    });
    const answer = await this.#ground.crew.ask({ kind: 'cover', mutant, trials, budget: COVER_BUDGET });
    if (answer === LOST || answer.kind !== 'covered' || answer.cover === undefined) return undefined;
    const { mutant: by, kill } = answer.cover;
    return { by: this.#mutations[by]!.key, kill: killedBy(kill, this.#ground.cell(kill.cell)) };
  }

  /**
   * Of two steps in the other order: does it matter?
   * @param mutant its number
   * @returns in how many cells all ends are the same; undefined if in one they are not, or nobody can tell
   */
  async either(mutant: number): Promise<number | undefined> {
    const cells = inRounds(this.#ground.reaching(mutant)).slice(0, EITHER_CELLS);
    const answer = await this.#ground.crew.ask({ kind: 'ends', mutant, cells: cells.map(({ cell }) => cell) });
    if (answer === LOST || answer.kind !== 'compared' || answer.differ > 0 || answer.same === 0) return undefined;
    return answer.same;
  }
}
