/**
 * sparc64 as the suite uses it.
 */
import { sparc64, SPARC64_AXES, SPARC64_PROFILES, type Sparc64Switches } from '@mmu-gather/sparc/stepped';
import { type Architecture, type Skip, switchesById } from '../architecture.ts';
import { mendsOf, skipsOf, TABLES_AFTER_INTERRUPTS, UNLINK_FIRST_TWINS } from './shared.ts';

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

const NO_GENERATIONS =
  'what a change asks for is done before its lock is dropped: there are no deferrals to be recorded';

const SKIPS: readonly Skip[] = [
  ...skipsOf(NO_GENERATIONS, 'T1/*', 'T2/*', 'T3/*', 'T4/*', 'T21/*', 'T22/*', 'T30/*', 'rfc/D1-*', 'rfc/D15'),
  ...skipsOf(
    NO_GENERATIONS,
    'rfc/clear-flush',
    'rfc/fork-vma',
    'rfc/split-pending',
    'generations/*',
    'queue/*',
    'ring/*',
  ),
  ...skipsOf(NO_GENERATIONS, 'aggressive/*', 'huge/zap-recorded'),
  ...skipsOf('reclaim defers nothing (no ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH)', 'T5/*', 'T6/*', 'rfc/mask-*'),
  ...skipsOf(
    'tables are freed by RCU: a mondo is not held back by masked interrupts, so that a flush does not wait for GUP-fast',
    ...TABLES_AFTER_INTERRUPTS,
  ),
  ...skipsOf(
    'tables are freed by RCU, and nothing but the miss handler reads them: sparc64/miss-table is about that',
    'bug:B32/*',
    'tables/munmap-batched',
    'tables/munmap-immediate',
    'tables/munmap-ipi-sync',
  ),
  ...skipsOf('tables do not move (no HAVE_MOVE_PMD)', 'bug:B85/*', 'mremap/table*'),
  ...skipsOf('madvise frees no tables (no PT_RECLAIM)', 'nested-counters/table-gone'),
];

const MENDS: Readonly<Record<string, string>> = {
  ...mendsOf(
    'each change of an entry is flushed before its lock is dropped: a gather, and flushes that come later, have nothing left to do',
    'T8/*',
    'settle/*',
    'T10/naive',
    'T11/*',
    'T12/naive',
    'T13/naive',
    'T14/cleaned/after-unlock',
    'T14/gather-unlocked',
    'T14/naive',
    'bug:B04/*',
    ...UNLINK_FIRST_TWINS,
    'T16/naive',
    'T16/no-flush',
    'T17/naive',
    'T20/naive',
    'T23/*',
    'T26/*',
    'T7/*',
    'bug:B01/buggy',
    'bug:B02/buggy',
    'bug:B03/*',
    'clear-refs/*/none-noted',
    'clear-refs/reclaim/*',
    'clear-refs/secondary/as-in-linux',
    'clear-refs/secondary-gather/as-in-linux',
    'cow/*/clear-only',
    'dirty-helpers/*',
    'fork/*/no-flush',
    'rfc/D12',
    'fullmm/F2-nested/naive',
    'huge/*/no-flush',
    'huge/*/no-split-flush',
    '*/free-first',
    'ksm/*/slot',
    'migration/*/copy-first',
    'mprotect/*/no-flush',
    'mremap/fault-at-both-places/no-flush',
    'mremap/running-thread/*',
    'nested-counters/zap-twice/*',
    'pfnmap/flush-per-vma/merged',
    'reclaim/dirty-file-page/no-flush',
    'reclaim/pageout/no-flush',
    'storm/reclaim-beside-gather/hidden',
    'sync-finish/zap-twice/close-first',
    'tables/munmap-rcu/naive',
    'uffd/write-protect/no-flush',
    'writeback/pending/as-in-linux',
    'writeback/*/clear-only',
    'writeback/*/slot',
  ),
  ...mendsOf(
    'nothing but the miss handler reads tables, and nobody is left who runs the mm and misses',
    'fullmm/F1/no-flush',
    'fullmm/F1-kept/no-flush',
    'fullmm/F2-other-thread/no-wait',
    'fullmm/F2/adopted',
    'fullmm/F2/nobody-leaves',
    'fullmm/F2-elsewhere/nobody-leaves',
    'fullmm/F3-exec/exit',
  ),
  ...mendsOf(
    'a CPU stays in mm_cpumask for as long as the mm keeps its number, so that it is called anyway: sparc64/arrival is about one that comes first',
    'munmap/thread-away/*',
    'switch/away-during-flush/*',
  ),
  ...mendsOf(
    'the entry of a huge page is made invalid first, and flushed with that: who finds it none has nothing to flush',
    ...['vma-gen', 'table-gen', 'ring', 'queue'].map((scheme) => `huge/zap-twice/naive@deferral=${scheme}`),
  ),
  ...mendsOf('software sets dirty bits, under the lock', 'huge/split-dirty/read-before'),
  ...mendsOf(
    'a flush of one page is a mondo, which masked interrupts do not hold back: sparc64/both-ways is about batches',
    'munmap/both-ways/irqs-off',
  ),
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
    'arrival-unordered': { arrival: 'unlocked' },
    // Two numbers for users: the third mm gets one that another had.
    'tag-reused': { firstRunDemap: false, contexts: 3 },
  },
  skips: SKIPS,
  mends: MENDS,
  breaks: {
    'huge/zap-twice@deferral=counter,finishSync=none': {
      oracle: 'O10',
      why: 'who finds a huge entry gone takes no lock, and its own finish drains its own batch only: it may return before the other one has flushed',
    },
    'gup-fast/collapse@linux-5.11': {
      oracle: 'assert',
      why: 'collapse relied on the interrupt of its flush, which is a mondo here: before tlb_remove_table_sync_one (6.1)',
    },
  },
  backend: (switches) => sparc64(switches as unknown as Sparc64Switches),
};
