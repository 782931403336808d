/**
 * The values of every arm64 switch; "right" holds in the kernels and on the CPUs that have it (profiles.ts).
 */
import { type Axes, axis, COUNT } from '@mmu-gather/core/stepped';
import type { Arm64Switches } from './profiles.ts';

/** Values of the switches. */
export const ARM64_AXES: Axes<Arm64Switches> = {
  asids: COUNT,
  tlbRange: axis([true, false]),
  rangeNumBits: COUNT,
  rangeScales: COUNT,
  ttl: axis([true, false]),
  hafdbs: axis([true, false]),
  ets2: axis([false, true]),
  kpti: axis([false, true]),
  contPtes: COUNT,
  bbml2: axis([false, true]),
  maxDvmOps: COUNT,
  barrierBefore: axis(['ishst'], ['none']),
  barrierAfter: axis(['ish'], ['none']),
  kernelBarrierAfter: axis(['ish'], ['none']),
  shareability: axis(['inner'], ['local']),
  asidRead: axis(['after-barrier'], ['before-barrier']),
  rangeNum: axis(['clamped'], ['masked']),
  rangeDropsWalks: axis([true], [false]),
  kptiUserTlbi: axis([true], [false]),
  repeatTlbi: axis(['none', 'each', 'sync']),
  localFlush: axis(['off', 'active-cpu', 'reset'], ['unordered', 'reset-late']),
  activeCpuLook: axis(['ish', 'ishst']),
  activeCpuBarrier: axis([true], [false]),
  freedTablesDropWalks: axis([true], [false]),
  levelHint: axis(['single'], ['lowest']),
  fullmmFlush: axis(['skip', 'always']),
  activeAsidUpdate: axis(['cmpxchg'], ['xchg']),
  reserveActive: axis([true], [false]),
  reservedUpdate: axis(['all'], ['first']),
  keepPinned: axis([true], [false]),
  rolloverFlush: axis([true], [false]),
  switchToBarrier: axis([true], [false]),
  leaveReachesLazy: axis([true], [false]),
  leaveWaits: axis([true], [false]),
  tlbbatch: axis([false, true]),
  batchedPendingFlush: axis(['flush-mm'], ['dsb']),
  accessibleRule: axis(['valid'], ['young']),
  needsFlushRule: axis(['always', 'valid-change']),
  contpteConvert: axis(['break-before-make', 'no-flush'], ['in-place']),
  accessFlagsFlush: axis(['broadcast', 'local'], ['none']),
};
