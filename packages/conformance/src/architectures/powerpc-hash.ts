/**
 * powerpc with the hash MMU as the suite uses it.
 */
import { HASH_AXES, HASH_PROFILES, type HashSwitches, powerpcHash } from '@mmu-gather/powerpc/stepped';
import { type Architecture, type Skip, switchesById } from '../architecture.ts';

/**
 * Small enough to be explored: a table in which a page finds its first group free, and batches of two. `localRead` is not as in Linux, where
 * munmap/thread-arrives, T1/fixed and ring/fits are refuted: that is what powerpc-hash/local-arrival is about.
 */
const EXPLORED: Partial<HashSwitches> = { contexts: 5, groups: 16, slots: 2, batch: 2, localRead: 'after-hpte' };

/** Twins that are right for one reason. */
function each(why: string, ...ids: readonly string[]): Record<string, string> {
  return Object.fromEntries(ids.map((id) => [id, why]));
}

/** Scenarios that do not apply for one reason. */
function none(why: string, ...ids: readonly string[]): Skip[] {
  return ids.map((scenario) => ({ scenario, why }));
}

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
    'self-only': { tlbiel: 'always' },
  },
  skips: [
    ...none(
      'the hash MMU with 4 KiB pages has no transparent huge pages',
      'huge/*',
      'collapse/*',
      'gup-fast/collapse',
      'T18/collapse',
    ),
    ...none(
      'tables freed after a flush that interrupts nobody: wrong where it is broadcast, see broadcast/gup-fast-rcu',
      'gup-fast/pt-reclaim-batched',
      'gup-fast/pt-reclaim-immediate',
      'gup-fast/batch-fails',
    ),
    ...none(
      'no PT_RECLAIM as of 6.18: it unlinks a table before what was cleared in it has left the hash page table',
      'nested-counters/table-gone',
    ),
    ...none('no flush has a generation, and none is published as completed', 'rfc/D15'),
  ],
  mends: {
    // Checked wherever a flush ends: claim.settled in flushHashRange, and at each unlock: claimLazyMmuLeft.
    ...each(
      'what a change takes away has left the hash page table and all TLBs before its PTL is dropped: nothing is left to be flushed later',
      ...['T8', 'T10', 'T11', 'T12', 'T13', 'T16', 'T23'].map((trace) => `${trace}/naive`),
      'T8/dec-first',
      'T8/range-reset/dec-first',
      'T8/range-all-levels/dec-first',
      'T11/dec-first',
      'T16/no-flush',
      'T23/not-accessible',
      'bug:B03/buggy',
      'munmap/*/free-first',
      'mprotect/*/no-flush',
      'uffd/write-protect/no-flush',
      'cow/running-thread/clear-only',
      'fork/*/no-flush',
      'ksm/*/slot',
      'migration/*/copy-first',
      'clear-refs/*/none-noted',
      'clear-refs/secondary/as-in-linux',
      'writeback/*/clear-only',
      'writeback/running-thread/slot',
      'writeback/pending/as-in-linux',
      'dirty-helpers/*/no-flush',
      'dirty-helpers/nested-gather/not-nested',
      'dirty-helpers/secondary/end-first',
      'rfc/D12',
      'pfnmap/flush-per-vma/merged',
      'truncate/munmap/free-first',
      'storm/reclaim-beside-gather/free-first',
      'fullmm/F1/no-flush',
      'fullmm/F1-zeroed/kept',
      'fullmm/F1-kept/no-flush',
      'nested-counters/zap-twice/*',
      'aggressive/*',
      'sync-finish/zap-twice/close-first',
      'T15/naive',
      'T15/unlink/late',
    ),
    ...each(
      'a page that moves has left its old address, in the hash page table and all TLBs, before the PTLs are dropped',
      'T14/naive',
      'bug:B04/buggy',
      'T14/cleaned/after-unlock',
      'T14/gather-unlocked',
      'mremap/running-thread/after-unlock',
      'mremap/running-thread/no-flush',
      'mremap/revoked/new-first',
      'mremap/fault-at-both-places/no-flush',
      'mremap/shrink/free-first',
    ),
    ...each(
      'no table moves as a whole (arch_supports_page_table_move): its entries do',
      'mremap/table/no-flush',
      'mremap/table-revoked/no-rmap-lock',
      'bug:B85/buggy',
    ),
    ...each(
      'an address of the kernel is flushed where it is unmapped',
      'T25/naive',
      'vmap/no-address-left/at-once',
      'T25/attributes/no-flush',
      'vmap/flush-before-remap/ended-later',
    ),
    ...each(
      'reclaim does not defer (no ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH): each entry is flushed under its PTL',
      'bug:B02/buggy',
      'T5/naive',
      'T6/naive',
      'T7/*',
      'T20/naive',
      'T26/*',
      'reclaim/*',
      'clear-refs/reclaim/*',
      'dirty-helpers/reclaim/as-in-linux',
      'storm/reclaim-beside-gather/hidden',
      'rfc/D2',
      'rfc/D6',
      'rfc/D7',
      'rfc/D8',
      'rfc/D9',
      'rfc/mask-*',
    ),
    ...each(
      'no CPU compares generations, and no flush waits for one: all is done under the PTL',
      'T1/*',
      'T2/*',
      'T3/*',
      'T4/*',
      'T21/*',
      'T22/*',
      'T30/*',
      'rfc/D1-*',
      'rfc/D3a',
      'rfc/D3b',
      'rfc/D4',
      'rfc/D5',
      'rfc/D10',
      'rfc/D17',
      'generations/batch-completes/newest',
      'generations/merge-dropped/record-late',
      'queue/fault/recorded-late',
      'queue/merge/older-generation',
      'queue/reclaim/not-recorded',
      'queue/reclaim-two-mms/written-first',
      'ring/*',
    ),
    ...each(
      'the hardware walks no page tables: nothing of a table is cached, and a table that is freed is not read',
      'bug:B32/*',
      'exit/other-thread-leaves/free-first',
      'generations/skip-with-tables/skipped',
      'tables/munmap-*/naive',
      'fullmm/F2/*',
      'fullmm/F2-nested/naive',
      'fullmm/F3-exec/exit',
      'T17/naive',
    ),
    'cow/both-write/clear-only':
      'nobody has used the page since the fork took it out of the hash page table: nothing of it is cached',
    'munmap/both-ways/irqs-off': 'no flush waits for another CPU to take an interrupt',
    ...each(
      'a CPU that went to another mm stays in mm_cpumask: it was not alone to use the mm, and is flushed',
      'munmap/thread-away/*',
      'switch/away-during-flush/*',
    ),
  },
  backend: (switches) => powerpcHash(switches as unknown as HashSwitches),
};
