/**
 * powerpc with the radix MMU as the suite uses it.
 */
import { powerpcRadix, RADIX_AXES, RADIX_PROFILES, type RadixSwitches } from '@mmu-gather/powerpc/stepped';
import { type Architecture, type Skip, switchesById } from '../architecture.ts';
import type { Broken } from '../profiles/spec.ts';

/**
 * Small enough to be explored: few PIDs, of which each that is free is taken again at once; one set, no errata, which repeat what was done. A
 * ceiling of one page, so that ranges and whole PIDs both occur. `trimIrqsOff` is mended: as in Linux it is the subject of `powerpc-radix/trim-self`.
 */
const EXPLORED: Partial<RadixSwitches> = {
  pids: 6,
  tlbSets: 1,
  errata: 'none',
  ceiling: 1,
  localCeiling: 2,
  trimIrqsOff: 'throughout',
};

/** Scenarios that do not apply, for one reason. */
function skip(why: string, ...scenarios: readonly string[]): Skip[] {
  return scenarios.map((scenario) => ({ scenario, why }));
}

/** Twins that are right for one reason. */
function each(why: string, ...twins: readonly string[]): Record<string, string> {
  return Object.fromEntries(twins.map((twin) => [twin, why]));
}

/** mremap of whole tables, with the flush of a range as it was when mremap moved none on powerpc. */
const WHOLE_TABLES: Broken = {
  oracle: ['O7', 'O10'],
  why: 'flush_tlb_range keeps the ways to tables before 5.14, when mremap moved none as a whole (no HAVE_MOVE_PMD): there it must not',
};

/** Under weak a lock acquires and no more: what stands before it may be seen after what stands in it. */
const UNORDERED_NONE: Broken = {
  oracle: 'O10',
  why: 'who finds an upper entry empty without its lock may read from before that whether another gather is open: nothing orders the two',
};

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
    'others-only': { ownPart: false },
    'self-only': { reach: 'self' },
    'targets-first': { typeRead: 'before-clear' },
    'arrival-unordered': { switchFence: false },
    'walks-kept': { gatherPwc: false, teardownRic: 0 },
    'range-keeps-walks': { rangePwc: false, collapsePwc: false },
    'leave-skips-lazy': { leaveReachesLazy: false },
    'tag-reused': { pidTurns: 2, teardownRic: 0 },
    'tag-comes-round': { pidTurns: 1, leaveFlushes: false },
  },
  skips: [
    ...skip(
      'the mask of RFC 20 is emptied by flush handlers: no flush runs any where a broadcast does it',
      'rfc/mask-*',
      'T5/*',
      'T6/*',
    ),
    ...skip(
      'a ring tells CPUs that are behind what they missed: here no CPU is, for a flush reaches all that may hold entries',
      'ring/*',
      'T21/*',
      'T22/*',
    ),
    ...skip(
      'nothing is published as completed: CPUs compare no generations, so a flush of one range says nothing of others',
      'generations/skip-with-tables',
      'rfc/D15',
      'queue/merge',
    ),
    ...skip(
      'reclaim defers nothing (no ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH)',
      'generations/batch-completes',
      'queue/reclaim',
      'queue/reclaim-two-mms',
    ),
    ...skip(
      'tables freed after a flush that interrupts nobody: wrong where it is broadcast, see broadcast/gup-fast-rcu',
      'gup-fast/pt-reclaim-batched',
      'gup-fast/pt-reclaim-immediate',
      'gup-fast/batch-fails',
    ),
  ],
  mends: {
    ...each(
      'no CPU compares generations: a flush is a flush, whatever its generation',
      'T1/*',
      'T2/*',
      'T3/*',
      'T4/*',
      'rfc/D3a',
      'rfc/D3b',
      'rfc/D4',
      'rfc/D5',
    ),
    ...each(
      'pte_accessible says yes to everything (there is none of powerpc): ptep_clear_flush flushes whatever was there',
      'T12/naive',
      'T13/naive',
      'T23/naive',
      'T23/not-accessible',
      'ksm/merge/slot',
      'ksm/store/slot',
      'writeback/running-thread/slot',
      'rfc/D1-table/*',
      'rfc/D1-vma/*',
      'rfc/D2',
    ),
    ...each(
      'reclaim defers nothing: it flushes each entry under its PTL',
      'bug:B02/buggy',
      'T7/naive',
      'T7/none',
      'T20/naive',
      'T26/naive',
      'T26/two-words/one-word',
      'reclaim/clean-file-page/free-first',
      'reclaim/dirty-file-page/no-flush',
      'migration/running-thread/copy-first',
      'migration/store/copy-first',
      'clear-refs/reclaim/unseen',
      'clear-refs/reclaim/not-settled',
      'dirty-helpers/reclaim/as-in-linux',
      'storm/reclaim-beside-gather/hidden',
    ),
    ...each(
      'a CPU that has used the mm stays in mm_cpumask when it goes on: it has nothing to announce when it comes back',
      'munmap/thread-away/*',
      'switch/away-during-flush/*',
    ),
    'T19/broadcast/naive@linux-5.11':
      'a collapse interrupts every CPU of the mm itself (serialize_against_pte_lookup, up to 6.0)',
    'munmap/both-ways/irqs-off': 'a broadcast does not wait for another CPU to take an interrupt',
    'nested-counters/zap-twice/own-hull':
      'an empty hull ends before it begins, which is a range too large: all is flushed',
    'aggressive/table-gone/unlinked-first': 'MADV_DONTNEED frees no tables (no PT_RECLAIM as of 6.18)',
  },
  breaks: {
    ...Object.fromEntries(
      ['huge/zap-twice', 'huge/zap-recorded', 'nested-counters/table-gone', 'nested-counters/huge-gone'].map((id) => [
        `${id}@weak`,
        UNORDERED_NONE,
      ]),
    ),
    'mremap/table@linux-5.11': WHOLE_TABLES,
    'mremap/table-revoked@linux-5.11': WHOLE_TABLES,
  },
  backend: (switches) => powerpcRadix(switches as unknown as RadixSwitches),
};
