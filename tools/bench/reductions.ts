/**
 * Reductions: what each switch of the search saves, and that it keeps the verdict. Counts alone: they are the same on every machine.
 */
import { type Machine, type Search, search } from '@mmu-gather/checker';
import { ARCHITECTURES, cells, machineOf, SCENARIOS } from '@mmu-gather/conformance';
import { bare, gather, MANY, PROGRAMS, ring } from './programs.ts';

/** A switch, and what it counts. */
const SWITCHES: readonly (readonly [name: string, options: Search])[] = [
  ['none', { reduce: false }],
  ['local steps', {}],
  ['symmetry', { reduce: false, symmetry: true }],
  ['both', { symmetry: true }],
  ['traces', { strategy: 'dpor' }],
  ['commuting', { strategy: 'dpor', commute: true }],
];

/** Scenarios whose states of every order are counted in seconds. */
const SCENARIOS_SHOWN = ['T3/fixed', 'T4/fixed', 'T9/fixed', 'munmap/running-thread', 'bug:B02/fixed', 'bug:B02/buggy'];

/** Programs with identical CPUs, and ones that are violated. */
const MORE: readonly (readonly [name: string, machine: () => Machine])[] = [
  ['L2 ring (1+1+1)', () => bare(4, ring([1, 1, 1], 2))],
  ['L2 ring (2+2), never looked at again', () => bare(3, ring([2, 2], 2, false))],
  ['L3 gather x3 force, one range', () => bare(3, gather('force', 3, false, true))],
  ['L3 gather x3 sync, one range', () => bare(3, gather('sync', 3, false, true))],
];

/** One line of the table. */
export interface ReductionRow {
  /** Program or scenario. */
  readonly name: string;
  /** The verdict that all of them have. */
  readonly verdict: string;
  /** States or traces by the name of the switch; undefined where it is not counted. */
  readonly counts: Readonly<Record<string, number | undefined>>;
}

/** Names of the columns. */
export const COLUMNS: readonly string[] = [...SWITCHES.map(([name]) => name), 'forget'];

/**
 * @param traces whether traces are counted, too
 * @throws Error if a switch changes the verdict
 */
function rowOf(name: string, machine: Machine, traces: boolean, forgetful?: Machine): ReductionRow {
  const counts: Record<string, number | undefined> = {};
  const verdicts = new Set<string>();
  const count = (column: string, on: Machine, options: Search): void => {
    const { verdict, states, executions } = search(on, options);
    counts[column] = states ?? executions;
    verdicts.add(verdict);
  };
  for (const [column, options] of SWITCHES) {
    if (options.strategy === 'dpor' && !traces) continue;
    if (options.symmetry === true && machine.alike === undefined) continue;
    count(column, machine, options);
  }
  if (forgetful !== undefined) count('forget', forgetful, {});
  if (verdicts.size > 1) throw new Error(`${name}: verdicts ${[...verdicts].join(' and ')}`);
  return { name, verdict: [...verdicts][0]!, counts };
}

/** The table. */
export function reductions(): ReductionRow[] {
  const programs = PROGRAMS.map(({ name, machine, traces }) =>
    rowOf(name, machine(), traces < MANY, machine('sc', true)),
  );
  const selection = { archs: ['x86'], profiles: ['linux-6.18'], scenarios: SCENARIOS_SHOWN };
  const scenarios = cells(SCENARIOS, ARCHITECTURES, selection).map((cell) => rowOf(cell.id, machineOf(cell), false));
  const more = MORE.map(([name, machine]) => rowOf(name, machine(), false));
  return [...programs, ...more, ...scenarios];
}
