/**
 * Overview: a run in one row a scenario: what each profile makes of it, and which oracles refute its twins.
 */
import type { CellResult } from '@mmu-gather/conformance';
import type { PlannedCell } from '../suite/request.ts';
import { verdictText } from './results.ts';
import { type Column, Table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { number } from './text.ts';

/** Wide enough for `violated O10` and for `holds` with its states. */
const PROFILE_WIDTH = 14;
/** Twins have at least this much room, */
const LEAST_TWINS = 18;
/** and where there is more than this, the rest says what the scenario is about, */
const MOST_TWINS = 36;
/** unless that is too little for it. */
const LEAST_TITLE = 36;

interface Cell {
  readonly planned: PlannedCell;
  readonly result: CellResult;
}

/** The table. */
export class Overview {
  readonly #profiles: readonly string[];
  readonly #table: Table;
  readonly #twinsWidth: number;
  readonly #withTitle: boolean;
  readonly #terminal: Terminal;

  constructor(cells: readonly PlannedCell[], terminal: Terminal) {
    this.#terminal = terminal;
    this.#profiles = [...new Set(cells.map((cell) => cell.profile))];
    const columns: Column[] = [
      {
        head: 'scenario',
        width: Math.max(...cells.filter((cell) => cell.twinOf === undefined).map((cell) => cell.id.length)),
      },
      ...this.#profiles.map((profile) => ({ head: profile, width: Math.max(PROFILE_WIDTH, profile.length) })),
    ];
    const room = terminal.columns - Table.width(columns) - 2;
    const title = room - MOST_TWINS - 2;
    this.#withTitle = title >= LEAST_TITLE;
    this.#twinsWidth = this.#withTitle ? MOST_TWINS : Math.max(LEAST_TWINS, room);
    columns.push({ head: 'wrong twins', width: this.#twinsWidth });
    if (this.#withTitle) columns.push({ head: 'what', width: title });
    this.#table = new Table(columns, terminal.paint);
  }

  /** The titles of the columns. */
  head(): string {
    return this.#table.head();
  }

  /** A scenario with its twins. */
  row(cells: readonly Cell[]): string {
    const own = cells.filter(({ planned }) => planned.twinOf === undefined);
    const twins = cells.filter(({ planned }) => planned.twinOf !== undefined);
    return this.#table.row([
      own[0]?.planned.id ?? '',
      ...this.#profiles.map((profile) => this.#verdict(own.find(({ planned }) => planned.profile === profile)?.result)),
      this.#twins(twins),
      ...(this.#withTitle ? [this.#terminal.paint.dim(own[0]?.planned.title ?? '')] : []),
    ]);
  }

  #verdict(result: CellResult | undefined): string {
    const { paint } = this.#terminal;
    if (result === undefined) return paint.dim('-');
    const text = verdictText(result);
    if (!result.ok) return paint.red(`! ${text}`);
    return (
      (result.verdict === 'incomplete' ? paint.yellow : paint.green)(text) +
      paint.dim(number(result.states ?? 0).padStart(PROFILE_WIDTH - text.length))
    );
  }

  /** `naive O10, dec-first O10`, or just the oracles. */
  #twins(twins: readonly Cell[]): string {
    const { paint } = this.#terminal;
    const wrong = twins.filter(({ result }) => !result.ok);
    if (wrong.length > 0)
      return paint.red(`! ${wrong.map(({ planned, result }) => `${planned.id} ${result.verdict}`).join(', ')}`);
    const refuted = new Map<string, Set<string>>();
    for (const { planned, result } of twins) {
      const name = planned.id.replace(/^.*\//, '');
      refuted.set(name, (refuted.get(name) ?? new Set()).add(result.oracle ?? '?'));
    }
    const named = [...refuted].map(([name, oracles]) => `${name} ${[...oracles].join('/')}`).join(', ');
    if (named.length <= this.#twinsWidth) return named;
    const oracles = `${refuted.size} refuted: ${[...new Set(twins.map(({ result }) => result.oracle))].join(', ')}`;
    return oracles.length <= this.#twinsWidth ? oracles : `${refuted.size} refuted`;
  }
}
