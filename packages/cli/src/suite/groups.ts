/**
 * Groups: cells that may share a search belong together, on one thread and in one shard; so however a run is spread, its results are
 * those of one thread.
 */
import { groupOf } from '@mmu-gather/conformance/report';
import type { PlannedCell } from './request.ts';

/** Numbers of cells, in their order. */
export type Group = readonly number[];

/** The groups of a plan, in the order of their first cells. */
export function groupsOf(cells: readonly PlannedCell[]): Group[] {
  const groups = new Map<string, number[]>();
  for (const [i, cell] of cells.entries()) {
    const key = groupOf(cell);
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  return [...groups.values()];
}

/** Groups that wait for a thread. */
export class Queue {
  readonly #waiting: { readonly group: Group; readonly cost: number }[];
  readonly #jobs: number;
  #cost = 0;

  /** @param cost what a group takes, in any unit: it decides the order alone */
  constructor(groups: readonly Group[], jobs: number, cost: (group: Group) => number) {
    this.#jobs = jobs;
    this.#waiting = groups.map((group) => ({ group, cost: cost(group) }));
    for (const waiting of this.#waiting) this.#cost += waiting.cost;
  }

  /** Number of groups. */
  get length(): number {
    return this.#waiting.length;
  }

  /**
   * The next one: the first, so that results come in their order, unless one is so long that the other threads would run out of work
   * before it is done.
   */
  take(): Group | undefined {
    let longest = 0;
    for (const [i, { cost }] of this.#waiting.entries()) if (cost > this.#waiting[longest]!.cost) longest = i;
    const isLong = this.#jobs > 1 && (this.#waiting[longest]?.cost ?? 0) * this.#jobs >= this.#cost;
    const [next] = this.#waiting.splice(isLong ? longest : 0, 1);
    if (next === undefined) return undefined;
    this.#cost -= next.cost;
    return next.group;
  }

  /** Nothing more is to be taken. */
  clear(): void {
    this.#waiting.length = 0;
  }
}
