/**
 * Costs: what each cell took when it was last run on this machine. They decide which groups threads begin with, and how long the rest
 * will take. A run of which something was never measured has no estimate.
 *
 * Kept in the user's cache folder; nothing that is reported depends on it.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Group } from './groups.ts';
import type { PlannedCell, Request } from './request.ts';
import { weightOf } from './shard.ts';

/** Runs that are shorter, in milliseconds, are not remembered: they need no estimate. */
const WORTH = 10_000;
/** That much measured work weighs as much as what was measured before, in milliseconds. */
const WEIGHT = 1_000;

/** A thousand steps take so many milliseconds; measured once, on a busy machine: only the order depends on it. */
const STEPS = 18;

/** Milliseconds by cell. */
type Table = Readonly<Record<string, number>>;

/** What the cells of one run take. */
export class Costs {
  readonly #cells: readonly PlannedCell[];
  readonly #keys: readonly string[];
  readonly #before: Table;
  readonly #now = new Map<number, number>();
  readonly #begun = new Map<number, number>();

  /** @param cells all of the run's plan */
  constructor(cells: readonly PlannedCell[], run: Request['run'], before: Table = read()) {
    const { width: _width, full: _full, ...options } = run;
    const how = JSON.stringify(options);
    this.#keys = cells.map(({ id, arch, profile, memoryModel }) => `${id}@${arch}@${profile}@${memoryModel}${how}`);
    this.#cells = cells;
    this.#before = before;
  }

  /** What a group took; where something of it was never measured, what its steps say, in much the same unit. */
  of(group: Group): number {
    const known = group.map((cell) => this.#before[this.#keys[cell]!]);
    return known.includes(undefined) ? STEPS * weightOf(this.#cells[group[0]!]!) : sum(known);
  }

  /** A cell begins. */
  began(cell: number): void {
    if (!this.#begun.has(cell)) this.#begun.set(cell, performance.now());
  }

  /** A cell took so many milliseconds. */
  took(cell: number, milliseconds: number): void {
    this.#now.set(cell, milliseconds);
  }

  /** Milliseconds that the rest will take; undefined if something of it was never measured, or takes longer than it did. */
  left(rest: readonly number[], jobs: number): number | undefined {
    let total = 0;
    let longest = 0;
    for (const cell of rest) {
      const known = this.#before[this.#keys[cell]!];
      if (known === undefined) return undefined;
      const begun = this.#begun.get(cell);
      const open = known * this.#pace() - (begun === undefined ? 0 : performance.now() - begun);
      if (begun !== undefined && open < 0) return undefined;
      total += open;
      longest = Math.max(longest, open);
    }
    return Math.max(longest, total / jobs);
  }

  /** Remembers what was measured, if the run was long enough. Where there is no cache folder to write to, it is forgotten. */
  keep(milliseconds: number): void {
    if (milliseconds < WORTH) return;
    const measured = [...this.#now].map(([cell, took]) => [this.#keys[cell]!, Math.round(took)]);
    const table = { ...read(), ...Object.fromEntries(measured) };
    const temporary = `${path()}.${process.pid}`;
    try {
      mkdirSync(dirname(temporary), { recursive: true });
      writeFileSync(temporary, JSON.stringify(table));
      renameSync(temporary, path());
    } catch {}
  }

  /** How much longer than before cells take now. */
  #pace(): number {
    let [now, before] = [WEIGHT, WEIGHT];
    for (const [cell, took] of this.#now) {
      const known = this.#before[this.#keys[cell]!];
      if (known === undefined) continue;
      now += took;
      before += known;
    }
    return now / before;
  }
}

function sum(values: readonly (number | undefined)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}

function path(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'mmu-gather', 'costs.json');
}

function read(): Table {
  try {
    return JSON.parse(readFileSync(path(), 'utf8')) as Table;
  } catch {
    return {};
  }
}
