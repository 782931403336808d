/**
 * Shard: a part of a run, `2/4`. Groups are dealt out, the longest first, each to the part that has least by then; who plans the same run
 * deals the same. How long a group is, is what the suite was measured at once (long-groups.ts), on no matter which machine.
 */
import { groupOf } from '@mmu-gather/conformance/report';
import type { Group } from './groups.ts';
import { LONG_GROUPS, SHORT_GROUP } from './long-groups.ts';
import type { PlannedCell } from './request.ts';

/** Which part of how many. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

/** A step under weak takes about so many times what it takes under TSO or SC. */
const WEAK = 2;

/** The groups of a part, in their order. */
export function dealt(cells: readonly PlannedCell[], groups: readonly Group[], shard: Shard | undefined): Group[] {
  if (shard === undefined) return [...groups];
  const sizes = new Float64Array(shard.count);
  const own = new Set<Group>();
  const weighed = groups.map((group) => ({ group, weight: weightOf(cells[group[0]!]!) }));
  for (const { group, weight } of weighed.toSorted((a, b) => b.weight - a.weight)) {
    const least = sizes.indexOf(Math.min(...sizes));
    sizes[least]! += weight;
    if (least === shard.index - 1) own.add(group);
  }
  return groups.filter((group) => own.has(group));
}

/** What a group takes, in any unit. */
export function weightOf(cell: PlannedCell): number {
  return (LONG_GROUPS[groupOf(cell)] ?? SHORT_GROUP) * (cell.memoryModel === 'weak' ? WEAK : 1);
}
