/**
 * Tables and clocks of the benchmarks.
 */
import CliTable from 'cli-table3';

/** A value of a table; numbers stand at the right. */
export type Value = string | number;

/** Prints a table. */
export function print(head: readonly string[], rows: readonly (readonly Value[])[]): void {
  const table = new CliTable({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, i) => (typeof rows[0]?.[i] === 'number' ? 'right' : 'left')),
  });
  for (const row of rows) table.push(row.map(text));
  console.log(table.toString());
}

function text(value: Value): string {
  if (typeof value === 'string') return value;
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** The middle one of several runs, after one that is not counted. Runs until `budget` milliseconds are spent, at least three times. */
export function median<T>(work: () => T, budget = 400): { milliseconds: number; result: T } {
  let result = work();
  const times: number[] = [];
  const end = performance.now() + budget;
  while (times.length < 3 || (performance.now() < end && times.length < 101)) {
    const start = performance.now();
    result = work();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { milliseconds: times[times.length >> 1]!, result };
}
