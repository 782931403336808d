/**
 * Page-table pages: unlinked by one CPU, walked by the hardware of others and by software under RCU. GUP-fast has a file of its
 * own.
 *
 *     tableFree      the hardware     interrupts off     rcu_read_lock
 *     batched        holds            holds on x86       refuted
 *     immediate      holds            holds on x86       refuted
 *     ipi-sync       holds            holds              refuted
 *     rcu            holds            holds              holds
 *
 * "On x86": a flush is an interrupt there.
 */
import type { Profile } from '@mmu-gather/core/stepped';
import { doUserAddrFault, madviseDontneed, munmap, retractPageTables } from '@mmu-gather/mm/stepped';
import type { Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type MappedStage, setMappedStage } from './mapping-stage.ts';
import { PAGE, setStage, type Stage } from './stage.ts';

/** PT_RECLAIM with what it needs. */
const PT_RECLAIM: Partial<Profile> = { ptReclaim: true, pteMap: 'rcu', tableFree: 'rcu', tableRemoveOne: 'rcu' };

const ptReclaimFault = defineScenario<Stage>({
  id: 'tables/pt-reclaim-fault',
  title: 'MADV_DONTNEED frees the table that a fault of another thread is on its way to lock',
  source: 'mm/pt_reclaim.c (6.14); pte_offset_map_lock, 0d940a9b270b',
  cpus: 2,
  profile: PT_RECLAIM,
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => doUserAddrFault(cpu, mm, PAGE, true)),
  ],
  twins: [
    {
      id: 'tables/pt-reclaim-fault/plain',
      why: 'the fault gets from the upper entry to the lock without RCU',
      oracle: ['O5', 'O17'],
      property: 'TUAF',
      profile: { pteMap: 'plain' },
    },
    {
      id: 'tables/pt-reclaim-fault/batched',
      why: 'the table is freed with the flush, whose interrupt does not wait for readers under RCU',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableFree: 'batched' },
    },
    {
      id: 'tables/pt-reclaim-fault/immediate',
      why: 'the table is flushed and freed by itself, and the fault is still on its way to it',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableFree: 'immediate' },
    },
    {
      id: 'tables/pt-reclaim-fault/ipi-sync',
      why: 'an interrupt of every CPU is no grace period',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableFree: 'ipi-sync' },
    },
  ],
});

/** The queue of a gather is full with one page. */
const ONE_PAGE: Partial<Profile> = { gatherBatch: { bundle: 1, batch: 1, batches: 0, spare: 0 } };

const ptReclaimRefilled = defineScenario<Stage>({
  id: 'tables/pt-reclaim-refilled',
  title:
    'MADV_DONTNEED lets go of a table in between, and a fault fills it again: it stays; or the fault comes later, and finds a new table in its place',
  source: 'mm/pt_reclaim.c try_to_free_pte (6.14); pte_offset_map_lock, 0d940a9b270b',
  cpus: 2,
  profile: { ...PT_RECLAIM, ...ONE_PAGE },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* madviseDontneed(cpu, mm, 0, 2 * PAGE);
      yield* doUserAddrFault(cpu, mm, PAGE, true);
    }),
    thread((cpu) => doUserAddrFault(cpu, mm, 0, true)),
  ],
  twins: [
    {
      id: 'tables/pt-reclaim-refilled/plain',
      why: 'the fault does not look whether the table that it locks is still there',
      oracle: ['O5', 'O10', 'O17'],
      property: 'TUAF',
      profile: { pteMap: 'plain' },
    },
  ],
});

const batchFails = defineScenario<Stage>({
  id: 'tables/batch-fails',
  title: 'no page for the batch of tables: the one table is freed a grace period after its own flush',
  source: '__tlb_remove_table_one with PT_RECLAIM (6.14)',
  cpus: 2,
  profile: { ...PT_RECLAIM, tableBatchFails: true },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => doUserAddrFault(cpu, mm, PAGE, true)),
  ],
  twins: [
    {
      id: 'tables/batch-fails/ipi-sync',
      why: 'the fallback of 6.13 and before: an interrupt of every CPU, then free',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableRemoveOne: 'ipi-sync' },
    },
  ],
});

