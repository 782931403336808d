/**
 * powerpc with the radix MMU as the suite uses it.
 */
import { powerpcRadix, RADIX_AXES, RADIX_PROFILES, type RadixSwitches } from '@mmu-gather/powerpc/stepped';
import { type Architecture, switchesById } from '../architecture.ts';

/**
 * Small enough to be explored: few PIDs, of which each that is free is taken again at once; one set, no errata, which repeat what was done. A
 * ceiling of one page, so that ranges and whole PIDs both occur.
 */
const EXPLORED: Partial<RadixSwitches> = { pids: 6, tlbSets: 1, errata: 'none', ceiling: 1, localCeiling: 2 };

/** powerpc with the radix MMU, with the switches of each kernel version. */
export const POWERPC_RADIX: Architecture = {
  id: 'powerpc-radix',
  kernels: switchesById(RADIX_PROFILES),
  explored: { ...EXPLORED },
  config: { tableFree: 'rcu', ptReclaim: false, tableRemoveOne: 'ipi-sync' },
  axes: RADIX_AXES,
  wrongs: {
    'no-wait': { tlbsync: false, waitForIpis: false },
    'kernel-no-wait': { kernelTlbsync: false },
    'leave-no-wait': { waitForIpis: false },
    'others-only': { tlbie: false, multicastSelf: false },
    'self-only': { reach: 'self' },
    'targets-first': { typeRead: 'before-clear' },
    'arrival-unordered': { switchFence: false },
    'walks-kept': { gatherPwc: false, teardownRic: 0 },
    'range-keeps-walks': { rangePwc: false, collapsePwc: false },
    'leave-skips-lazy': { leaveReachesLazy: false },
    'tag-reused': { teardownRic: 0 },
    'tag-comes-round': { pidAlloc: 'shared', leaveFlushes: false },
  },
  skips: [],
  mends: {},
  backend: (switches) => powerpcRadix(switches as unknown as RadixSwitches),
};
