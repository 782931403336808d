/**
 * Fate: what became of a mutant. Plain data; what it means is said in verdict.ts.
 */
import type { KillKind } from './campaign.ts';
import type { Counts } from './economy.ts';
import type { Mutation } from './mutation.ts';

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
