/**
 * Messages: the writes of each cell that some CPU may still read, and what they carry.
 *
 *     older messages, oldest first: value, view, mark        the newest: view, mark (its value is the word in the arena)        reads
 *
 * `view` is what stands before the write; `reads`, what stands before loads of this cell that were performed so far: the next
 * write comes after them (from-read). A cell of which everybody knows everything has the number 0: an empty list.
 */
import type { Cell } from '@mmu-gather/core/stepped';
import type { State } from '../state.ts';
import { Lists } from './lists.ts';
import { EMPTY_VIEW, type View, type Views } from './views.ts';

/** Words of an older message. */
const OLDER = 3;
/** Words behind the older ones. */
const REST = 3;

/** Marks of a message: who wrote it (0: before the run), and how. */
export const PLAIN = 1;
/** It is the store of a read-modify-write. */
export const RMW = 2;
const WRITER = 4;

/** The mark of a write by a CPU. */
export function markOf(cpu: number, how: number): number {
  return (cpu + 1) * WRITER + how;
}

/** The CPU that wrote a message; -1 if none did. */
export function writerOf(mark: number): number {
  return Math.floor(mark / WRITER) - 1;
}

/** A write that can be read. */
export interface Message {
  /** What it wrote. */
  readonly value: number;
  /** What stands before it. */
  readonly view: View;
  /** Who wrote it and how. */
  readonly mark: number;
}

/** Is what stands there a view? */
function isView(place: number, length: number): boolean {
  const older = length - REST;
  return place < older ? place % OLDER === 1 : place !== older + 1;
}

/** The messages of all cells. */
export class Messages {
  readonly #state: State;
  readonly #views: Views;
  /** Those of one cell are a list. */
  readonly #lists: Lists;
  readonly #base: number;

  /** Words that so many cells need: one each, and the list of the cells that have something to say. */
  static words(cells: number): number {
    return 1 + cells;
  }

  constructor(state: State, views: Views, base: number) {
    this.#state = state;
    this.#views = views;
    this.#lists = new Lists(views.lists, isView);
    this.#base = base;
  }

  /** The cells with more than one message, or of whose message not everybody knows everything. */
  get open(): Int32Array {
    return this.#views.lists.of(this.#state.words[this.#base]!);
  }

  /** Number of the newest message of a cell; the oldest is 0. */
  newest(cell: Cell): number {
    const list = this.#list(cell);
    return list.length === 0 ? 0 : (list.length - REST) / OLDER;
  }

  /** The mark of the newest message of a cell. */
  mark(cell: Cell): number {
    const list = this.#list(cell);
    return list.length === 0 ? 0 : list[list.length - REST + 1]!;
  }

  /** A message of a cell. */
  at(cell: Cell, index: number): Message {
    const list = this.#list(cell);
    const newest = this.newest(cell);
    const value = this.#state.words[cell]!;
    if (index >= newest)
      return { value, view: list[OLDER * newest] ?? EMPTY_VIEW, mark: list[OLDER * newest + 1] ?? 0 };
    return { value: list[OLDER * index]!, view: list[OLDER * index + 1]!, mark: list[OLDER * index + 2]! };
  }

  /** What stands before the loads of a cell so far. */
  reads(cell: Cell): View {
    const list = this.#list(cell);
    return list.length === 0 ? EMPTY_VIEW : list[list.length - 1]!;
  }

