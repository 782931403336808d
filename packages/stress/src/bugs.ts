/**
 * Seeded bugs: wrong forms of the algorithms that a race on real threads reaches. Each is a switch that the checker refutes, too.
 */
import type { Profile } from '@mmu-gather/core';
import type { StressConfig } from './config.ts';

/** A wrong form. */
export interface SeededBug {
  /** What it is called. */
  readonly id: string;
  /** What it does wrong, in one line. */
  readonly title: string;
  /** The architecture on which it is shown. */
  readonly arch: string;
  /** Switches of core and mm that make it. */
  readonly profile?: Partial<Profile>;
  /** Switches of the backend that make it. */
  readonly switches?: Readonly<Record<string, unknown>>;
}

/** All of them. They are meant for the switches of Linux 6.18. */
export const SEEDED_BUGS: readonly SeededBug[] = [
  { id: 'free-first', arch: 'x86', title: 'pages are freed before the flush', profile: { freePages: 'before-flush' } },
  {
    id: 'no-ipi-wait',
    arch: 'x86',
    title: 'the flush does not wait for its interrupts',
    switches: { waitForIpis: false },
  },
  { id: 'others-only', arch: 'x86', title: 'the CPU that flushes leaves itself out', switches: { localFlush: false } },
  {
    id: 'mprotect-no-flush',
    arch: 'x86',
    title: 'mprotect takes rights away and flushes nothing',
    profile: { changeProtection: 'none' },
  },
  { id: 'fork-no-flush', arch: 'x86', title: 'fork leaves writable entries in TLBs', profile: { forkFlush: 'none' } },
  { id: 'mremap-no-flush', arch: 'x86', title: 'mremap does not flush the old place', profile: { movePtes: 'none' } },
  {
    id: 'writeback-no-flush',
    arch: 'x86',
    title: 'a page is written out while CPUs may still write to it',
    profile: { mkcleanFlush: 'clear' },
  },
  {
    id: 'accessible-slot',
    arch: 'x86',
    title: 'whether to flush is asked of the entry that was just cleared',
    profile: { accessibleEntry: 'slot' },
  },
  {
    id: 'table-no-sync',
    arch: 'x86',
    title: 'page tables are freed as soon as they are unlinked',
    profile: { tableFree: 'no-sync' },
  },
  {
    id: 'tag-reused',
    arch: 'x86',
    title: 'an ASID goes to another mm without a flush',
    switches: { flushReusedSlot: false },
  },
  {
    id: 'lazy-walks',
    arch: 'x86',
    title: 'lazy CPUs are not told of freed tables',
    switches: { freedTablesReachLazy: false },
  },
  {
    id: 'vmap-at-once',
    arch: 'x86',
    title: 'an address of the kernel is used again before its flush',
    profile: { vmapReuse: 'at-once' },
  },
  {
    id: 'collapse-no-flush',
    arch: 'x86',
    title: 'small pages become a huge one, and TLBs keep them',
    profile: { collapseFlush: 'none' },
  },
  { id: 'no-dsb', arch: 'arm64', title: 'no DSB after TLBI', switches: { barrierAfter: 'none' } },
  { id: 'local-tlbi', arch: 'arm64', title: 'TLBI on this CPU alone', switches: { shareability: 'local' } },
  {
    id: 'tlbi-keeps-walks',
    arch: 'arm64',
    title: 'tables are freed, and walk caches keep pointers to them',
    switches: { freedTablesDropWalks: false },
  },
  { id: 'sfence-here', arch: 'riscv', title: 'SFENCE.VMA on this hart alone', switches: { reach: 'self' } },
  {
    id: 'sfence-no-wait',
    arch: 'riscv',
    title: 'remote fences are not waited for',
    switches: { waitForIpis: false },
  },
  { id: 'no-tlbsync', arch: 'powerpc-hash', title: 'no tlbsync after tlbie', switches: { tlbsync: false } },
  {
    id: 'hash-kept',
    arch: 'powerpc-hash',
    title: 'the entry goes from the page table, not from the hash table',
    switches: { hpteFlush: false },
  },
  {
    id: 'always-tlbiel',
    arch: 'powerpc-hash',
    title: 'tlbiel although other CPUs ran the mm',
    switches: { tlbiel: 'always' },
  },
  { id: 'radix-no-tlbsync', arch: 'powerpc-radix', title: 'no tlbsync after tlbie', switches: { tlbsync: false } },
  {
    id: 'radix-keeps-walks',
    arch: 'powerpc-radix',
    title: 'tables are freed, and page-walk caches keep pointers to them',
    switches: { gatherPwc: false },
  },
  { id: 'purge-here', arch: 's390', title: 'IPTE and IDTE purge on this CPU alone', switches: { globalPurge: 'here' } },
  {
    id: 'aged-lazily',
    arch: 's390',
    title: 'an entry becomes old by a lazy change, and nobody flushes after aging',
    switches: { clearYoung: 'lazy' },
  },
  {
    id: 'demap-here',
    arch: 'sparc64',
    title: 'no cross call: demap on this CPU alone',
    switches: { crossCall: false },
  },
  {
    id: 'first-half',
    arch: 'sparc64',
    title: 'of a huge page the first half alone is flushed',
    switches: { hugeHalves: 'first' },
  },
  {
    id: 'tlb-first',
    arch: 'sparc64',
    title: 'TLBs are demapped before the TSB is clean',
    switches: { flushOrder: 'tlb-first' },
  },
];

/** A config with a bug in it. */
export function withBug(config: StressConfig, { profile, switches }: SeededBug): StressConfig {
  return { ...config, profile: { ...config.profile, ...profile }, switches: { ...config.switches, ...switches } };
}
