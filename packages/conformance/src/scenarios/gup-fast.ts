/**
 * GUP-fast: a reference to a page, taken without locks, beside those who take pages and tables away.
 *
 * Tables: interrupts are off, so whoever waits for an interrupt of every CPU waits for the walker. Pages: a reference, and then a
 * second look; whoever takes the page away clears the entry first and counts references then.
 */
import type { Body } from '@mmu-gather/checker';
import { type Cpu, getPage, type Mm, Page, type Profile, putPage, type Steps } from '@mmu-gather/core/stepped';
import {
  collapseHugePage,
  gupFast,
  MADV_FREE,
  madvise,
  madviseDontneed,
  munmap,
  retractPageTables,
  tlbBatch,
  tryToUnmapFlush,
  tryToUnmapOne,
} from '@mmu-gather/mm/stepped';
import type { Hold } from '../quiet/clause.ts';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { setHugeStage } from './huge-stage.ts';
import { COLLAPSED, RETRACTED } from './outcomes.ts';
import { PAGE, setStage, type Stage, type Page0, withPage0 } from './stage.ts';
import { type MappedStage } from './mapping-stage.ts';
import { emptyFileTable, RETRACT_LOCKED } from './tables.ts';

/** Takes a reference, makes sure that it keeps the page, and drops it. */
export function* pinAndPut(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const page = yield* gupFast(cpu, mm, address, false);
  if (page === 0) return;
  const references = yield* cpu.readOnce(Page.at(page).refcount);
  cpu.claim.that(references > 0, 'O1', 'a pinned page was freed');
  yield* putPage(cpu, page);
}

/** Somebody takes the table away meanwhile. */
export function retractBesideGup({ mm, mapping }: MappedStage): readonly Body[] {
  return [thread((cpu) => retractPageTables(cpu, mapping, 0)), thread((cpu) => pinAndPut(cpu, mm, 0))];
}

const t19 = defineScenario<MappedStage>({
  id: 'T19/fixed',
  title: 'GUP-fast beside retract_page_tables, which frees the table as soon as every CPU has answered an interrupt',
  source: '2ba99c5e0881; core.md T19',
  cpus: 2,
  profile: { ...RETRACT_LOCKED, collapseSync: true },
  setup: emptyFileTable,
  threads: retractBesideGup,
  sometimes: [RETRACTED],
  twins: [
    {
      id: 'T19/naive',
      why: 'GUP-fast walks with interrupts on: nobody waits for it, as where a flush is no interrupt',
      oracle: 'O5',
      property: 'TUAF',
      profile: { gupIrqs: 'on' },
    },
  ],
});

const t19Ipi = defineScenario<MappedStage>({
  id: 'T19/flush-is-ipi',
  title: 'the same without an interrupt of every CPU: where the flush itself is one, it waits for GUP-fast',
  source: 'mm/khugepaged.c up to 6.0; negative control of the bug catalogue',
  cpus: 2,
  only: { archs: ['x86'], why: 'only its flushes are interrupts that wait for who has interrupts off' },
  profile: { ...RETRACT_LOCKED, collapseSync: false },
  setup: emptyFileTable,
  threads: retractBesideGup,
  sometimes: [RETRACTED],
  twins: [
    {
      id: 'T19/flush-is-ipi/no-wait',
      why: 'the initiator does not wait for its IPIs',
      oracle: ['O5', 'O4'],
      property: 'TUAF',
      wrong: 'no-wait',
    },
  ],
});

/** MADV_DONTNEED of a whole table beside GUP-fast, with one way to free tables. */
function ptReclaim(tableFree: Profile['tableFree']): AnyScenario {
  return defineScenario<Stage>({
    id: `gup-fast/pt-reclaim-${tableFree}`,
    title: `GUP-fast beside MADV_DONTNEED that empties its table; tables are freed by '${tableFree}'`,
    source: 'mm/gup.c, mm/pt_reclaim.c',
    cpus: 2,
    profile: { ptReclaim: true, pteMap: 'rcu', tableFree },
    setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
    threads: ({ mm }) => [
      thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
      thread((cpu) => pinAndPut(cpu, mm, 0)),
    ],
    twins: [
      {
        id: `gup-fast/pt-reclaim-${tableFree}/irqs-on`,
        why: 'GUP-fast walks with interrupts on',
        oracle: 'O5',
        property: 'TUAF',
        profile: { gupIrqs: 'on' },
      },
      {
        id: `gup-fast/pt-reclaim-${tableFree}/no-sync`,
        why: 'the table is freed as it is unlinked',
        oracle: ['O5', 'O4'],
        property: 'TUAF',
        profile: { tableFree: 'no-sync' },
      },
    ],
  });
}

