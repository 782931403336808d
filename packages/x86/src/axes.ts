/**
 * The values of every x86 switch. For each switch, "right" holds in the kernels that have it, together with the switches that they
 * have beside it; a value that is right only with another switch says so in its docstring (profiles.ts).
 */
import { type Axes, axis, COUNT } from '@mmu-gather/core/stepped';
import type { X86Switches } from './profiles.ts';

/** Values of the switches. */
export const X86_AXES: Axes<X86Switches> = {
  dynAsids: COUNT,
  pcid: axis([true, false]),
  ceiling: COUNT,
  ctxIdSpace: COUNT,
  hz: COUNT,
  switchingMark: axis(['after-choice', 'before-generation'], ['never']),
  setOwnBit: axis(['always', 'if-clear'], ['unlocked']),
  fenceIfBitSet: axis([true], [false]),
  clearPrevBit: axis([true, false]),
  lazyExitCheck: axis([true], [false]),
  flushReusedSlot: axis([true], [false]),
  flushOrder: axis(['local-first', 'overlapped']),
  targets: axis(['not-lazy', 'loaded']),
  switchingIsTarget: axis([true], [false]),
  freedTablesReachLazy: axis([true], [false]),
  leaveReachesLazy: axis([true], [false]),
  rangeFreesTables: axis([true], [false]),
  trimCpumask: axis([false, true]),
  maskRead: axis(['after-generation'], ['before-generation']),
  incGeneration: axis(['locked'], ['unlocked']),
  localFlush: axis([true], [false]),
  waitForIpis: axis([true], [false]),
  shootdown: axis(['ipi', 'broadcast']),
  tlbsync: axis([true], [false]),
  wrongMm: axis(['ignore', 'leave-mask']),
  staleRequest: axis(['compare', 'silent'], ['silent-always']),
  gapRule: axis([true], [false]),
  needsFlushRule: axis(['5.19', 'rfc']),
  needFlushAll: axis(['honoured'], ['ignored']),
  gatherFlush: axis(['own', 'generic']),
  completedGen: axis(['none', 'after-flush'], ['before-flush']),
};
