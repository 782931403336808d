/**
 * The values of every RISC-V switch; "right" holds in the kernels and on the harts that have it (profiles.ts).
 */
import { type Axes, axis, COUNT } from '@mmu-gather/core/stepped';
import type { RiscvSwitches } from './profiles.ts';

/** Values of the switches. */
export const RISCV_AXES: Axes<RiscvSwitches> = {
  asids: COUNT,
  svadu: axis([true, false]),
  cachesInvalid: axis(['leaves', 'never', 'all']),
  rfence: axis(['sbi', 'ipi']),
  waitForIpis: axis([true], [false]),
  reach: axis(['all'], ['self', 'others']),
  flushFence: axis([true], [false]),
  threshold: COUNT,
  hugeStride: axis([false, true]),
  gatherFlush: axis(['mm', 'range']),
  tablesFlushMm: axis([true], [false]),
  collapseFlush: axis(['mm'], ['range']),
  leaveReachesLazy: axis([true], [false]),
  asidAllocator: axis([false, true]),
  arrival: axis(['mask-first'], ['satp-first']),
  arrivalFence: axis([true], [false]),
  stickyMask: axis([true], [false]),
  reserveActive: axis([true], [false]),
  rolloverFlush: axis([true], [false]),
  userFlush: axis(['at-once', 'deferred']),
  deferQueue: COUNT,
  deferFlusherFence: axis([true], [false]),
  deferSwitcherFence: axis([true], [false]),
  deferRecheck: axis([true], [false]),
  drain: axis(['after-satp', 'before-satp']),
  deferTables: axis([true, false]),
  tlbbatch: axis([false, true]),
  newMapping: axis(['fence', 'spurious'], ['never']),
};