const batchFails = defineScenario<Stage>({
  id: 'gup-fast/batch-fails',
  title: 'GUP-fast beside munmap that finds no page for its batch of tables: an interrupt of every CPU, then free',
  source: 'tlb_remove_table_one',
  cpus: 2,
  profile: {
    tableBatchFails: true,
    tableRemoveOne: 'ipi-sync',
    ptReclaim: false,
    tableFree: 'batched',
    pteMap: 'plain',
  },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => pinAndPut(cpu, mm, 0))],
  twins: [
    {
      id: 'gup-fast/batch-fails/irqs-on',
      why: 'GUP-fast walks with interrupts on',
      oracle: 'O5',
      property: 'TUAF',
      profile: { gupIrqs: 'on' },
    },
    {
      id: 'gup-fast/batch-fails/kept',
      why: 'GUP-fast never gives its reference back: a page that nobody maps any more is never freed',
      oracle: 'O17',
      threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => gupFast(cpu, mm, 0, false))],
    },
  ],
});

/** At the end: a page that somebody still holds is mapped. */
function pinnedIsMapped(peek: (cell: number) => number, { p0 }: Page0): string | undefined {
  const { refcount, mapcount } = Page.at(p0.page);
  if (peek(refcount) === 0 || peek(mapcount) !== 0) return undefined;
  return 'GUP-fast returned a page that was given up meanwhile: what is written to it, or read from it, is not what is mapped';
}

/** GUP-fast has taken a reference, or not. */
function pinned({ p0 }: Page0): readonly Hold[] {
  return [{ object: p0.page, references: [0, 1] }];
}

const discard = defineScenario<Page0>({
  id: 'gup-fast/discard',
  title:
    'GUP-fast takes a reference to a page that reclaim discards, its flush deferred: one of the two sees the other',
  source: 'mm/rmap.c try_to_unmap_one, 6c8e2a256915',
  cpus: 2,
  setup(run) {
    const stage = withPage0(run, setStage(run, { touched: [0], inKernel: [1] }));
    run(0, (cpu) => madvise(cpu, stage.mm, 0, PAGE, MADV_FREE));
    run(0, (cpu) => getPage(cpu, stage.p0.page));
    return stage;
  },
  threads: ({ mm, p0 }) => [
    thread(function* (cpu) {
      const batch = tlbBatch();
      yield* tryToUnmapOne(cpu, p0.page, mm, 0, batch);
      yield* tryToUnmapFlush(cpu, batch);
      yield* putPage(cpu, p0.page);
    }),
    thread((cpu) => gupFast(cpu, mm, 0, false)),
  ],
  holds: pinned,
  final: pinnedIsMapped,
  twins: [
    {
      id: 'gup-fast/discard/no-recheck',
      why: 'GUP-fast does not look at the entry again once it has the reference',
      oracle: 'assert',
      property: 'LOSTW',
      profile: { gupRecheck: 'none' },
    },
  ],
});

const collapse = defineScenario<Page0>({
  id: 'gup-fast/collapse',
  title:
    'GUP-fast beside the collapse of its range: collapse sees the reference, or GUP-fast sees that the table is gone',
  source: '70cbc3cc78a9',
  cpus: 2,
  setup(run) {
    const stage = setHugeStage(run, { mapped: 'small', touched: [0], inKernel: [1] });
    return withPage0(run, stage);
  },
  threads: ({ mm, p0 }) => [
    thread((cpu) => collapseHugePage(cpu, mm, 0)),
    thread(function* (cpu) {
      const page = yield* gupFast(cpu, mm, 0, true);
      if (page !== 0 && page !== p0.page) yield* putPage(cpu, page);
    }),
  ],
  holds: pinned,
  final: pinnedIsMapped,
  sometimes: [COLLAPSED],
  twins: [
    {
      id: 'gup-fast/collapse/no-count',
      why: 'collapse does not look at the references',
      oracle: 'assert',
      property: 'LOSTW',
      profile: { collapseRefs: false },
    },
    {
      id: 'gup-fast/collapse/pte-only',
      why: 'GUP-fast looks at the PTE alone again, and nobody waits for it (interrupts on, as where a flush is no interrupt)',
      oracle: 'assert',
      property: 'LOSTW',
      profile: { gupIrqs: 'on', gupRecheck: 'pte' },
    },
  ],
});

/** All of them. */
export const GUP_FAST: readonly AnyScenario[] = [
  t19,
  t19Ipi,
  ptReclaim('batched'),
  ptReclaim('immediate'),
  ptReclaim('ipi-sync'),
  ptReclaim('rcu'),
  batchFails,
  discard,
  collapse,
];
