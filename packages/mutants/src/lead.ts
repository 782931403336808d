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
import { type Claim, mutantsOf } from './claim.ts';
import { Explaining } from './explaining.ts';
import type { Fate } from './fate.ts';
import { FURTHER_PROFILES, Ground, PROFILES } from './ground.ts';
import type { Mutation } from './mutation.ts';
import { Trying, type TryingOptions } from './trying.ts';

/** What to do. */
export interface CampaignOptions extends TryingOptions {
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
  /** Claims that mutants change nothing; none if not given. */
  readonly claims?: readonly Claim[];
  /** What is known of mutants from an earlier run of the same code, by key: they are not tried again, but claims are. */
  readonly known?: ReadonlyMap<string, Fate>;
}

/** Most of the suite's cells have some hundred states, and few more than these. */
export const MOST_STATES = 2_000;

/** Hears of a campaign. */
export interface CampaignListener {
  /** Something was done: of the cells without mutants, or of the mutants. */
  progress?(what: 'cells' | 'mutants' | 'survivors', done: number, of: number): void;
  /** A mutant's fate is known. */
  fate?(fate: Fate): void;
}

/** A campaign that has its cells. */
export class Lead {
  readonly #ground: Ground;
  readonly #trying: Trying;
  readonly #explaining: Explaining;
  readonly #options: CampaignOptions;
  readonly #mutations: readonly Mutation[];
  #stopped = false;

  private constructor(ground: Ground, options: CampaignOptions, mutations: readonly Mutation[]) {
    const { arch, claims = [] } = options;
    const here = claims.filter(({ archs }) => archs?.includes(arch) ?? true);
    this.#ground = ground;
    this.#trying = new Trying(ground, mutations, options);
    this.#explaining = new Explaining(ground, mutations, here);
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
    const assignment = { selection: { archs: [arch], profiles, scenarios }, mostStates };
    const ground = await Ground.start(assignment, jobs, (done, of) => listener.progress?.('cells', done, of));
    return new Lead(ground, options, mutations);
  }

  /** Cells of the campaign that hold. */
  get cells(): number {
    return this.#ground.size;
  }

  /** Tries the mutants of all packages that cells reach, or those that are wanted of them. */
  async run(listener: CampaignListener = {}): Promise<Fate[]> {
    const { wanted = () => true, known } = this.#options;
    const packages = new Set(this.#ground.reached.map((i) => packageOf(this.#mutations[i]!)));
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
    const open = chosen.filter((i) => fates.has(i) && this.#explaining.isOpen(fates.get(i)!));
    await each('survivors', open, (i) =>
      this.#explaining.explained(i, fates.get(i)!, this.#trying, [...fates.values()]),
    );
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
  fate(mutants: readonly [number, number?]): Promise<Fate> {
    return this.#trying.fate(mutants);
  }

  /**
   * Of two steps in the other order: does it matter?
   * @param mutant its number
   * @returns in how many cells all ends are the same; undefined if in one they are not, or nobody can tell
   */
  either(mutant: number): Promise<number | undefined> {
    return this.#explaining.either(mutant);
  }

  /** Ends the workers. */
  async close(): Promise<void> {
    await this.#ground.crew.dismiss();
  }
}

function mustExist(claims: readonly Claim[], mutations: readonly Mutation[]): void {
  const keys = new Set(mutations.map(({ key }) => key));
  const gone = claims.flatMap((claim) => [...mutantsOf(claim), claim.coveredBy]).find((key) => !keys.has(key));
  if (gone !== undefined) throw new Error(`a claim speaks of a mutant that is gone: ${gone}`);
}

/** `x86` of `x86/flush.ts`. */
export function packageOf({ site }: Mutation): string {
  return site.file.slice(0, site.file.indexOf('/'));
}
