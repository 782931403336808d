/**
 * Machines whose flushes are broadcast: no CPU is interrupted, so a flush waits for nobody who walks page tables with interrupts off.
 * On x86 they are those with INVLPGB, on arm64 and s390 all; the same races as with interrupts, and what else tables need then.
 */
import { collapseHugePage, madviseDontneed, munmap, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread, type Twin } from '../scenario.ts';
import { COMPLETED, GENERATIONS } from './generations.ts';
import { pinAndPut, retractBesideGup } from './gup-fast.ts';
import { setHugeStage } from './huge-stage.ts';
import type { MappedStage } from './mapping-stage.ts';
import { cameFromAnotherMm, PAGE, setStage, type Stage, toUser } from './stage.ts';
import { emptyFileTable, RETRACT_LOCKED } from './tables.ts';

/** x86 with INVLPGB; the others broadcast anyway. */
export const BROADCAST: BackendOverrides = { x86: { shootdown: 'broadcast' } };

/** Architectures that can tell all CPUs without an interrupt. */
export const BROADCASTING: Only = {
  archs: ['x86', 'arm64', 'powerpc-radix', 's390'],
  why: 'a flush is told to all CPUs without an interrupt',
};

const INVLPGB: Only = { archs: ['x86'], why: 'it has generations beside broadcasts' };

/** The twin that every broadcast must refute. */
function noSync(scenario: string): Twin<Stage> {
  return {
    id: `${scenario}/no-sync`,
    why: 'the initiator does not wait for its broadcast (no TLBSYNC, no DSB ISH, IPTE and IDTE of this CPU alone)',
    oracle: ['O1', 'O2', 'O4', 'O6', 'O10', 'O11'],
    property: 'FUAF',
    backend: {
      x86: { tlbsync: false },
      arm64: { barrierAfter: 'none' },
      'powerpc-radix': { tlbsync: false, waitForIpis: false },
      s390: { globalPurge: 'here' },
    },
  };
}

const running = defineScenario<Stage>({
  id: 'broadcast/munmap',
  title:
    'munmap of a whole table while another thread runs, and a third CPU is lazy: all are reached without an interrupt',
  source: 'arch/x86/mm/tlb.c broadcast_tlb_flush, 6.15',
  cpus: 3,
  only: BROADCASTING,
  backend: BROADCAST,
  setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2], lazy: [2] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [noSync('broadcast/munmap')],
});

const batchFails = defineScenario<Stage>({
  id: 'broadcast/batch-fails',
  title:
    'GUP-fast beside munmap that finds no page for its batch of tables: the broadcast waits for nobody, the interrupt after it does',
  source: 'mm/mmu_gather.c __tlb_remove_table_one, tlb_remove_table_sync_one',
  cpus: 2,
  only: BROADCASTING,
  backend: BROADCAST,
  profile: {
    tableBatchFails: true,
    tableRemoveOne: 'ipi-sync',
    ptReclaim: false,
    tableFree: 'ipi-sync',
    pteMap: 'plain',
  },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => pinAndPut(cpu, mm, 0))],
  twins: [
    {
      id: 'broadcast/batch-fails/irqs-on',
      why: 'GUP-fast walks with interrupts on: nobody waits for it',
      oracle: 'O5',
      property: 'TUAF',
      profile: { gupIrqs: 'on' },
    },
  ],
});

const arriving = defineScenario<Stage>({
  id: 'broadcast/thread-arrives',
  title: 'a thread comes back to the mm, with entries of old, while a flush is broadcast',
  cpus: 2,
  only: BROADCASTING,
  backend: BROADCAST,
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [noSync('broadcast/thread-arrives')],
});

const faulting = defineScenario<Stage>({
  id: 'broadcast/dontneed-fault',
  title: 'MADV_DONTNEED against a thread that stores to the page and faults',
  cpus: 2,
  only: BROADCASTING,
  backend: BROADCAST,
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)), thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [noSync('broadcast/dontneed-fault')],
});

