/**
 * The designs from the threads, each on the kernel that it was discussed for. Those that record deferrals need that all who defer use a
 * gather, and that the backend publishes what is completed.
 */
import { AGGRESSIVE, type Switches } from '@mmu-gather/core/stepped';
import {
  DEFERRALS_ARE_SCANNED,
  DEFERRED_FURTHER,
  OTHERS_ARE_AWAITED,
  RAISED_BEFORE_FLUSH,
  RANGES_ARE_FOLDED,
} from './mends.ts';
import type { ProfileSpec } from './spec.ts';

/** Everybody who defers does so through a gather, which settles what reclaim has deferred (RFC 13). */
const ALL_GATHER: Partial<Switches> = {
  changeProtection: 'gather',
  clearRefs: 'gather',
  dirtyHelpers: 'gather',
  helpersSettle: true,
};

/** In the order of the threads. */
export const DESIGNS: readonly ProfileSpec[] = [
  {
    id: 'sync-finish',
    title: 'a finish waits for the gathers that were open when it began',
    source: 'P. Zijlstra, linux-mm, 9 to 13 May 2019, in an epoch form',
    kernel: 'linux-5.11',
    switches: { finishSync: 'epoch' },
    backend: {},
    mends: OTHERS_ARE_AWAITED,
  },
  {
    id: 'async-queue',
    title: 'pending flushes are recorded in the table; who meets one flushes',
    source: 'A. Lutomirski, linux-mm, 23 December 2020',
    kernel: 'linux-5.11',
    switches: { ...ALL_GATHER, deferral: 'queue', wpFaultPending: 'all' },
    backend: { x86: { completedGen: 'after-flush' } },
    mends: RAISED_BEFORE_FLUSH,
  },
  {
    id: 'flush-ring',
    title: 'a ring of ranges for each mm, by generation',
    source: 'A. Lutomirski, linux-mm, 1 February 2021',
    kernel: 'linux-5.11',
    switches: { ...ALL_GATHER, deferral: 'ring', ringSlots: 4 },
    backend: { x86: { completedGen: 'after-flush' } },
    mends: { ...RAISED_BEFORE_FLUSH, ...RANGES_ARE_FOLDED },
  },
  {
    id: 'aggressive',
    title: 'defers as far as the oracles allow: a ring, nested finishes by range, nothing flushed twice',
    source: 'this project, after what the RFC of 2021 said it would enable',
    kernel: 'linux-6.18',
    switches: AGGRESSIVE,
    backend: { x86: { completedGen: 'after-flush', needsFlushRule: 'rfc' } },
    mends: { ...DEFERRALS_ARE_SCANNED, ...RANGES_ARE_FOLDED, ...DEFERRED_FURTHER },
  },
];
