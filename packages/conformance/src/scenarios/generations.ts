/**
 * Deferral by generation, with the record in the page of the table or in the VMA: traces T1 to T4 and T30, and the naive forms that
 * core.md lists for generations. Twins whose id begins with `rfc/` are what the RFC of 2021 posted, see docs/rfc-2021.md.
 */
import type { Body } from '@mmu-gather/checker';
import {
  type Cpu,
  type MmuGather,
  Page,
  PG_LARGE,
  type Profile,
  type PteAt,
  type Steps,
  tlbEndPtes,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbRemoveTlbEntry,
  tlbStartPtes,
} from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  madvise,
  madviseDontneed,
  MADV_FREE,
  migrateMisplacedPage,
  munmap,
  ptepGetAndClear,
  setTlbUbcFlushPending,
  tlbBatch,
  tryToUnmapFlush,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, thread } from '../scenario.ts';
import { changeDeferred } from './deferred-change.ts';
import { pendingReader } from './pending-reader.ts';
import { RFC } from './rfc-source.ts';
import { cameFromAnotherMm, type Mapping, mappingOf, PAGE, setStage, type Stage, toUser, keptPages } from './stage.ts';

/** What generations need: everybody who defers has a gather, and flushes say what is completed. Tables go with their VMAs only. */
export const GENERATIONS: Partial<Profile> = {
  deferral: 'table-gen',
  changeProtection: 'gather',
  ptReclaim: false,
};
/** The backend's part. */
export const COMPLETED: BackendOverrides = { x86: { completedGen: 'after-flush' } };

/** CPU 1 ran the mm before, and arrives while two pages in two tables are zapped. */
const t1 = defineScenario<Stage>({
  id: 'T1/fixed',
  title: 'one generation for each deferral: a CPU that arrives between two of them',
  source: `${RFC}, patch 15 and his mail of 2021-02-01`,
  cpus: 2,
  profile: GENERATIONS,
  backend: COMPLETED,
  setup: (run) => setStage(run, { pages: 4, touched: [1, 2], running: [0] }),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, PAGE, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'T1/naive',
      why: 'the second deferral reuses the generation of the first',
      oracle: 'O1',
      property: 'FUAF',
      profile: { newGeneration: 'reused' },
    },
    {
      id: 'rfc/D3a',
      why: 'as posted: a generation is made only if somebody moved it since the last deferral',
      oracle: 'O1',
      property: 'FUAF',
      profile: { newGeneration: 'reused', deferral: 'vma-gen' },
    },
    {
      id: 'T1/bump-first',
      why: 'the generation is made before the changes: a CPU catches up to it, and caches what is changed then',
      oracle: 'O1',
      property: 'FUAF',
      profile: { recordDeferral: 'start' },
    },
  ],
});

const t2 = defineScenario<Stage>({
  id: 'T2/fixed',
  title: 'one gather, two flushes, because its batch is full: each has a generation of its own',
  source: `${RFC}, patch 15 and his mail of 2021-02-01`,
  cpus: 2,
  profile: { ...GENERATIONS, gatherBatch: { bundle: 2, batch: 2, batches: 0, spare: 1 } },
  backend: COMPLETED,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'T2/naive',
      why: 'the second flush goes to the generation that everybody has already',
      oracle: 'O1',
      property: 'FUAF',
      profile: { newGeneration: 'reused', skipCompleted: 'never' },
    },
    {
      id: 'rfc/D3b',
      why: 'as posted: the second flush goes to a generation that is completed',
      oracle: 'O1',
      property: 'FUAF',
      profile: { newGeneration: 'reused', skipCompleted: 'past', deferral: 'vma-gen' },
    },
  ],
});

