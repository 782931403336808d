/**
 * Table: columns without borders, a row at a time, so that rows can be shown as they come in.
 */
import CliTable from 'cli-table3';
import type { Paint, Terminal } from './terminal.ts';

/** One column. */
export interface Column {
  /** Its title. */
  readonly head: string;
  /** Width; what is longer is cut, with an ellipsis. */
  readonly width: number;
  readonly align?: 'left' | 'right';
  /** Go on below what is longer, instead. */
  readonly wrap?: boolean;
}

/** Blanks between columns. */
const GAP = 2;

const NO_BORDERS: Record<string, string> = {
  ...Object.fromEntries(
    ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
      [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((name) => [name, '']),
    ),
  ),
  middle: ' '.repeat(GAP),
};

/** A table whose columns are known before its rows. */
export class Table {
  readonly #columns: readonly Column[];
  readonly #paint: Paint;

  constructor(columns: readonly Column[], paint: Paint) {
    this.#columns = columns;
    this.#paint = paint;
  }

  /** Width of a table with these columns. */
  static width(columns: readonly Column[]): number {
    return columns.reduce((sum, { width }) => sum + width + GAP, -GAP);
  }

  /** The titles. */
  head(): string {
    return this.#paint.bold(this.row(this.#columns.map(({ head }) => head)));
  }

  /** A row; may hold colours. */
  row(cells: readonly string[]): string {
    const table = new CliTable({
      chars: NO_BORDERS,
      style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
      colWidths: this.#columns.map(({ width }) => width),
      colAligns: this.#columns.map(({ align }) => align ?? 'left'),
    });
    table.push(cells.map((content, i) => ({ content, wordWrap: this.#columns[i]!.wrap === true })));
    return table.toString().replaceAll(/ +$/gm, '');
  }
}

/** A cell that is a number. */
const NUMBER = /^\d[\d,.]*( M)?$/;

/**
 * A whole table, each column as wide as its widest cell; the last one is wrapped to what the terminal has left. Columns of numbers stand
 * at the right.
 */
export function tableOf(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { columns, interactive, paint }: Terminal,
): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const rest = columns - widths.slice(0, -1).reduce((sum, width) => sum + width + GAP, 0);
  if (interactive) widths[widths.length - 1] = Math.max(head.at(-1)!.length, Math.min(widths.at(-1)!, rest));
  const table = new Table(
    head.map((title, i) => ({
      head: title,
      width: widths[i]!,
      align: rows.length > 0 && rows.every((row) => NUMBER.test(row[i]!)) ? 'right' : 'left',
      wrap: true,
    })),
    paint,
  );
  return [table.head(), ...rows.map((row) => table.row(row))].join('\n');
}
