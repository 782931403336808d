/**
 * What the switches of the command save in the suite's cells, and that verdicts stay: x86 under linux-6.18. A cell that has more states of
 * every order than are worth waiting for, or more traces, is not compared, and counted.
 */
import { type Search, search } from '@mmu-gather/checker';
import { ARCHITECTURES, type Cell, cells, machineOf, SCENARIOS } from '@mmu-gather/conformance';
import { once, print, type Value } from './table.ts';

/** A switch, off and on. */
interface Switch {
  readonly name: string;
  readonly off: Search;
  readonly on: Search;
}

const SWITCHES: readonly Switch[] = [
  { name: 'local', off: { reduce: false, maxStates: 100_000 }, on: {} },
  {
    name: 'commute',
    off: { strategy: 'dpor', maxExecutions: 300 },
    on: { strategy: 'dpor', commute: true, maxExecutions: 300 },
  },
];

/** Cells that ended both ways, of one verdict. */
interface Sum {
  compared: number;
  larger: number;
  smaller: number;
  readonly off: { count: number; milliseconds: number };
  readonly on: { count: number; milliseconds: number };
}

function compare(cell: Cell, { off, on }: Switch, sum: Sum): void {
  const one = once(() => search(machineOf(cell), off));
  if (one.result.limit !== undefined) {
    sum.larger++;
    return;
  }
  const two = once(() => search(machineOf(cell), on));
  if (one.result.verdict !== two.result.verdict)
    throw new Error(`${cell.id}: ${one.result.verdict} without, ${two.result.verdict} with the switch`);
  sum.compared++;
  const count = (of: typeof one): number => of.result.states ?? of.result.executions ?? 0;
  if (count(two) < count(one)) sum.smaller++;
  for (const [part, of] of [
    [sum.off, one],
    [sum.on, two],
  ] as const) {
    part.count += count(of);
    part.milliseconds += of.milliseconds;
  }
}

const all = cells(SCENARIOS, ARCHITECTURES, { archs: ['x86'], profiles: ['linux-6.18'] });
const rows: Value[][] = SWITCHES.map((each) => {
  const nothing = (): Sum['off'] => ({ count: 0, milliseconds: 0 });
  const sum: Sum = { compared: 0, larger: 0, smaller: 0, off: nothing(), on: nothing() };
  for (const cell of all) compare(cell, each, sum);
  const { compared, smaller, larger, off, on } = sum;
  return [each.name, compared, smaller, larger, off.count, on.count, off.milliseconds / 1000, on.milliseconds / 1000];
});
print(['switch', 'cells compared', 'smaller', 'too large', 'states, traces', 'with it', 'CPU s', 'with it'], rows);