const t3 = defineScenario<Stage>({
  id: 'T3/fixed',
  title: 'a gather that only frees a page table never recorded a deferral, and takes a generation to flush',
  source: `${RFC}, patch 15`,
  cpus: 2,
  profile: GENERATIONS,
  backend: COMPLETED,
  setup(run) {
    const stage = setStage(run);
    run(0, (cpu) => madviseDontneed(cpu, stage.mm, 0, 2 * PAGE));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'T3/naive',
      why: 'the flush goes out with generation 0, which CPUs that are up to date ignore',
      oracle: 'O4',
      property: 'TUAF',
      profile: { untrackedGen: 'as-recorded' },
    },
    {
      id: 'rfc/D4',
      why: 'as posted: a gather that only frees tables has no generation',
      oracle: 'O4',
      property: 'TUAF',
      profile: { untrackedGen: 'as-recorded', deferral: 'vma-gen', skipCompleted: 'past' },
    },
  ],
});

const t4 = defineScenario<Stage>({
  id: 'T4/fixed',
  title: 'a CPU arrives after an entry was recorded and before its table is unlinked',
  source: `${RFC}, patch 15`,
  cpus: 2,
  profile: GENERATIONS,
  backend: COMPLETED,
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'T4/naive',
      why: 'the table is flushed with the generation of its last entry, which the CPU has already',
      oracle: 'O4',
      property: 'TUAF',
      profile: { untrackedGen: 'own-if-none' },
    },
    {
      id: 'rfc/D5',
      why: 'as posted: no generation, and no barrier, between unlinking a table and the read of mm_cpumask',
      oracle: 'O4',
      property: 'TUAF',
      profile: { untrackedGen: 'as-recorded', deferral: 'vma-gen', skipCompleted: 'past' },
    },
  ],
});

/** NUMA hinting takes a page away and defers; migration finds it gone and asks whether that is flushed. */
function hintAndMigrate(id: string, deferral: Profile['deferral'], where: string): AnyScenario {
  return defineScenario<Stage>({
    id,
    title: `migration of a page whose hinting is not flushed yet: pending by the generation in the ${where}`,
    source: `${RFC}, patches 15 and 16`,
    cpus: 3,
    profile: { ...GENERATIONS, deferral },
    backend: COMPLETED,
    setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2], inKernel: [1] }),
    threads: ({ mm }) => [
      thread((cpu) => changeProtNuma(cpu, mm, 0, PAGE)),
      thread((cpu) => migrateMisplacedPage(cpu, mm, 0)),
    ],
    twins: [
      {
        id: `${id}/inverted`,
        why: 'the comparison is inverted, as posted (D1): what was just deferred reads as settled',
        oracle: ['O9', 'O1', 'O6'],
        property: 'LOSTW',
        profile: { genPending: 'inverted' },
      },
      {
        id: `${id}/record-late`,
        why: 'the generation is made and recorded when the gather flushes, after the PTL was released',
        oracle: ['O9', 'O1', 'O6'],
        property: 'LOSTW',
        profile: { recordDeferral: 'flush' },
      },
      {
        id: `${id}/completed-first`,
        why: 'the generation counts as completed before the other CPUs have acknowledged',
        oracle: ['O9', 'O11', 'O1', 'O6'],
        property: 'LOSTW',
        backend: { x86: { completedGen: 'before-flush' } },
      },
    ],
  });
}

const inTable = hintAndMigrate('rfc/D1-table', 'table-gen', 'table');
const inVma = hintAndMigrate('rfc/D1-vma', 'vma-gen', 'VMA');

const gap = defineScenario<Stage>({
  id: 'generations/gap',
  title: 'a ranged flush beside an open gather: it may complete its generation only if it flushes older ones, too',
  source: `${RFC}, patch 8`,
  cpus: 3,
  profile: GENERATIONS,
  backend: COMPLETED,
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], running: [0, 1, 2], inKernel: [1] }),
  threads: ({ mm }, kernel) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => kernel.backend.flushTlbPage(cpu, mm, 2 * PAGE)),
  ],
  twins: [
    {
      id: 'generations/gap/ranged',
      why: 'the newer flush is ranged on every CPU, and completes the older generation with its own',
      oracle: ['O1', 'O9', 'O11', 'O12'],
      property: 'FUAF',
      backend: { x86: { gapRule: false } },
    },
  ],
});

