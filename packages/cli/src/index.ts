/**
 * What scripts around the command need to know.
 *
 * @packageDocumentation
 */

/** Exit codes of `mmu-gather`. */
export const exitCode = {
  /** Every verdict is the expected one; for `replay`: it could report. */
  expected: 0,
  /** Some verdict is not, or the score is under the one that was asked for. */
  unexpected: 1,
  /** Bad input or usage. */
  misuse: 2,
  /** Stopped before the end. */
  stopped: 3,
} as const;
