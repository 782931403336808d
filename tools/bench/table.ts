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

/** CPU time of this thread so far, in milliseconds: what else the machine does is not in it. */
export function cpuMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** What some work took. */
export interface Timed<T> {
  /** CPU time of this thread. */
  readonly milliseconds: number;
  /** What it returned last. */
  readonly result: T;
}

/** One run. */
export function once<T>(work: () => T): Timed<T> {
  const start = cpuMilliseconds();
  const result = work();
  return { milliseconds: cpuMilliseconds() - start, result };
}

/** A sample takes at least so many milliseconds: the clock of a thread is coarse. */
const SAMPLE = 20;

/**
 * The middle one of several samples of as many runs as take a while, for one run. Samples are taken until `budget` milliseconds are spent,
 * at least three of them, after a first one that is not counted.
 */
export function median<T>(work: () => T, budget = 400): Timed<T> {
  const start = cpuMilliseconds();
  let result = work();
  let runs = 1;
  for (; cpuMilliseconds() - start < SAMPLE; runs++) result = work();
  const times: number[] = [];
  for (const end = cpuMilliseconds() + budget; times.length < 3 || cpuMilliseconds() < end; ) {
    const { milliseconds } = once(() => {
      for (let i = 0; i < runs; i++) result = work();
    });
    times.push(milliseconds / runs);
  }
  times.sort((x, y) => x - y);
  return { milliseconds: times[times.length >> 1]!, result };
}

/**
 * The middle ones of samples of several works that are taken in turn, in milliseconds for one run: what else the machine does weighs on all of them
 * alike. Otherwise as {@link median}.
 */
export function medians(works: readonly (() => unknown)[], budget = 400): number[] {
  const sized = works.map((work) => {
    const start = cpuMilliseconds();
    let runs = 0;
    for (; cpuMilliseconds() - start < SAMPLE; runs++) work();
    return { work, runs, times: [] as number[] };
  });
  const end = cpuMilliseconds() + budget * works.length;
  for (let round = 0; round < 3 || cpuMilliseconds() < end; round++) {
    for (const { work, runs, times } of sized) {
      const { milliseconds } = once(() => {
        for (let i = 0; i < runs; i++) work();
      });
      times.push(milliseconds / runs);
    }
  }
  return sized.map(({ times }) => times.toSorted((x, y) => x - y)[times.length >> 1]!);
}

/** A sample of {@link shortest}, in milliseconds: seldom interrupted. */
const SHORT_SAMPLE = 2;

/**
 * The shortest of many samples of several works that are taken in turn, in milliseconds of the clock on the wall for one run. For work of nanoseconds:
 * the clock of a thread goes by ticks of milliseconds on some machines, and what else the machine does only adds to a sample.
 */
export function shortest(works: readonly (() => unknown)[], rounds = 300): number[] {
  const sized = works.map((work) => {
    const start = performance.now();
    for (let n = 0; n < rounds / 10; n++) work();
    const milliseconds = (10 * (performance.now() - start)) / rounds;
    return { work, runs: Math.max(1, Math.round(SHORT_SAMPLE / milliseconds)), best: Infinity };
  });
  for (let round = 0; round < rounds; round++) {
    for (const each of sized) {
      const start = performance.now();
      for (let n = 0; n < each.runs; n++) each.work();
      each.best = Math.min(each.best, (performance.now() - start) / each.runs);
    }
  }
  return sized.map(({ best }) => best);
}

/** Whether a goal was met. */
export function met(is: boolean): string {
  return is ? 'yes' : 'NO';
}