/** retract_page_tables up to 6.4: under mmap_lock, and the table is freed when its flush has returned, or all CPUs were interrupted. */
export const RETRACT_LOCKED: Partial<Profile> = {
  retract: 'mmap-lock',
  pteMap: 'plain',
  ptReclaim: false,
  tableFree: 'batched',
};

/** A file mapping of one table's span, without entries in the table. CPU 1 is in a system call. */
export function emptyFileTable(run: Run): MappedStage {
  const stage = setMappedStage(run, { pages: 2, stored: [0], inKernel: [1] });
  run(0, (cpu) => madviseDontneed(cpu, stage.mm, 0, PAGE));
  return stage;
}

const retractWalker = defineScenario<MappedStage>({
  id: 'tables/retract-deferred',
  title: 'retract_page_tables without mmap_lock beside a walker that holds it for read',
  source: '1d65b771bc08 (6.5)',
  cpus: 2,
  profile: { retract: 'deferred', pteMap: 'rcu' },
  setup: emptyFileTable,
  threads: ({ mm, mapping }) => [
    thread((cpu) => retractPageTables(cpu, mapping, 0)),
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
  ],
  twins: [
    {
      id: 'tables/retract-deferred/immediate',
      why: 'the table is freed at once: the walker has seen it and has no lock of it yet',
      oracle: 'O5',
      property: 'TUAF',
      profile: { retract: 'immediate' },
    },
    {
      id: 'tables/retract-deferred/plain',
      why: 'the grace period waits for nobody: the walker is no reader',
      oracle: 'O5',
      property: 'TUAF',
      profile: { pteMap: 'plain' },
    },
  ],
});

const retractLocked = defineScenario<MappedStage>({
  id: 'tables/retract-mmap-lock',
  title: 'retract_page_tables with mmap_lock for write: no walker is there, the table is freed at once',
  source: 'mm/khugepaged.c up to 6.4',
  cpus: 2,
  profile: RETRACT_LOCKED,
  setup: emptyFileTable,
  threads: ({ mm, mapping }) => [
    thread((cpu) => retractPageTables(cpu, mapping, 0)),
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
  ],
  twins: [
    {
      id: 'tables/retract-mmap-lock/unlocked',
      why: 'the same without mmap_lock',
      oracle: 'O5',
      property: 'TUAF',
      profile: { retract: 'immediate' },
    },
  ],
});

const reclaimLazy = defineScenario<Stage>({
  id: 'T18/pt-reclaim',
  title: 'MADV_DONTNEED frees a table through which a lazy CPU may speculate',
  source: '2ff6ddf19c0e; mm/pt_reclaim.c (6.14)',
  cpus: 2,
  profile: PT_RECLAIM,
  setup: (run) => setStage(run, { touched: [0], lazy: [1] }),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'T18/pt-reclaim/naive',
      why: 'lazy CPUs are left out although a table is freed: no grace period waits for the hardware',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'walks-kept',
    },
  ],
});

/** munmap of two tables while another thread runs, with one way to free tables. */
function freeing(tableFree: Profile['tableFree'], why: string, profile: Partial<Profile>): AnyScenario {
  return defineScenario<Stage>({
    id: `tables/munmap-${tableFree}`,
    title: `munmap of two tables, freed by '${tableFree}', while another thread runs`,
    source: 'mm/mmu_gather.c',
    cpus: 2,
    profile: { tableFree },
    setup: (run) => setStage(run, { pages: 4, touched: [0, 2] }),
    threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 4 * PAGE))],
    twins: [{ id: `tables/munmap-${tableFree}/naive`, why, oracle: ['O4', 'O1'], property: 'TUAF', profile }],
  });
}

/** All of them. */
export const TABLES: readonly AnyScenario[] = [
  ptReclaimFault,
  ptReclaimRefilled,
  batchFails,
  retractWalker,
  retractLocked,
  reclaimLazy,
  freeing('batched', 'tables are freed as they are unlinked', { tableFree: 'no-sync' }),
  freeing('rcu', 'the grace period begins before the flush', { freePages: 'before-flush' }),
  freeing('ipi-sync', 'every CPU is interrupted, but before the flush', { freePages: 'before-flush' }),
  freeing('immediate', 'tables are freed as they are unlinked', { tableFree: 'no-sync' }),
];
