/**
 * arm64 as the suite uses it.
 */
import { arm64, ARM64_AXES, ARM64_PROFILES, type Arm64Switches } from '@mmu-gather/arm64/stepped';
import { type Architecture, switchesById } from '../architecture.ts';

/** ASIDs of an explored CPU, the kernel's among them, a range that is flushed as a whole, and a block of contiguous pages: small. */
const EXPLORED: Partial<Arm64Switches> = { asids: 6, maxDvmOps: 4, contPtes: 2 };

/** The same reason for several twins. */
function each(why: string, ...ids: readonly string[]): Record<string, string> {
  return Object.fromEntries(ids.map((id) => [id, why]));
}

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
    ...['rfc/mask-*', 'T5/*', 'T6/*'].map((scenario) => ({
      scenario,
      why: 'the mask of RFC 20 is filled from mm_cpumask and emptied by flush handlers: arm64 keeps no such mask, and interrupts nobody',
    })),
    ...['ring/*', 'T21/*', 'T22/*'].map((scenario) => ({
      scenario,
      why: 'a ring tells CPUs that are behind what they missed: here no CPU is, for a flush is told to all at once',
    })),
    ...['generations/skip-with-tables', 'rfc/D15', 'queue/merge'].map((scenario) => ({
      scenario,
      why: 'nothing is published as completed: CPUs compare no generations, so a flush of one range says nothing of others',
    })),
    ...['queue/reclaim', 'queue/reclaim-two-mms'].map((scenario) => ({
      scenario,
      why: 'reclaim does not defer where deferrals are remembered by a generation, which there is none of',
    })),
    ...['gup-fast/pt-reclaim-batched', 'gup-fast/pt-reclaim-immediate', 'gup-fast/batch-fails'].map((scenario) => ({
      scenario,
      why: 'tables freed after a flush that interrupts nobody: wrong where it is broadcast, see broadcast/gup-fast-rcu',
    })),
  ],
  mends: {
    ...each(
      'no CPU compares generations: a flush is a TLBI, whatever its generation',
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
      'tlb_end_vma has flushed already (no MMU_GATHER_MERGE_VMAS): nothing is left to do for the finish',
      'T8/dec-first',
      'T8/range-reset/dec-first',
      'T8/range-all-levels/dec-first',
      'T11/dec-first',
      'T23/naive',
      'rfc/D12',
      'nested-counters/zap-twice/uncount-first',
      'sync-finish/zap-twice/close-first',
    ),
    ...each(
      'tlb_end_vma has flushed already (no MMU_GATHER_MERGE_VMAS), before anything is freed',
      'munmap/running-thread/free-first',
      'mremap/shrink/free-first',
      'huge/munmap/free-first',
      'storm/reclaim-beside-gather/free-first',
    ),
    ...each(
      'every VMA is flushed at its end, before it is unlinked (no MMU_GATHER_MERGE_VMAS)',
      'T15/naive',
      'T15/unlink/late',
    ),
    ...each(
      'reclaim does not defer: it flushes each entry under its PTL',
      ...[
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
      ].map((id) => `${id}@${UNDEFERRED}`),
    ),
    'munmap/both-ways/irqs-off': 'no flush waits for another CPU to take an interrupt',
    'kthread/use-mm/no-flush': 'three mms do not use up the ASIDs: none changes hands',
    'nested-counters/zap-twice/own-hull':
      'an empty hull ends before it begins, which is a range too large: all is flushed',
    'aggressive/table-gone/unlinked-first': 'MADV_DONTNEED frees no tables (no PT_RECLAIM as of 6.18)',
  },
  breaks: {
    ...Object.fromEntries(
      ['huge/zap-twice', 'huge/zap-recorded', 'nested-counters/table-gone', 'nested-counters/huge-gone'].map((id) => [
        `${id}@weak`,
        {
          oracle: 'O10',
          why: 'who finds an upper entry empty without its lock may read from before that whether another gather is open: nothing orders the two',
        },
      ]),
    ),
    'gup-fast/collapse@linux-5.11': {
      oracle: 'assert',
      why: 'before 70cbc3cc78a9 and 2ba99c5e0881 (6.1) collapse relied on the interrupt of its flush to hold GUP-fast off; broadcasts have none',
    },
  },
  backend: (switches) => arm64(switches as unknown as Arm64Switches),
};
