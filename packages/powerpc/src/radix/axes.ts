/**
 * The values of every radix switch. For each, "right" holds in the kernels that have it, together with the switches that they have beside it;
 * what is wrong on some machines only stands with the wrong ones (profiles.ts).
 */
import { type Axes, axis, COUNT } from '@mmu-gather/core/stepped';
import type { RadixSwitches } from './profiles.ts';

/** Values of the switches. */
export const RADIX_AXES: Axes<RadixSwitches> = {
  pids: COUNT,
  isa31: axis([false, true]),
  keepsNarrower: axis([false], [true]),
  tlbSets: COUNT,
  errata: axis(['none', 'stq', 'erat', 'both']),
  gtse: axis([true, false]),
  tlbie: axis([true, false]),
  ceiling: COUNT,
  localCeiling: COUNT,
  trimTimer: COUNT,
  noneType: axis([false, true]),
  rangePwc: axis([true], [false]),
  lazyTlb: axis(['refcount', 'shootdown'], ['forgotten']),
  collapseSerializes: axis([true, false]),
  needsFlushRule: axis(['always', '6.1']),
  trimBits: axis(['target'], ['initiator']),
  offlineLeaves: axis([true], [false]),
  switchFence: axis([true], [false]),
  flushFence: axis([true], [false]),
  typeRead: axis(['after-clear'], ['before-clear']),
  reach: axis(['needed'], ['self']),
  ptesync: axis([true], [false]),
  tlbsync: axis([true], [false]),
  kernelTlbsync: axis([true], [false]),
  waitForIpis: axis([true], [false]),
  ownPart: axis([true], [false]),
  fixups: axis([true], [false]),
  gatherPwc: axis([true], [false]),
  teardownRic: COUNT,
  prtbCleared: axis(['before-flush'], ['after-flush']),
  leaveFlushes: axis([true], [false]),
  collapseFlush: axis(['by-page-size', 'pages']),
  collapsePwc: axis([true], [false]),
  hugeZapFlush: axis([true], [false]),
  pidTurns: COUNT,
  leaveReachesLazy: axis([true], [false]),
  countCopros: axis([true], [false]),
  coproFlush: axis(['before-detach'], ['after-detach']),
  trimIrqsOff: axis(['throughout'], ['nowhere', 'switch']),
  pageSizeFlush: axis([true], [false]),
  trimLooks: axis([true], [false]),
  trimSwitches: axis([true], [false]),
};
