/**
 * Suite reductions: what each switch of the search saves in the suite's cells, and that verdicts stay. A cell is searched without the switch
 * and with it. One that is too large without is not compared, and counted. Counts alone: they are the same on every machine.
 */
import { type Result, type Search, search, SetupError } from '@mmu-gather/checker';
import { agree, ARCHITECTURES, type Cell, cells, machineOf, Reads, SCENARIOS } from '@mmu-gather/conformance';

/** A switch, off and on. */
interface Switch {
  /** Name. */
  readonly name: string;
  readonly off: Search;
  readonly on: Search;
}

/** Without reduction cells have more states than these, or more traces; the limits keep all of it below some minutes. */
const MAX_STATES = 5_000;
const MAX_TRACES = 100;

const SWITCHES: readonly Switch[] = [
  { name: 'local steps', off: { reduce: false, maxStates: MAX_STATES }, on: {} },
  {
    name: 'commuting',
    off: { strategy: 'dpor', maxExecutions: MAX_TRACES },
    on: { strategy: 'dpor', commute: true, maxExecutions: MAX_TRACES },
  },
];

/** One line of the table. */
export interface Row {
  /** The switch. */
  readonly name: string;
  /** Cells that were looked at. */
  cells: number;
  /** Those that ended without the switch, and with it, and have one verdict. */
  compared: number;
  /** Of these: violated ones, whose counts say nothing. */
  violated: number;
  /** Of these: ones with fewer states or traces. */
  smaller: number;
  /** Cells that are too large without the switch. */
  larger: number;
  /** States or traces of those that hold, without the switch. */
  off: number;
  /** The same with it. */
  on: number;
}

const NOTHING: Omit<Row, 'name'> = { cells: 0, compared: 0, violated: 0, smaller: 0, larger: 0, off: 0, on: 0 };

/** A cell, and what its search says. */
interface Searched {
  readonly cell: Cell;
  readonly found: Result;
}

/** The search of a cell; undefined if its setup already breaks something. @param reads notes which switches it looks at */
function searched(cell: Cell, options: Search, reads?: Reads): Result | undefined {
  try {
    return search(machineOf(cell, reads), options);
  } catch (error) {
    if (error instanceof SetupError) return undefined;
    throw error;
  }
}

/** The cells of the default profiles, each once however many profiles share it. */
function* different(arch: string): Iterable<Searched> {
  const known = new Map<string, Reads[]>();
  for (const cell of cells(SCENARIOS, ARCHITECTURES, { archs: [arch] })) {
    const others = known.get(cell.id) ?? [];
    const switches = { profile: { ...cell.profile }, backend: cell.backendSwitches };
    if (others.some(({ seen }) => agree(seen, switches))) continue;
    const reads = new Reads();
    // What is larger with local steps taken alone is so without.
    const found = searched(cell, { maxStates: MAX_STATES }, reads);
    known.set(cell.id, [...others, reads]);
    if (found !== undefined) yield { cell, found };
  }
}

function compare({ cell, found }: Searched, { off, on }: Switch, row: Row): void {
  row.cells++;
  const without = found.limit === undefined ? searched(cell, off)! : found;
  if (without.limit !== undefined) {
    row.larger++;
    return;
  }
  const result = on.strategy === undefined ? found : searched(cell, on)!;
  for (const { verdict } of [without, result])
    if (verdict !== found.verdict)
      throw new Error(`${cell.id} on ${cell.arch.id}, ${row.name}: ${verdict}, and ${found.verdict} by 'states'`);
  row.compared++;
  if (found.verdict === 'violated') {
    row.violated++;
    return;
  }
  const count = ({ states, executions }: Result): number => states ?? executions!;
  if (count(result) < count(without)) row.smaller++;
  row.off += count(without);
  row.on += count(result);
}

/** @throws Error if a switch changes a verdict */
export function suiteReductions(arch: string): readonly Row[] {
  const rows = SWITCHES.map(({ name }) => ({ ...NOTHING, name }));
  for (const one of different(arch)) SWITCHES.forEach((each, i) => compare(one, each, rows[i]!));
  return rows;
}
