/**
 * The values of every s390 switch: what holds, and what some scenario refutes (profiles.ts says why).
 */
import { type Axes, axis, COUNT } from '@mmu-gather/core/stepped';
import type { S390Switches } from './profiles.ts';

/** Values of the switches. */
export const S390_AXES: Axes<S390Switches> = {
  asces: COUNT,
  tlbLc: axis([true, false]),
  idte: axis([true, false]),
  rdp: axis([true, false]),
  era: axis(['E3', 'E1'], ['E0', 'E2']),
  attachRepair: axis(['test-attach', 'wait-twice'], ['none', 'mask-twice']),
  atomicFence: axis(['full'], ['none']),
  attachBit: axis(['before-wait'], ['after-wait']),
  detachBit: axis(['after-load'], ['before-load']),
  invalidBetween: axis([true], [false]),
  attachWait: axis([true], [false]),
  attachPays: axis([true], [false]),
  lazyFlush: axis([true, false]),
  globalPurge: axis(['everywhere'], ['here']),
  maskCopy: axis(['before-purge'], ['after-purge']),
  debtClear: axis(['locked'], ['purge-first', 'flag-first']),
  debtOrder: axis(['after-entry'], ['before-entry']),
  clearYoung: axis(['direct'], ['lazy']),
  payCounts: axis([true], [false]),
  payDebt: axis([true], [false]),
  tableDebt: axis([true], [false]),
  tableIdte: axis(['all'], ['leaves']),
  kernelFlush: axis(['everywhere'], ['local']),
  flushTlbAll: axis(['idte'], ['empty']),
  gather: axis(['none', 'generic']),
  lazyMmu: axis(['none', 'v6']),
  upgradeWaits: axis([true], [false]),
  upgradePtlb: axis([true], [false]),
  leaveReachesLazy: axis([true], [false]),
  leaveWaits: axis([true], [false]),
};
