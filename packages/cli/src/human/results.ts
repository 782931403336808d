/**
 * Results: the table of a run. A row is a cell; twins stand indented below their scenario, a `!` marks what is not as expected.
 */
import type { CellResult, StrategyName } from '@mmu-gather/conformance';
import { countsStates } from '../suite/options.ts';
import type { PlannedCell } from '../suite/request.ts';
import { type Column, Table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { number, time } from './text.ts';

/** Names of scenarios are not cut shorter than this. */
const SHORTEST_NAME = 16;
/** What a cell is about is told if there is this much room. */
const ROOM_FOR_TITLE = 36;

const ARCH: Column = { head: 'arch', width: 4 };

/** The table of a run. */
export class ResultTable {
  readonly #table: Table;
  readonly #terminal: Terminal;
  readonly #withArch: boolean;
  readonly #withTitle: boolean;
  #last = '';

  constructor(cells: readonly PlannedCell[], strategy: StrategyName, terminal: Terminal) {
    const widest = (texts: readonly string[], least: number): number =>
      Math.max(least, ...texts.map((text) => text.length));
    this.#terminal = terminal;
    this.#withArch = new Set(cells.map((cell) => cell.arch)).size > 1;
    const others: Column[] = [
      ...(this.#withArch
        ? [
            {
              ...ARCH,
              width: widest(
                cells.map((cell) => cell.arch),
                ARCH.width,
              ),
            },
          ]
        : []),
      {
        head: 'profile',
        width: widest(cells.map(profileText), 7),
      },
      { head: 'model', width: 5 },
      { head: 'verdict', width: 12 },
      {
        head: countsStates(strategy) ? 'states' : 'executions',
        width: countsStates(strategy) ? 9 : 10,
        align: 'right',
      },
      { head: 'time', width: 6, align: 'right' },
    ];
    const names = widest(cells.map(nameOf), 8);
    const width = (name: number): number => 2 + Table.width([{ head: '', width: name }, ...others]);
    // A file or pipe gets whole names: somebody may want to search for them.
    const name = terminal.interactive
      ? Math.max(SHORTEST_NAME, Math.min(names, names + terminal.columns - width(names)))
      : names;
    const room = terminal.columns - width(name) - 2;
    this.#withTitle = room >= ROOM_FOR_TITLE;
    const columns = [
      { head: 'scenario', width: name },
      ...others,
      ...(this.#withTitle ? [{ head: 'what', width: room }] : []),
    ];
    this.#table = new Table(columns, terminal.paint);
  }

  /** The titles of the columns. */
  head(): string {
    return `  ${this.#table.head()}`;
  }

  /** One cell; without a result it did not get to an end. */
  row(cell: PlannedCell, result: CellResult | undefined): string {
    const { paint } = this.#terminal;
    const again = cell.id === this.#last;
    this.#last = cell.id;
    const name = nameOf(cell);
    const states = result?.states ?? result?.executions;
    const cells = [
      again ? paint.dim(name) : name,
      ...(this.#withArch ? [cell.arch] : []),
      profileText(cell),
      cell.memoryModel,
      result === undefined ? paint.yellow('stopped') : this.#verdict(result),
      states === undefined ? '' : number(states),
      result === undefined ? '' : result.sharedWith === undefined ? time(result.milliseconds) : paint.dim('shared'),
      ...(this.#withTitle ? [paint.dim(again ? '' : cell.title)] : []),
    ];
    const mark = result?.ok === true ? ' ' : paint.bold(paint.red('!'));
    return `${mark} ${this.#table.row(cells)}`;
  }

  #verdict(result: CellResult): string {
    const { paint } = this.#terminal;
    const colour = result.verdict === 'incomplete' ? paint.yellow : result.ok ? paint.green : paint.red;
    return colour(verdictText(result));
  }
}

const OTHER_VIOLATIONS: Readonly<Record<string, string>> = { race: 'data race', assert: 'assert fails' };

/** `holds`, `vacuous`, `incomplete`, `violated O1`, `deadlock`. */
export function verdictText({
  verdict,
  oracle = '',
  vacuous,
}: Pick<CellResult, 'verdict' | 'oracle' | 'vacuous'>): string {
  if (vacuous !== undefined) return 'vacuous';
  if (verdict !== 'violated') return verdict;
  return oracle.startsWith('O') ? `violated ${oracle}` : (OTHER_VIOLATIONS[oracle] ?? oracle);
}

/** A profile; a `+` if there are settings on top of it, which whoever typed them knows. */
function profileText({ profile }: PlannedCell): string {
  return profile.replace(/\+.*$/, '+');
}

/** A twin is indented, and what its id has in common with its scenario's is left out. */
function nameOf({ id, twinOf }: PlannedCell): string {
  if (twinOf === undefined) return id;
  return `  ${id.startsWith(`${twinOf}/`) ? `…${id.slice(twinOf.length)}` : id}`;
}