const skipTables = defineScenario<Stage>({
  id: 'generations/skip-with-tables',
  title: 'a generation that others completed lets a flush be skipped, but not if tables were unlinked',
  source: 'core.md 8.7, form 12',
  cpus: 2,
  profile: GENERATIONS,
  backend: COMPLETED,
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], inKernel: [1] }),
  threads: ({ mm }, kernel) => [
    thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)),
    thread(function* (cpu) {
      yield* kernel.backend.flushTlbMm(cpu, mm);
      yield* cpu.enterUser(0);
    }),
  ],
  twins: [
    {
      id: 'generations/skip-with-tables/skipped',
      why: 'the flush is skipped although a table was unlinked after the generation',
      oracle: 'O4',
      property: 'TUAF',
      profile: { skipCompleted: 'tables-too' },
    },
  ],
});

interface TwoPages extends Stage {
  readonly p0: Mapping;
  readonly p1: Mapping;
}

function* clearAndNote(
  cpu: Cpu,
  tlb: MmuGather,
  { ptl, pte, table }: Mapping,
  at: number,
  bracket: boolean,
): Steps<void> {
  yield* cpu.spinLock(ptl);
  if (bracket) yield* tlbStartPtes(cpu, tlb);
  yield* ptepGetAndClear(cpu, tlb.mm, at, pte);
  tlbRemoveTlbEntry(cpu, tlb, at, 0);
  cpu.claim.observed(cpu.read(tlb.mm.pgd), { start: at, end: at + PAGE });
  if (bracket) yield* tlbEndPtes(cpu, tlb, table);
  yield* cpu.spinUnlock(ptl);
}

const noBracket = defineScenario<TwoPages>({
  id: 'generations/no-bracket',
  title: 'an entry is changed in a bracket and one without; somebody else completes the generation of the first',
  source: `${RFC}, patch 15: entries of upper tables have no tlb_start_ptes`,
  cpus: 2,
  only: { archs: ['x86'], why: 'only its flushes say which generations are completed' },
  profile: GENERATIONS,
  backend: COMPLETED,
  setup(run) {
    const stage = setStage(run, { inKernel: [1] });
    return { ...stage, p0: mappingOf(run, stage.mm, 0), p1: mappingOf(run, stage.mm, PAGE) };
  },
  threads: ({ mm, p0, p1 }, kernel) => [
    thread(function* (cpu) {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* clearAndNote(cpu, tlb, p0, 0, true);
      yield* clearAndNote(cpu, tlb, p1, PAGE, false);
      yield* tlbFinishMmu(cpu, tlb, 0, 2 * PAGE);
    }),
    thread(function* (cpu) {
      yield* kernel.backend.flushTlbMm(cpu, mm);
      yield* cpu.enterUser(0);
    }),
  ],
  holds: ({ p0, p1 }) => keptPages([p0.page, p1.page]),
  twins: [
    {
      id: 'generations/no-bracket/as-recorded',
      why: 'the gather flushes to the generation that it has recorded, which is completed',
      oracle: ['O10', 'O11'],
      property: 'SAC',
      profile: { untrackedGen: 'own-if-none' },
    },
  ],
});

interface Large extends Stage {
  readonly p1: Mapping;
}

