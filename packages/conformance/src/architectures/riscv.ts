/**
 * RISC-V as the suite uses it.
 */
import { riscv, RISCV_AXES, RISCV_PROFILES, type RiscvSwitches } from '@mmu-gather/riscv/stepped';
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

/** Kernels before 6.8: no deferral by reclaim, no flush by ranges; and before 6.4: the firmware's fences. */
const OLD = 'linux-5.11,linux-6.1';

/** GUP-fast relies on interrupts that a flush sends, and there are none. */
const NO_INTERRUPTS =
  'the fences of the firmware wait for nobody who has interrupts off: RISC-V has GUP-fast since 6.10, with tables that RCU frees';

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
    ...skipsOf(
      'a kernel mapping that is new may fault once, which the exception entry puts right: it is not modelled',
      'purpose/vmap',
    ),
    ...skipsOf(
      'the mask of RFC 20 is filled and emptied by functions of x86: RISC-V keeps no such mask, nor generations that a CPU reads before it leaves one',
      ...MASK_OF_RFC_20,
    ),
    ...skipsOf(
      'a ring tells CPUs that are behind what they missed: here a flush waits for every hart that may be',
      ...RINGS,
    ),
    ...skipsOf(
      'nothing is published as completed: harts compare no generations, so a flush of one range says nothing of others',
      ...COMPLETED_GENERATIONS,
    ),
    ...skipsOf(
      'what reclaim defers is flushed by harts, under no generation that a record could name',
      ...RECORDED_RECLAIM,
    ),
  ],
  mends: {
    ...mendsOf('no hart compares generations: whoever is asked flushes', ...GENERATION_TWINS),
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
    ...mendsOf(
      'a gather of a whole mm flushes all of it on every hart that ever ran it, tables or not',
      'exit/lazy-elsewhere/lazy-skipped',
      'fullmm/F0/lazy-skipped',
    ),
    ...mendsOf('reclaim does not defer: it flushes each entry under its PTL', ...at(OLD, RECLAIM_TWINS)),
    ...mendsOf(
      'reclaim defers nothing where deferrals are remembered by a generation: it flushes each entry under its PTL',
      ...at('batchedPending=generation', UNMAP_TWINS),
    ),
    ...mendsOf(
      'a gather that freed tables flushes to a generation that was recorded (RFC 15 as posted), by a function of its own, which is right here',
      ...at('untrackedGen=as-recorded', ['T18/naive', 'T18/pt-reclaim/naive', 'bug:B33/buggy']),
    ),
    'gup-fast/discard/no-recheck@batchedPending=generation':
      'reclaim does not defer: its flush interrupts the hart that walks without a lock, and waits for it',
    [`munmap/both-ways/irqs-off@${OLD}`]: 'the firmware interrupts harts whatever they have masked',
    [`nested-counters/zap-twice/own-hull@${OLD}`]: 'every flush of a gather is one of the whole mm',
    'T28/naive@linux-5.11': 'there are no ASIDs: every switch flushes',
    ...mendsOf(
      'the hart has run the mm before, and is still in its mask',
      'munmap/thread-away/no-fence@linux-6.1,linux-6.12,linux-6.18',
      'switch/away-during-flush/no-fence@linux-6.1,linux-6.12,linux-6.18',
    ),
    ...mendsOf(
      'nothing is published as completed, so a finish finds its own record pending and flushes once more: a hart that the first flush missed has come by then',
      ...['riscv/deferred/*', 'riscv/deferred-full/no-recheck'].map(
        (id) => `${id}@deferral=ring,nestedFinish=overlapping`,
      ),
    ),
    'kthread/use-mm/no-flush': 'three mms do not use up the ASIDs: none changes hands',
    'aggressive/table-gone/unlinked-first': 'MADV_DONTNEED frees no tables (no PT_RECLAIM as of 6.18)',
  },
  breaks: {
    ...breaksOf(
      UNORDERED_NONE,
      ...at('weak', ['huge/zap-twice', 'nested-counters/huge-gone']),
      ...at('weak,linux-6.12,linux-6.18', ['huge/zap-recorded', 'nested-counters/table-gone']),
    ),
    ...breaksOf({ oracle: 'O5', why: NO_INTERRUPTS }, ...at(OLD, TABLES_AFTER_INTERRUPTS)),
    'gup-fast/collapse@linux-5.11': { oracle: 'assert', why: NO_INTERRUPTS },
  },
  backend: (switches) => riscv(switches as unknown as RiscvSwitches),
};
