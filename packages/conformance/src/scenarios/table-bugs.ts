/**
 * Historical bugs about page tables and huge pages, each in a buggy and a fixed variant.
 */
import { type Address, type Cell, entryTarget } from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  madviseDontneed,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  mremap,
  munmap,
  pmdOffset,
  retractPageTables,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { setHugeStage } from './huge-stage.ts';
import type { MappedStage } from './mapping-stage.ts';
import { PAGE, setStage, type Stage } from './stage.ts';
import { emptyFileTable } from './tables.ts';

interface HugeMapping extends Stage {
  readonly pmd: Cell;
  readonly first: Address;
}

const b25 = defineScenario<HugeMapping>({
  id: 'bug:B25/fixed',
  bug: 'B25',
  title:
    'NUMA hinting changes a huge entry while MADV_DONTNEED looks at it without the lock: it is never none in between',
  source: 'ced108037c2a (2017)',
  cpus: 2,
  profile: { changeProtection: 'gather', hugeProtect: 'gather', deferral: 'counter', finishSync: 'none', ringSlots: 0 },
  backend: { x86: { completedGen: 'none' } },
  setup(run) {
    const stage = setHugeStage(run, { mapped: 'huge', running: [0] });
    const pmd = run(0, (cpu) => pmdOffset(cpu, stage.mm, 0));
    const first = run(0, function* (cpu) {
      return entryTarget(yield* cpu.readOnce(pmd));
    });
    return { ...stage, pmd, first };
  },
  threads: ({ mm }) => [
    thread((cpu) => changeProtNuma(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
  ],
  final: (peek, { pmd, first }) =>
    entryTarget(peek(pmd)) === first ? 'MADV_DONTNEED is done, and the page is still mapped' : undefined,
  twins: [
    {
      id: 'bug:B25/buggy',
      why: 'the entry is cleared and set again, and MADV_DONTNEED takes it for unmapped',
      oracle: 'assert',
      property: 'SAC',
      profile: { hugeProtect: 'clear' },
    },
  ],
});

const b32 = defineScenario<Stage>({
  id: 'bug:B32/fixed',
  bug: 'B32',
  title: 'a table is freed without a batch, while a lazy CPU may speculate through it',
  source: 'd86564a2f085, a6f572084fbe (2018)',
  cpus: 2,
  profile: { tableFree: 'batched', tableBatchFails: true, tableRemoveOne: 'ipi-sync' },
  setup: (run) => setStage(run, { touched: [0], lazy: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'bug:B32/buggy',
      why: 'every CPU is interrupted, but nothing is flushed: walk caches keep the path to the table',
      oracle: 'O4',
      property: 'TUAF',
      profile: { tableRemoveOne: 'unflushed' },
    },
    {
      id: 'bug:B32/single-user',
      why: 'the mm has one user, so the table is freed at once: lazy CPUs are not counted as users',
      oracle: 'O4',
      property: 'TUAF',
      profile: { tableFree: 'single-user' },
    },
  ],
});

const b88 = defineScenario<Stage>({
  id: 'bug:B88/fixed',
  bug: 'B88',
  title: 'a table is freed without a batch on radix, where walks are cached apart: the flush drops them, too',
  source: '0ed1325967ab (2020)',
  cpus: 2,
  only: { archs: ['powerpc-radix'], why: 'it is about the page-walk cache of powerpc radix' },
  profile: { tableFree: 'rcu', tableBatchFails: true, tableRemoveOne: 'ipi-sync' },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'bug:B88/buggy',
      why: 'the slow path interrupts every CPU and invalidates nothing',
      oracle: 'O4',
      property: 'TUAF',
      profile: { tableRemoveOne: 'unflushed' },
    },
    {
      id: 'bug:B88/leaves-only',
      why: 'the flush drops leaves and keeps the page-walk cache',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'walks-kept',
    },
  ],
});

const b85 = defineScenario<MappedStage>({
  id: 'bug:B85/fixed',
  bug: 'B85',
  title: 'mremap moves a whole table of a file while retract_page_tables takes it away: it looks again under the locks',
  source: 'CVE-2024-50066, 6fa1066fc5d0 (2024)',
  cpus: 2,
  profile: { retract: 'deferred', pteMap: 'rcu', movePtes: 'range', movePmd: 'table', movePmdRmapLocks: true },
  setup: emptyFileTable,
  threads: ({ mm, mapping }) => [
    thread((cpu) => mremap(cpu, mm, 0, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 2 * PAGE)),
    thread((cpu) => retractPageTables(cpu, mapping, 0)),
  ],
  twins: [
    {
      id: 'bug:B85/buggy',
      why: 'what it saw before the locks goes to the new place: a table that is freed',
      oracle: ['O4', 'O5'],
      property: 'TUAF',
      profile: { movePmdCheck: 'before' },
    },
  ],
});

/** All of them. */
export const TABLE_BUGS: readonly AnyScenario[] = [b25, b32, b85, b88];
