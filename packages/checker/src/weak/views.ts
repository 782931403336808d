/**
 * Views: what somebody knows of the messages of all cells.
 *
 * Messages of a cell are numbered in coherence order, from 0: the oldest that some CPU may still read. A view says for some cells
 * how new a message it knows of; of all others it knows nothing (0). It is a map from cell to number, and is itself known by its
 * number in {@link Lists}.
 *
 * All views are *closed*: who knows a message knows what its writer knew, for that stands before it.
 */
import type { Cell } from '@mmu-gather/core/stepped';
import { Lists } from './lists.ts';

/** The number of a view. */
export type View = number;

/** It knows nothing that not everybody knows. */
export const EMPTY_VIEW: View = 0;

/** Two views as one key. */
function pairOf(a: View, b: View): number {
  return a * 2 ** 26 + b;
}

/** Pairs that are remembered: few come again and again. */
const MOST = 2 ** 20;

/** What was made of pairs of views. */
class Pairs {
  readonly #made = new Map<number, View>();

  get(pair: number): View | undefined {
    return this.#made.get(pair);
  }

  set(pair: number, view: View): View {
    if (this.#made.size === MOST) this.#made.clear();
    this.#made.set(pair, view);
    return view;
  }
}

/** The views of one machine. */
export class Views {
  /** The lists that they are. */
  readonly lists: Lists = new Lists();
  /** Maps to views: what stands behind a key is the number of one. */
  readonly maps: Lists = new Lists(this.lists, (place) => place % 2 === 1);
  readonly #joins = new Pairs();
  readonly #meets = new Pairs();
  readonly #beyonds = new Pairs();

  /** The newest message of a cell that a view knows of. */
  at(view: View, cell: Cell): number {
    return view === EMPTY_VIEW ? 0 : this.lists.get(view, cell);
  }

  /** A view of one message. */
  of(cell: Cell, index: number): View {
    return index === 0 ? EMPTY_VIEW : this.lists.number([cell, index]);
  }

  /** What either of two knows. */
  join(a: View, b: View): View {
    if (a === b || b === EMPTY_VIEW) return a;
    if (a === EMPTY_VIEW) return b;
    const pair = a < b ? pairOf(a, b) : pairOf(b, a);
    return this.#joins.get(pair) ?? this.#joins.set(pair, this.#join(this.lists.of(a), this.lists.of(b)));
  }

  /** What any of some know. */
  joinAll(views: Iterable<View>): View {
    let all = EMPTY_VIEW;
    for (const view of views) all = this.join(all, view);
    return all;
  }

  /** What both of two know. */
  meet(a: View, b: View): View {
    if (a === b) return a;
    if (a === EMPTY_VIEW || b === EMPTY_VIEW) return EMPTY_VIEW;
    const pair = a < b ? pairOf(a, b) : pairOf(b, a);
    return (
      this.#meets.get(pair) ??
      this.#meets.set(
        pair,
        this.lists.map(a, (index, cell) => Math.min(index, this.at(b, cell))),
      )
    );
  }

  /** What a view knows beyond another one. */
  beyond(view: View, floor: View): View {
    if (view === EMPTY_VIEW || floor === EMPTY_VIEW) return view;
    if (view === floor) return EMPTY_VIEW;
    const pair = pairOf(view, floor);
    return (
      this.#beyonds.get(pair) ??
      this.#beyonds.set(
        pair,
        this.lists.map(view, (index, cell) => (index <= this.at(floor, cell) ? 0 : index)),
      )
    );
  }

  #join(a: Int32Array, b: Int32Array): View {
    const list: number[] = [];
    let i = 0;
    let j = 0;
    while (i < a.length || j < b.length) {
      if (j === b.length || (i < a.length && a[i]! < b[j]!)) {
        list.push(a[i]!, a[i + 1]!);
        i += 2;
      } else if (i === a.length || b[j]! < a[i]!) {
        list.push(b[j]!, b[j + 1]!);
        j += 2;
      } else {
        list.push(a[i]!, Math.max(a[i + 1]!, b[j + 1]!));
        i += 2;
        j += 2;
      }
    }
    return this.lists.number(list);
  }
}
