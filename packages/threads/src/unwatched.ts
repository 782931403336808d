/**
 * Nobody watches: what a machine without oracles has in their place.
 */
import type { Claims } from '@mmu-gather/core';
import type { Watcher } from './mmu.ts';

function nothing(): void {}
function none(): number {
  return 0;
}

/** Asks for nothing. */
export const UNWATCHED: Watcher = {
  tableCanary: none,
  tableRead: nothing,
  frameCanary: none,
  dirtied: nothing,
  tagKept: nothing,
};

/** Checks nothing. */
export const UNCLAIMED: Claims = {
  limit: nothing,
  clean: nothing,
  stable: nothing,
  that: nothing,
  settled: nothing,
  observed: nothing,
  finished: nothing,
  changing: nothing,
  caughtUp: nothing,
  moved: nothing,
  reassigned: nothing,
  held: nothing,
  irqsOff: nothing,
};
