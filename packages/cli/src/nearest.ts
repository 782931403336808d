/**
 * Nearest: what somebody may have meant who typed a name that does not exist.
 */

/** A name that goes on after what was typed is this much worse than one that does not. */
const REST = 0.5;

/** The name that differs least from what was typed, or begins with what differs least; undefined if all differ too much. */
export function nearest(typed: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  // A third of the letters may be wrong, one in short words.
  let least = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const name of names) {
    const far = distance(typed.toLowerCase(), name.toLowerCase());
    if (far < least) [best, least] = [name, far];
  }
  return typed === '' ? undefined : best;
}

/** ` did you mean 'x'?`, or nothing. */
export function suggestion(typed: string, names: Iterable<string>): string {
  const name = nearest(typed, names);
  return name === undefined ? '' : ` did you mean '${name}'?`;
}

/** Letters to insert, remove, replace or swap (Damerau and Levenshtein), up to where `b` fits best. */
function distance(a: string, b: string): number {
  if (a.length > 1 && b.includes(a)) return a === b ? 0 : REST;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return Math.min(last[b.length]!, ...last.slice(1, b.length).map((far) => far + REST));
}
