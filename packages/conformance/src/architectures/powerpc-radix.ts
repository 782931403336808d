/**
 * powerpc with the radix MMU as the suite uses it.
 */
import { powerpcRadix, RADIX_AXES, RADIX_PROFILES, type RadixSwitches } from '@mmu-gather/powerpc/stepped';
import { type Architecture, switchesById } from '../architecture.ts';
import type { Broken } from '../profiles/spec.ts';
import {
  at,
  breaksOf,
  COMPLETED_GENERATIONS,
  GENERATION_TWINS,
  MASK_OF_RFC_20,
  mendsOf,
  RECLAIM_TWINS,
  RECORDED_RECLAIM,
  RINGS,
  skipsOf,
  TABLES_AFTER_INTERRUPTS,
  UNORDERED_NONE,
} from './shared.ts';

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

/** mremap of whole tables, with the flush of a range as it was when mremap moved none on powerpc. */
const WHOLE_TABLES: Broken = {
  oracle: ['O7', 'O10'],
  why: 'flush_tlb_range keeps the ways to tables before 5.14, when mremap moved none as a whole (no HAVE_MOVE_PMD): there it must not',
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
    ...skipsOf(
      'the mask of RFC 20 is emptied by flush handlers: no flush runs any where a broadcast does it',
      ...MASK_OF_RFC_20,
    ),
    ...skipsOf(
      'a ring tells CPUs that are behind what they missed: here no CPU is, for a flush reaches all that may hold entries',
      ...RINGS,
    ),
    ...skipsOf(
      'nothing is published as completed: CPUs compare no generations, so a flush of one range says nothing of others',
      ...COMPLETED_GENERATIONS,
    ),
    ...skipsOf(
      'reclaim defers nothing (no ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH)',
      'generations/batch-completes',
      ...RECORDED_RECLAIM,
    ),
    ...skipsOf(
      'tables freed after a flush that interrupts nobody: wrong where it is broadcast, see broadcast/gup-fast-rcu',
      ...TABLES_AFTER_INTERRUPTS,
    ),
  ],
  mends: {
    ...mendsOf('no CPU compares generations: a flush is a flush, whatever its generation', ...GENERATION_TWINS),
    ...mendsOf(
      'pte_accessible says yes to everything (there is none of powerpc): ptep_clear_flush flushes whatever was there',
      'T12/naive',
      'T13/naive',
      'T23/naive',
      'T23/not-accessible',
      'ksm/merge/slot',
      'ksm/store/slot',
      'ksm/mremap/slot',
      'ksm/dontneed/slot',
      'writeback/running-thread/slot',
      'rfc/D1-table/*',
      'rfc/D1-vma/*',
      'rfc/D2',
    ),
    ...mendsOf('reclaim defers nothing: it flushes each entry under its PTL', ...RECLAIM_TWINS),
    ...mendsOf(
      'a CPU that has used the mm stays in mm_cpumask when it goes on: it has nothing to announce when it comes back',
      'munmap/thread-away/*',
      'switch/away-during-flush/*',
    ),
    'powerpc-radix/pid-reused/ric-0@untrackedGen=as-recorded':
      'the last gather flushes to a generation that was recorded (RFC 15 as posted), by a function of its own, with RIC 2',
    'T19/broadcast/naive@linux-5.11':
      'a collapse interrupts every CPU of the mm itself (serialize_against_pte_lookup, up to 6.0)',
    'bug:B36/buggy@linux-5.11':
      'a collapse interrupts every CPU of the mm itself (serialize_against_pte_lookup, up to 6.0)',
    'powerpc-radix/page-sizes/merged':
      'the entry of a huge page is flushed where it is cleared (pmdp_huge_get_and_clear_full): only base pages are left to the gather',
    ...mendsOf(
      'the entry of a huge page is flushed where it is cleared (pmdp_huge_get_and_clear_full), before the page can be freed',
      'huge/munmap/free-first',
      'huge/munmap-full/free-first',
    ),
    'munmap/both-ways/irqs-off': 'a broadcast does not wait for another CPU to take an interrupt',
    'nested-counters/zap-twice/own-hull':
      'an empty hull ends before it begins, which is a range too large: all is flushed',
    'aggressive/table-gone/unlinked-first': 'MADV_DONTNEED frees no tables (no PT_RECLAIM as of 6.18)',
  },
  breaks: {
    ...breaksOf(
      UNORDERED_NONE,
      ...at('weak', ['huge/zap-twice', 'huge/zap-recorded', 'nested-counters/table-gone', 'nested-counters/huge-gone']),
    ),
    'mremap/table@linux-5.11': WHOLE_TABLES,
    'mremap/table-revoked@linux-5.11': WHOLE_TABLES,
  },
  backend: (switches) => powerpcRadix(switches as unknown as RadixSwitches),
};
