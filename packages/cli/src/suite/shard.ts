/**
 * Shard: a part of a run, `2/4`. The groups of a plan are dealt out in turn, so that neighbours, which are about as large, go to
 * different parts; who plans the same run deals the same.
 */
import type { Group } from './groups.ts';

/** Which part of how many. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

/** The groups of a part. */
export function dealt(groups: readonly Group[], shard: Shard | undefined): Group[] {
  if (shard === undefined) return [...groups];
  return groups.filter((_, i) => i % shard.count === shard.index - 1);
}
