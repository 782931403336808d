/**
 * powerpc with the hash MMU as the suite uses it.
 */
import { HASH_AXES, HASH_PROFILES, type HashSwitches, powerpcHash } from '@mmu-gather/powerpc/stepped';
import { type Architecture, switchesById } from '../architecture.ts';

/**
 * Small enough to be explored: a table in which a page finds its first group free, and batches of two. `localRead` is mended: as in Linux it
 * is the subject of `powerpc-hash/local-arrival`.
 */
const EXPLORED: Partial<HashSwitches> = { contexts: 5, groups: 16, slots: 2, batch: 2, localRead: 'after-hpte' };

/** powerpc with the hash MMU, with the switches of each kernel version. */
export const POWERPC_HASH: Architecture = {
  id: 'powerpc-hash',
  kernels: switchesById(HASH_PROFILES),
  explored: { ...EXPLORED },
  config: { tableFree: 'rcu', ptReclaim: false, tableRemoveOne: 'ipi-sync' },
  axes: HASH_AXES,
  wrongs: {
    'no-wait': { tlbsync: false },
    'kernel-no-wait': { tlbsync: false },
    'targets-first': { localRead: 'before-hpte' },
    'arrival-unordered': { arrivalFence: false },
    'self-only': { hpteFlush: false },
  },
  skips: [],
  mends: {},
  backend: (switches) => powerpcHash(switches as unknown as HashSwitches),
};
