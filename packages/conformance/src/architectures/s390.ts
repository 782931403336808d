/**
 * s390 as the suite uses it.
 */
import { s390, S390_AXES, S390_PROFILES, type S390Switches } from '@mmu-gather/s390/stepped';
import { type Architecture, switchesById } from '../architecture.ts';
import {
  COMPLETED_GENERATIONS,
  FREE_FIRST_TWINS,
  GENERATION_TWINS,
  MASK_OF_RFC_20,
  mendsOf,
  RINGS,
  skipsOf,
  TABLES_AFTER_INTERRUPTS,
  UNLINK_FIRST_TWINS,
} from './shared.ts';

/** Small enough to be explored: four address spaces. */
const EXPLORED: Partial<S390Switches> = { asces: 5 };

/** Twins that flush late, too little, or not at all, where other CPUs have entries. */
const LATE: readonly string[] = [
  'T7/*',
  'settle/*',
  'T8/naive',
  'T8/*dec-first',
  'T10/naive@linux-5.11',
  'T11/*',
  'T12/naive',
  'T13/naive',
  'T14/naive',
  'bug:B04/*',
  'T14/cleaned/*',
  'T14/gather-unlocked',
  'T16/*',
  'T17/naive',
  'T20/naive',
  'T23/*',
  'T26/*',
  'T30/naive',
  'rfc/D2',
  'rfc/D10',
  'rfc/D12',
  'rfc/D17',
  'rfc/D1-table/*',
  'rfc/D1-vma/*',
  'generations/merge-dropped/record-late',
  'bug:B01/buggy',
  'bug:B02/buggy',
  'bug:B03/*',
  'mprotect/*/no-flush',
  'uffd/write-protect/no-flush',
  'cow/*/clear-only',
  'fork/*/no-flush',
  'reclaim/*',
  'ksm/*/slot',
  'migration/*/copy-first',
  'clear-refs/*',
  'T9/naive',
  'bug:B18/*',
  'writeback/*',
  'dirty-helpers/*',
  'mremap/running-thread/*',
  'mremap/fault-at-both-places/no-flush',
  'pfnmap/flush-per-vma/merged',
  'storm/reclaim-beside-gather/hidden',
  'huge/split-zap/no-flush',
  'huge/zap-beside-split/no-split-flush',
  'huge/split-madv-free/no-flush',
  'huge/mprotect/no-flush',
  'huge/fork/no-flush',
  'huge/copy-on-write/*',
  'huge/mremap/no-flush',
  'huge/reclaim/no-split-flush',
  'huge/zap-twice/naive',
  'huge/zap-recorded/cleared-first',
  'fullmm/F2-nested/naive',
  'nested-counters/*',
  'queue/fault/recorded-late',
  'queue/reclaim/not-recorded',
  'queue/reclaim-two-mms/written-first',
  'aggressive/aging/none',
  'aggressive/fork/none',
  'aggressive/numa/never',
  'aggressive/overlapping-zaps/recorded-late',
  'aggressive/table-gone/unlinked-first',
  'sync-finish/zap-twice/close-first',
];

