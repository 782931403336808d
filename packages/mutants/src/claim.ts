/**
 * Claim: mutants change nothing, for another step does their work. A claim is believed of a mutant if the suite kills the pair, both changed.
 */

/** What covers one mutant, or several in the same way. */
export interface Claim {
  /** The mutant's key, or those of several: each is paired on its own. */
  readonly mutant: string | readonly string[];
  /** Key of the mutant that takes away what covers it. */
  readonly coveredBy: string;
  /** Architectures of which it is said; all if not given. */
  readonly archs?: readonly string[];
  /** Why, in one line. */
  readonly why: string;
}

/** Keys of the mutants that a claim is about. */
export function mutantsOf({ mutant }: Claim): readonly string[] {
  return typeof mutant === 'string' ? [mutant] : mutant;
}
