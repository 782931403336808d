/**
 * RISC-V as the suite uses it.
 */
import { riscv, RISCV_AXES, RISCV_PROFILES, type RiscvSwitches } from '@mmu-gather/riscv/stepped';
import { type Architecture, switchesById } from '../architecture.ts';
import type { Broken } from '../profiles/spec.ts';

/**
 * ASIDs of an explored hart, the boot's among them, a range that is flushed as a whole, and a queue: small. The two barriers are mended: as in
 * Linux they are the subjects of `riscv/arrival` and `riscv/unlinked-table`.
 */
const EXPLORED: Partial<RiscvSwitches> = {
  asids: 6,
  threshold: 1,
  deferQueue: 1,
  arrivalFence: true,
  flushFence: true,
};

/** The same reason for several twins. */
function each(why: string, ...ids: readonly string[]): Record<string, string> {
  return Object.fromEntries(ids.map((id) => [id, why]));
}

/** Kernels before 6.8: no deferral by reclaim, no flush by ranges; and before 6.4: the firmware's fences. */
const OLD = 'linux-5.11,linux-6.1';

/** GUP-fast relies on interrupts that a flush sends, and there are none. */
const NO_INTERRUPTS =
  'the fences of the firmware wait for nobody who has interrupts off: RISC-V has GUP-fast since 6.10, with tables that RCU frees';

/** Under weak a lock acquires and no more: what stands before it may be seen after what stands in it. */
const UNORDERED_NONE: Broken = {
  oracle: 'O10',
  why: 'who finds an upper entry empty without its lock may read from before that whether another gather is open: nothing orders the two',
};

/** RISC-V with the switches of each kernel version. */
export const RISCV: Architecture = {
  id: 'riscv',
  kernels: switchesById(RISCV_PROFILES),
  explored: { ...EXPLORED },
  config: { tableFree: 'rcu', mergeVmas: false, ptReclaim: false, tableRemoveOne: 'ipi-sync' },
  axes: RISCV_AXES,
  wrongs: {
    'no-wait': { waitForIpis: false },
    'kernel-no-wait': { waitForIpis: false },
    'leave-no-wait': { waitForIpis: false },
    'others-only': { reach: 'others' },
    'self-only': { reach: 'self' },
    'arrival-unordered': { arrival: 'satp-first' },
    'walks-kept': { tablesFlushMm: false, threshold: 64 },
    'range-keeps-walks': { collapseFlush: 'range', threshold: 64 },
    'leave-skips-lazy': { leaveReachesLazy: false },
    'tag-reused': { rolloverFlush: false },
  },
  skips: [
    ...['rfc/mask-*', 'T5/*', 'T6/*'].map((scenario) => ({
      scenario,
      why: 'the mask of RFC 20 is filled and emptied by functions of x86: RISC-V keeps no such mask, nor generations that a CPU reads before it leaves one',
    })),
    ...['ring/*', 'T21/*', 'T22/*'].map((scenario) => ({
      scenario,
      why: 'a ring tells CPUs that are behind what they missed: here a flush waits for every hart that may be',
    })),
    ...['generations/skip-with-tables', 'rfc/D15', 'queue/merge'].map((scenario) => ({
      scenario,
      why: 'nothing is published as completed: harts compare no generations, so a flush of one range says nothing of others',
    })),
    ...['queue/reclaim', 'queue/reclaim-two-mms'].map((scenario) => ({
      scenario,
      why: 'what reclaim defers is flushed by harts, under no generation that a record could name',
    })),
  ],
  mends: {
    ...each(
      'no hart compares generations: whoever is asked flushes',
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
      'a gather of a whole mm flushes all of it on every hart that ever ran it, tables or not',
      'exit/lazy-elsewhere/lazy-skipped',
      'fullmm/F0/lazy-skipped',
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
      ].map((id) => `${id}@${OLD}`),
    ),
    [`munmap/both-ways/irqs-off@${OLD}`]: 'the firmware interrupts harts whatever they have masked',
    [`nested-counters/zap-twice/own-hull@${OLD}`]: 'every flush of a gather is one of the whole mm',
    'T28/naive@linux-5.11': 'there are no ASIDs: every switch flushes',
    ...each(
      'the hart has run the mm before, and is still in its mask',
      'munmap/thread-away/no-fence@linux-6.1,linux-6.12,linux-6.18',
      'switch/away-during-flush/no-fence@linux-6.1,linux-6.12,linux-6.18',
    ),
    'kthread/use-mm/no-flush': 'three mms do not use up the ASIDs: none changes hands',
    'aggressive/table-gone/unlinked-first': 'MADV_DONTNEED frees no tables (no PT_RECLAIM as of 6.18)',
  },
  breaks: {
    'huge/zap-twice@weak': UNORDERED_NONE,
    'huge/zap-recorded@weak,linux-6.12,linux-6.18': UNORDERED_NONE,
    'nested-counters/table-gone@weak,linux-6.12,linux-6.18': UNORDERED_NONE,
    'nested-counters/huge-gone@weak': UNORDERED_NONE,
    [`gup-fast/pt-reclaim-batched@${OLD}`]: { oracle: 'O5', why: NO_INTERRUPTS },
    [`gup-fast/pt-reclaim-immediate@${OLD}`]: { oracle: 'O5', why: NO_INTERRUPTS },
    [`gup-fast/batch-fails@${OLD}`]: { oracle: 'O5', why: NO_INTERRUPTS },
    'gup-fast/collapse@linux-5.11': { oracle: 'assert', why: NO_INTERRUPTS },
  },
  backend: (switches) => riscv(switches as unknown as RiscvSwitches),
};