/** MADV_DONTNEED of a whole table beside GUP-fast, with a way to free tables that waits for it. */
function ptReclaim(tableFree: 'rcu' | 'ipi-sync'): AnyScenario {
  return defineScenario<Stage>({
    id: `broadcast/gup-fast-${tableFree}`,
    title: `GUP-fast beside MADV_DONTNEED that empties its table, flushed by broadcast, tables freed by '${tableFree}'`,
    source: 'mm/mmu_gather.c: why MMU_GATHER_RCU_TABLE_FREE',
    cpus: 2,
    only: BROADCASTING,
    backend: BROADCAST,
    profile: { ptReclaim: true, pteMap: 'rcu', tableFree },
    setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
    threads: ({ mm }) => [
      thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
      thread((cpu) => pinAndPut(cpu, mm, 0)),
    ],
    twins: [
      {
        id: `broadcast/gup-fast-${tableFree}/batched`,
        why: 'the table is freed after the flush, which waits for nobody who has interrupts off',
        oracle: 'O5',
        property: 'TUAF',
        profile: { tableFree: 'batched' },
      },
      {
        id: `broadcast/gup-fast-${tableFree}/immediate`,
        why: 'and so is one that is flushed by itself',
        oracle: 'O5',
        property: 'TUAF',
        profile: { tableFree: 'immediate' },
      },
    ],
  });
}

const t19 = defineScenario<MappedStage>({
  id: 'T19/broadcast',
  title: 'GUP-fast beside retract_page_tables: after the flush an interrupt of every CPU, and then free',
  source: '2ba99c5e0881; core.md T19',
  cpus: 2,
  only: BROADCASTING,
  backend: BROADCAST,
  profile: { ...RETRACT_LOCKED, collapseSync: true },
  setup: emptyFileTable,
  threads: retractBesideGup,
  twins: [
    {
      id: 'T19/broadcast/naive',
      why: 'the table is freed as soon as the flush returns',
      oracle: 'O5',
      property: 'TUAF',
      profile: { collapseSync: false },
    },
  ],
});

const collapsed = defineScenario<Stage>({
  id: 'broadcast/gup-fast-collapse',
  title:
    'GUP-fast beside khugepaged: the table waits below the huge page, and is freed with it at once; collapse has waited for GUP-fast',
  source: '2ba99c5e0881',
  cpus: 2,
  only: BROADCASTING,
  backend: BROADCAST,
  profiles: ['linux-6.18'],
  profile: { collapseSync: true },
  setup: (run) => setHugeStage(run, { mapped: 'small', touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* collapseHugePage(cpu, mm, 0);
      yield* madviseDontneed(cpu, mm, 0, 2 * PAGE);
    }),
    thread((cpu) => pinAndPut(cpu, mm, 0)),
  ],
  twins: [
    {
      id: 'broadcast/gup-fast-collapse/no-sync',
      why: 'the flush waits for nobody who has interrupts off: GUP-fast walks a table that is freed',
      oracle: 'O5',
      property: 'TUAF',
      profile: { collapseSync: false },
    },
  ],
});

const gap = defineScenario<Stage>({
  id: 'broadcast/gap',
  title:
    'a ranged broadcast beside an open gather: no CPU compares generations, so it must not complete what it jumps over',
  source: 'core.md 4c, C3',
  cpus: 3,
  only: INVLPGB,
  profile: GENERATIONS,
  backend: { x86: { ...BROADCAST['x86'], ...COMPLETED['x86'] } },
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], running: [0, 1, 2], inKernel: [1] }),
  threads: ({ mm }, kernel) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => kernel.backend.flushTlbPage(cpu, mm, 2 * PAGE)),
  ],
  twins: [
    {
      id: 'broadcast/gap/ranged',
      why: 'the newer flush covers its own page, and completes the older generation with its own',
      oracle: ['O1', 'O9', 'O11', 'O12'],
      property: 'FUAF',
      backend: { x86: { gapRule: false } },
    },
  ],
});

/** All of them. */
export const BROADCASTS: readonly AnyScenario[] = [
  running,
  batchFails,
  arriving,
  faulting,
  gap,
  ptReclaim('rcu'),
  ptReclaim('ipi-sync'),
  t19,
  collapsed,
];
