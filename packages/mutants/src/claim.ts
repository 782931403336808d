/**
 * Claim: a mutant changes nothing, for another step does its work. A claim is believed if the suite kills the pair, both changed.
 */

/** What covers a mutant. */
export interface Claim {
  /** The mutant's key. */
  readonly mutant: string;
  /** Key of the mutant that takes away what covers it. */
  readonly coveredBy: string;
  /** Architectures of which it is said; all if not given. */
  readonly archs?: readonly string[];
  /** Why, in one line. */
  readonly why: string;
}
