/**
 * arm64 as the suite uses it.
 */
import { arm64, ARM64_AXES, ARM64_PROFILES, type Arm64Switches } from '@mmu-gather/arm64/stepped';
import { type Architecture, switchesById } from '../architecture.ts';
import {
  at,
  breaksOf,
  COMPLETED_GENERATIONS,
  FREE_FIRST_TWINS,
  GENERATION_TWINS,
  LATE_FINISH_TWINS,
  MASK_OF_RFC_20,
  mendsOf,
  PER_VMA,
  RECLAIM_TWINS,
  RECORDED_RECLAIM,
  RINGS,
  skipsOf,
  TABLES_AFTER_INTERRUPTS,
  UNLINK_FIRST_TWINS,
  UNMAP_TWINS,
  UNORDERED_NONE,
} from './shared.ts';

/** ASIDs of an explored CPU, the kernel's among them, a range that is flushed as a whole, and a block of contiguous pages: small. */
const EXPLORED: Partial<Arm64Switches> = { asids: 6, maxDvmOps: 4, contPtes: 2 };

/** Kernels in which reclaim does not defer: TLBIs without their barrier came with 6.6. */
const UNDEFERRED = 'linux-5.11,linux-6.1';

/** arm64 with the switches of each kernel version. */
export const ARM64: Architecture = {
  id: 'arm64',
  kernels: switchesById(ARM64_PROFILES),
  explored: { ...EXPLORED },
  config: { tableFree: 'rcu', mergeVmas: false, ptReclaim: false, tableRemoveOne: 'ipi-sync' },
  axes: ARM64_AXES,
  wrongs: {
    'no-wait': { barrierAfter: 'none' },
    'kernel-no-wait': { kernelBarrierAfter: 'none' },
    'leave-no-wait': { leaveWaits: false },
    'self-only': { shareability: 'local' },
    'walks-kept': { freedTablesDropWalks: false },
    'range-keeps-walks': { rangeDropsWalks: false },
    'leave-skips-lazy': { leaveReachesLazy: false },
    'tag-reused': { rolloverFlush: false },
  },
  skips: [
    ...skipsOf(
      'the mask of RFC 20 is filled from mm_cpumask and emptied by flush handlers: arm64 keeps no such mask, and interrupts nobody',
      ...MASK_OF_RFC_20,
    ),
    ...skipsOf(
      'a ring tells CPUs that are behind what they missed: here no CPU is, for a flush is told to all at once',
      ...RINGS,
    ),
    ...skipsOf(
      'nothing is published as completed: CPUs compare no generations, so a flush of one range says nothing of others',
      ...COMPLETED_GENERATIONS,
    ),
    ...skipsOf(
      'reclaim does not defer where deferrals are remembered by a generation, which there is none of',
      ...RECORDED_RECLAIM,
    ),
    ...skipsOf(
      'tables freed after a flush that interrupts nobody: wrong where it is broadcast, see broadcast/gup-fast-rcu',
      ...TABLES_AFTER_INTERRUPTS,
    ),
  ],
  mends: {
    ...mendsOf('no CPU compares generations: a flush is a TLBI, whatever its generation', ...GENERATION_TWINS),
    ...mendsOf(
      'tlb_end_vma has flushed already (no MMU_GATHER_MERGE_VMAS): nothing is left to do for the finish',
      ...at(PER_VMA, LATE_FINISH_TWINS),
      `dirty-helpers/secondary/end-first@${PER_VMA},dirtyHelpers=gather`,
    ),
    ...mendsOf(
      'tlb_end_vma has flushed already (no MMU_GATHER_MERGE_VMAS), before anything is freed',
      ...at(PER_VMA, FREE_FIRST_TWINS),
    ),
    ...mendsOf(
      'every VMA is flushed at its end, before it is unlinked (no MMU_GATHER_MERGE_VMAS)',
      ...at(PER_VMA, UNLINK_FIRST_TWINS),
    ),
    ...mendsOf('reclaim does not defer: it flushes each entry under its PTL', ...at(UNDEFERRED, RECLAIM_TWINS)),
    ...mendsOf(
      'reclaim defers nothing where deferrals are remembered by a generation: it flushes each entry under its PTL',
      ...at('batchedPending=generation', UNMAP_TWINS),
    ),
    ...mendsOf(
      'a gather that freed tables flushes to a generation that was recorded (RFC 15 as posted), by a function of its own, which is right here',
      ...at('untrackedGen=as-recorded', [
        'T18/naive',
        'T18/pt-reclaim/naive',
        'bug:B33/buggy',
        'exit/lazy-elsewhere/lazy-skipped',
        'fullmm/F0/lazy-skipped',
      ]),
    ),
    'munmap/both-ways/irqs-off': 'no flush waits for another CPU to take an interrupt',
    'kthread/use-mm/no-flush': 'three mms do not use up the ASIDs: none changes hands',
    'nested-counters/zap-twice/own-hull':
      'an empty hull ends before it begins, which is a range too large: all is flushed',
    'aggressive/table-gone/unlinked-first': 'MADV_DONTNEED frees no tables (no PT_RECLAIM as of 6.18)',
  },
  breaks: {
    ...breaksOf(
      UNORDERED_NONE,
      ...at('weak', ['huge/zap-twice', 'huge/zap-recorded', 'nested-counters/table-gone', 'nested-counters/huge-gone']),
    ),
    'gup-fast/collapse@linux-5.11': {
      oracle: 'assert',
      why: 'before 70cbc3cc78a9 and 2ba99c5e0881 (6.1) collapse relied on the interrupt of its flush to hold GUP-fast off; broadcasts have none',
    },
  },
  backend: (switches) => arm64(switches as unknown as Arm64Switches),
};