/** MADV_FREE drops the PTL to split a large folio, and somebody asks about the entry that it has changed already. */
const t30 = defineScenario<Large>({
  id: 'T30/fixed',
  title: 'MADV_FREE drops the PTL to split a large folio: what it has changed is recorded before',
  source: `${RFC}, patches 13 and 15; mm/madvise.c madvise_free_pte_range`,
  cpus: 3,
  profile: { ...GENERATIONS, madviseSplits: true },
  backend: COMPLETED,
  setup(run) {
    const stage = setStage(run, { running: [0, 1, 2], inKernel: [1] });
    const p1 = mappingOf(run, stage.mm, PAGE);
    run(0, (cpu) => cpu.atomicOr(Page.at(p1.page).flags, PG_LARGE));
    return { ...stage, p1 };
  },
  threads: ({ mm }) => [
    thread((cpu) => madvise(cpu, mm, 0, 2 * PAGE, MADV_FREE)),
    thread((cpu) => pendingReader(cpu, mm, 0)),
  ],
  final: (peek, { p1 }) =>
    (peek(Page.at(p1.page).flags) & PG_LARGE) === 0 ? undefined : 'a part of a large folio was given up',
  twins: [
    {
      id: 'T30/naive',
      why: 'the PTL is dropped inside the bracket, and the reader finds an entry that was changed and no generation',
      oracle: 'O9',
      property: 'LOSTW',
      profile: { madviseRelock: 'stays-open' },
    },
    {
      id: 'rfc/D10',
      why: 'as posted: no tlb_end_ptes before madvise drops the PTL, nothing in the VMA either',
      oracle: 'O9',
      property: 'LOSTW',
      profile: { madviseRelock: 'stays-open', deferral: 'vma-gen' },
    },
  ],
});

interface TwoTables extends Stage {
  readonly p0: Mapping;
  readonly p2: Mapping;
}

/**
 * Reclaim takes page 0 away and flushes its batch, which completes a generation.
 * @param newest that of the mm when the deferral is noted, rather than the deferral's own
 */
function* reclaimPage0(cpu: Cpu, { mm, p0 }: TwoTables, newest: boolean): Steps<void> {
  const { ptl, table, pte } = p0;
  const at: PteAt = { mm, vma: vmaLookup(cpu, mm, 0)!, table, pte, address: 0 };
  const batch = tlbBatch();
  yield* cpu.spinLock(ptl);
  yield* setTlbUbcFlushPending(cpu, batch, at, yield* ptepGetAndClear(cpu, mm, at.address, pte));
  if (newest) batch.gens.set(mm.address, yield* cpu.readOnce(mm.tlbGen));
  yield* cpu.spinUnlock(ptl);
  yield* tryToUnmapFlush(cpu, batch);
}

/** CPU 1 zaps page 2, under another PTL. CPU 2 arrives: it has caught up with reclaim's generation, and is not in the batch. */
function besideZap(newest: boolean): (env: TwoTables) => readonly Body[] {
  return (env) => [
    thread((cpu) => reclaimPage0(cpu, env, newest)),
    thread((cpu) => changeDeferred(cpu, env.mm, env.p2, 2 * PAGE, () => 0)),
    thread((cpu) => toUser(cpu, env.mm)),
  ];
}

const batch = defineScenario<TwoTables>({
  id: 'generations/batch-completes',
  title: "reclaim's batch completes the generation of its own deferral, beside a zap and a CPU that arrives",
  cpus: 3,
  profile: { ...GENERATIONS, batchedPending: 'generation', nestedFinish: 'whole-mm' },
  backend: COMPLETED,
  profiles: ['linux-6.18'],
  setup(run) {
    const stage = setStage(run, { pages: 4, touched: [0, 2], inKernel: [1] });
    return { ...stage, p0: mappingOf(run, stage.mm, 0), p2: mappingOf(run, stage.mm, 2 * PAGE) };
  },
  threads: besideZap(false),
  // What both have taken from their entries.
  holds: ({ p0, p2 }) => keptPages([p0.page, p2.page]),
  twins: [
    {
      id: 'generations/batch-completes/newest',
      why: "it completes the mm's newest generation, which covers the zap: nobody flushes the CPU that arrived in between",
      oracle: 'O11',
      property: 'FUAF',
      threads: besideZap(true),
    },
  ],
});

/** All of them. */
export const GENERATION_SCENARIOS: readonly AnyScenario[] = [
  t1,
  t2,
  t3,
  t4,
  t30,
  inTable,
  inVma,
  gap,
  skipTables,
  noBracket,
  batch,
];
