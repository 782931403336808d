/**
 * sparc64 as the suite uses it.
 */
import { sparc64, SPARC64_AXES, SPARC64_PROFILES, type Sparc64Switches } from '@mmu-gather/sparc/stepped';
import { type Architecture, switchesById } from '../architecture.ts';

/**
 * Small enough to be explored: context numbers that some scenarios use up, TSBs in which each page of the suite has a place of its own, so that
 * every CPU may hold all of them, and batches of two. Two races of all kernels are mended, for they would be in every scenario with a miss in
 * it: they have scenarios of their own (sparc64/tsb-reload, sparc64/tsb-grow).
 */
const EXPLORED: Partial<Sparc64Switches> = {
  contexts: 4,
  tsbEntries: 4,
  tsbMaxEntries: 4,
  hugeTsbEntries: 4,
  tsbs: 4,
  batchNr: 2,
  recheckPte: true,
  growFlush: 'both',
};

/** sparc64 with the switches of each kernel version. */
export const SPARC64: Architecture = {
  id: 'sparc64',
  kernels: switchesById(SPARC64_PROFILES),
  explored: { ...EXPLORED },
  config: { tableFree: 'rcu', ptReclaim: false, tableRemoveOne: 'ipi-sync', movePmd: 'entries' },
  axes: SPARC64_AXES,
  wrongs: {
    'no-wait': { waitForIpis: false },
    'kernel-no-wait': { waitForIpis: false },
    'leave-no-wait': { waitForIpis: false },
    'others-only': { localDemap: false },
    'self-only': { crossCall: false },
    'targets-first': { maskRead: 'before-tsb' },
    'arrival-unordered': { arrival: 'demap-first' },
    'tag-reused': { firstRunDemap: false },
  },
  skips: [],
  mends: {},
  backend: (switches) => sparc64(switches as unknown as Sparc64Switches),
};
