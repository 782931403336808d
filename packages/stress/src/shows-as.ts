/**
 * How a broken promise shows in a run. The suite asks what may be reached; a run sees accesses, and some claims. So what breaks in a scenario shows there as
 * itself, or as what follows from it:
 *
 *     O6, O7, O9 .. O12      an entry outlives its time: somebody uses it
 *     O5                     kernel code reads freed memory: whatever it makes of it, up to a crash
 *     O17                    counts are wrong: something is freed too early, or twice
 *     setup                  the same as O6: it is met before the race of the scenario begins
 *     the others             themselves
 *
 * What a scenario asserts on its own (a page that GUP-fast has pinned is still mapped; a mask empties), no run looks at: it excuses nothing. Nor does
 * a deadlock: a run that stands still has failed.
 */

const USED = ['O1', 'O2', 'O3', 'O4', 'O13'] as const;

/** Oracles of runs, `crash` among them, by what the suite calls broken; those that are not here show as themselves. */
const FOLLOWS: Readonly<Record<string, readonly string[]>> = {
  O5: ['O1', 'O4', 'O5', 'O16', 'crash'],
  O6: USED,
  O7: USED,
  O9: USED,
  O10: USED,
  O11: [...USED, 'O11'],
  O12: USED,
  O17: ['O1', 'O5', 'O16', 'O17'],
  setup: USED,
};

/** May a run in which these are known to break meet what `found` says? @param broken oracles that scenarios of the suite violate there */
export function mayShow(broken: readonly string[], found: string): boolean {
  return broken.some((oracle) => (FOLLOWS[oracle] ?? [oracle]).includes(found));
}
