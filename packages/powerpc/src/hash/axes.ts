/** The values of every switch of the hash MMU. */
import { type Axes, axis, COUNT } from '@mmu-gather/core/stepped';
import type { HashSwitches } from './profiles.ts';

/** Values of the switches. */
export const HASH_AXES: Axes<HashSwitches> = {
  contexts: COUNT,
  groups: COUNT,
  slots: COUNT,
  batch: COUNT,
  platform: axis(['native', 'lpar']),
  tlbieLock: axis([false, true]),
  lazyPreemption: axis([false], [true]),
  switchDrains: axis([true, false]),
  drainAt: axis(['leave'], ['gather']),
  localRead: axis(['after-hpte'], ['before-hpte', 'at-queue']),
  tlbiel: axis(['if-local', 'never'], ['always']),
  tlbieOrder: axis(['after-hpte'], ['before-hpte']),
  tlbieOnMiss: axis([true], [false]),
  tlbsync: axis([true], [false]),
  hpteFlush: axis([true], [false]),
  busy: axis(['waits'], ['ignored']),
  insertOrder: axis(['r-first'], ['v-first']),
  preload: axis([true, false]),
  arrivalFence: axis([true], [false]),
};