/** s390 with the switches of each kernel version. */
export const S390: Architecture = {
  id: 's390',
  kernels: switchesById(S390_PROFILES),
  explored: { ...EXPLORED },
  config: { tableFree: 'rcu', ptReclaim: false, tableRemoveOne: 'ipi-sync', movePmd: 'entries' },
  axes: S390_AXES,
  wrongs: {
    'no-wait': { globalPurge: 'here' },
    'kernel-no-wait': { kernelFlush: 'local' },
    'leave-no-wait': { leaveWaits: false },
    'others-only': { payDebt: false },
    'self-only': { globalPurge: 'here' },
    'targets-first': { atomicFence: 'none' },
    'arrival-unordered': { attachWait: false },
    'lazy-unchecked': { attachPays: false },
    'walks-kept': { tableDebt: false },
    'range-keeps-walks': { tableIdte: 'leaves' },
    'leave-skips-lazy': { leaveReachesLazy: false },
    'tag-reused': { tableDebt: false },
  },
  skips: [
    ...skipsOf('reclaim defers nothing (no ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH)', 'generations/batch-completes'),
    ...skipsOf(
      'the mask of RFC 20 collects what reclaim defers, and is emptied by flush handlers: here nothing is deferred, and nobody interrupted',
      ...MASK_OF_RFC_20,
    ),
    ...skipsOf(
      'a ring tells CPUs that are behind what they missed: here no CPU is, for a purge is one of all CPUs at once',
      ...RINGS,
    ),
    ...skipsOf(
      'nothing is published as completed: CPUs compare no generations, so a flush of one range says nothing of others',
      ...COMPLETED_GENERATIONS,
    ),
    ...skipsOf(
      'tables freed after a flush that interrupts nobody: wrong where all CPUs are purged by an instruction, see broadcast/gup-fast-rcu',
      ...TABLES_AFTER_INTERRUPTS,
    ),
    {
      scenario: 'bug:B85/*',
      why: 'mremap moves no tables as a whole (no HAVE_MOVE_PMD): it would need an IDTE, and its flush_tlb_range pays what is owed and no more',
    },
  ],
  mends: {
    ...mendsOf(
      'an entry is purged where it changes, under its lock: nothing is left to a flush that comes late, or not at all',
      ...LATE,
    ),
    ...mendsOf(
      'no CPU compares generations: entries are purged where they change, whatever a flush asks for later',
      ...GENERATION_TWINS,
    ),
    ...mendsOf(
      'pages are in no gather (MMU_GATHER_NO_GATHER): a page goes when its entry was purged, before any flush',
      ...FREE_FIRST_TWINS,
      ...UNLINK_FIRST_TWINS,
    ),
    ...mendsOf(
      'vunmap purges each entry on all CPUs, for all are attached to init_mm here: see s390/vunmap-alone',
      'T25/*',
      'bug:B72/*',
      'vmap/no-address-left/at-once',
      'vmap/two-purges/*',
      'vmap/flush-before-remap/ended-later',
    ),
    ...mendsOf('no table moves as a whole (no HAVE_MOVE_PMD)', 'mremap/table-revoked/no-rmap-lock'),
    'munmap/both-ways/irqs-off': 'no flush waits for another CPU to take an interrupt',
    'munmap/lazy-returns/no-check':
      'a CPU that has borrowed an mm is attached to it, so that every change is purged on all: see bug:B80/unpaid',
    's390/clear-young/lazily@clearRefs=gather': 'the gather of clear_refs flushes, and so pays what is owed',
    's390/clear-young/lazily@clearRefs=gather-unpaired': 'the gather of clear_refs flushes, and so pays what is owed',
    'huge/split-dirty/read-before': 'no hardware sets dirty bits: under the lock none is lost',
    ...mendsOf(
      'three mms do not use up the ASCEs: none changes hands, see s390/asce-reused',
      'T28/naive',
      'kthread/use-mm/no-flush',
    ),
  },
  breaks: {
    'gup-fast/collapse@linux-5.11': {
      oracle: 'assert',
      why: 'before 70cbc3cc78a9 and 2ba99c5e0881 (6.1) collapse relied on the interrupt of its flush to hold GUP-fast off; IDTE has none',
    },
    's390/vunmap-alone@vmapReuse=generation': {
      oracle: 'O15',
      why: 'an address is used again after any flush_tlb_all, which is empty on s390; the entries were purged where they changed, but lazily',
    },
    'purpose/vmap@vmapReuse=generation': {
      oracle: 'O17',
      why: 'an address is used again after any flush_tlb_all, which is empty on s390; the entries were purged where they changed, but lazily',
    },
  },
  backend: (switches) => s390(switches as unknown as S390Switches),
};
