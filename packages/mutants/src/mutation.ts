/**
 * Mutation: one step of the algorithms, changed.
 */

/** What a site is for. */
export type Kind =
  | 'fence'
  | 'order'
  | 'flush'
  | 'wait'
  | 'generation'
  | 'mask'
  | 'pending'
  | 'lock'
  | 'store'
  | 'return'
  | 'answer'
  | 'tracking'
  | 'step';

/** How a site is changed. */
export type Operator = 'elide' | 'weaken' | 'swap' | 'never' | 'always';

/** Where something stands in the sources. */
export interface Site {
  /** `x86/flush.ts`: package and file below its `src`. */
  readonly file: string;
  /** Line, from 1. */
  readonly line: number;
  /** Name of the function around it. */
  readonly function: string;
  /** Its text, on one line. */
  readonly text: string;
  /** What it is for. */
  readonly kind: Kind;
}

/** A change of a site. */
export interface Mutation {
  /** Names it whatever its line is: file, function, text, change. */
  readonly key: string;
  /** The site. */
  readonly site: Site;
  /** How it is changed. */
  readonly operator: Operator;
  /** In words: `left out`, `smp_wmb instead`. */
  readonly what: string;
  /** The memory models under TSO give the order anyway: a mutant under the weak model only. */
  readonly weakOnly: boolean;
}
