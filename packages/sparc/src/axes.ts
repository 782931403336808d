/**
 * The values of every sparc64 switch: what holds, and what some scenario refutes (profiles.ts says why).
 */
import { type Axes, axis, COUNT } from '@mmu-gather/core/stepped';
import type { Sparc64Switches } from './profiles.ts';

/** Values of the switches. */
export const SPARC64_AXES: Axes<Sparc64Switches> = {
  contexts: COUNT,
  tsbEntries: COUNT,
  tsbMaxEntries: COUNT,
  hugeTsbEntries: COUNT,
  tsbs: COUNT,
  batchNr: COUNT,
  demaps: axis(['data', 'both']),
  lazyMmuPreemption: axis([false], [true]),
  flushOrder: axis(['tsb-first'], ['tlb-first']),
  invalidContext: axis(['tsb'], ['nothing']),
  maskRead: axis(['after-tsb'], ['before-tsb']),
  trimMask: axis(['never'], ['single-user']),
  waitForIpis: axis([true], [false]),
  localDemap: axis([true], [false]),
  crossCall: axis([true], [false]),
  windowTraps: axis([false, true]),
  singlePage: axis(['accepted', 'taken']),
  execBit: axis([true], [false]),
  hugeHalves: axis(['both'], ['first']),
  pmdScan: axis([true], [false]),
  recheckPte: axis([true], [false]),
  growFlush: axis(['both'], ['new-only']),
  oldTsbFree: axis(['after-sync'], ['before-sync']),
  firstRunDemap: axis([true], [false]),
  arrival: axis(['locked'], ['unlocked']),
  secondaryFirst: axis([true], [false]),
  wrapOrder: axis(['version-first'], ['slots-first']),
  wrapFence: axis([true], [false]),
  wrapKeeps: axis([true], [false]),
  maskCleared: axis([true], [false]),
  numberFreed: axis(['if-current', 'at-wrap'], ['always']),
};