  /**
   * A new message of a cell, before its value is stored.
   * @param keep the older ones can be read; if not, there is one older message that stands for all of them, and nobody may read it
   */
  append(cell: Cell, view: View, mark: number, keep: boolean): void {
    const list = this.#list(cell);
    const newest = this.newest(cell);
    const next = keep ? Array.from(list.subarray(0, OLDER * newest)) : [];
    if (keep) next.push(this.#state.words[cell]!, list[OLDER * newest] ?? EMPTY_VIEW, list[OLDER * newest + 1] ?? 0);
    else next.push(0, EMPTY_VIEW, 0);
    next.push(view, mark, EMPTY_VIEW);
    this.#set(cell, next);
  }

  /** The newest message is the only one, and carries a view: for cells that are never read but by who writes them. */
  replace(cell: Cell, view: View): void {
    this.#set(cell, [view, 0, EMPTY_VIEW]);
  }

  /** A load of a message of a cell: what stands before it stands before all newer ones, and those to come. */
  readBefore(cell: Cell, index: number, view: View): void {
    this.#change(cell, (old, message) => (message > index ? this.#views.join(old, view) : old), 0);
  }

  /** Everybody knows everything. */
  reset(): void {
    for (const cell of this.open) this.#set(cell, [EMPTY_VIEW, 0, EMPTY_VIEW]);
  }

  /** Changes all views that messages carry. @param drops how many of the oldest messages of a cell go */
  rewrite(change: (view: View) => View, drops?: ReadonlyMap<Cell, number>): void {
    for (const cell of this.open) this.#change(cell, change, drops?.get(cell) ?? 0);
  }

  /** Who wrote messages of a cell, none of them plain, is of no interest any more where `forgets` says so of the CPU. */
  forgetWriters(cell: Cell, forgets: (cpu: number) => boolean): void {
    const list = this.#list(cell);
    const newest = this.newest(cell);
    let next: number[] | undefined;
    for (let i = 0; i <= newest; i++) {
      const at = i === newest ? OLDER * i + 1 : OLDER * i + 2;
      const mark = list[at] ?? 0;
      if (mark === 0 || (mark & PLAIN) !== 0 || !forgets(writerOf(mark))) continue;
      next ??= Array.from(list);
      next[at] = 0;
    }
    if (next !== undefined) this.#set(cell, next);
  }

  /** @param change is given a view and the number of its message; of the loads, one more than the newest has */
  #change(cell: Cell, change: (view: View, message: number) => View, drop: number): void {
    const list = this.#list(cell);
    const newest = this.newest(cell);
    const rest = OLDER * newest;
    const next: number[] = [];
    for (let i = drop; i < newest; i++)
      next.push(list[OLDER * i]!, change(list[OLDER * i + 1]!, i), list[OLDER * i + 2]!);
    next.push(
      change(list[rest] ?? EMPTY_VIEW, newest),
      list[rest + 1] ?? 0,
      change(list[rest + 2] ?? EMPTY_VIEW, newest + 1),
    );
    if (drop > 0 || next.some((word, i) => word !== (list[i] ?? 0))) this.#set(cell, next);
  }

  #set(cell: Cell, list: number[]): void {
    // Of a message that everybody knows all about, nobody asks who wrote it.
    if (list.length === REST && list[0] === EMPTY_VIEW) list[1] = 0;
    const closed = list.length === REST && list[0] === EMPTY_VIEW && list[2] === EMPTY_VIEW;
    const at = this.#base + 1 + cell;
    const opens = this.#state.words[at] === 0;
    this.#put(at, this.#lists, closed ? 0 : this.#lists.number(list));
    if (opens !== closed) this.#turn(cell);
  }

  /** An open cell is closed, or a closed one opens. */
  #turn(cell: Cell): void {
    const now: number[] = [];
    let stands = false;
    for (const other of this.open) {
      if (other > cell && !stands) now.push(cell);
      stands ||= other >= cell;
      if (other !== cell) now.push(other);
    }
    if (!stands) now.push(cell);
    this.#put(this.#base, this.#views.lists, this.#views.lists.number(now));
  }

  #put(at: number, lists: Lists, number: number): void {
    this.#state.setHashed(at, number, lists.hash(this.#state.words[at]!), lists.hash(number));
  }

  #list(cell: Cell): Int32Array {
    return this.#lists.of(this.#state.words[this.#base + 1 + cell]!);
  }
}
