/**
 * Collapse: khugepaged exchanges small pages for a huge one while other CPUs run, fault, or are lazy.
 */
import {
  collapseHugePage,
  contextSwitch,
  doUserAddrFault,
  mprotect,
  munmap,
  retractPageTables,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { setHugeStage } from './huge-stage.ts';
import { COLLAPSED, RETRACTED } from './outcomes.ts';
import { noWait, PAGE, type Stage, syscall } from './stage.ts';
import { type MappedStage } from './mapping-stage.ts';
import { emptyFileTable } from './tables.ts';

const running = defineScenario<Stage>({
  id: 'collapse/running-thread',
  title: 'khugepaged collapses pages that another thread is writing',
  source: 'mm/khugepaged.c collapse_huge_page',
  cpus: 2,
  setup: (run) => setHugeStage(run, { mapped: 'small' }),
  threads: ({ mm }) => [thread((cpu) => collapseHugePage(cpu, mm, 0))],
  sometimes: [COLLAPSED],
  twins: [
    {
      id: 'collapse/running-thread/no-flush',
      why: 'the table is unlinked and not flushed: the other CPU writes to pages that are being copied',
      oracle: ['O9', 'O1', 'O6', 'O13', 'O14'],
      property: 'LOSTW',
      profile: { collapseFlush: 'none' },
    },
  ],
});

const fault = defineScenario<Stage>({
  id: 'collapse/fault',
  title: 'khugepaged collapses a range with a hole, and another thread faults in the hole',
  source: 'mm/khugepaged.c collapse_huge_page',
  cpus: 2,
  setup: (run) => setHugeStage(run, { mapped: 'small', touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => collapseHugePage(cpu, mm, 0)),
    thread(function* (cpu) {
      yield* doUserAddrFault(cpu, mm, PAGE, true);
      yield* cpu.enterUser(0);
    }),
  ],
  sometimes: [COLLAPSED],
  twins: [
    {
      id: 'collapse/fault/no-flush',
      why: 'the table is unlinked and not flushed',
      oracle: ['O9', 'O1', 'O6', 'O13', 'O14'],
      property: 'LOSTW',
      profile: { collapseFlush: 'none' },
    },
  ],
});

const none = defineScenario<Stage>({
  id: 'collapse/none',
  title:
    'khugepaged collapses a range that nobody may access any more: the entry is not valid, and no cache of translations gets it',
  source: 'mm/khugepaged.c collapse_huge_page; arch/sparc/mm/init_64.c update_mmu_cache_pmd',
  cpus: 2,
  setup: (run) => setHugeStage(run, { mapped: 'small' }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* syscall(cpu, () => mprotect(cpu, mm, 0, 2 * PAGE, 0));
      yield* cpu.enterKernel();
      yield* collapseHugePage(cpu, mm, 0);
    }),
  ],
  sometimes: [COLLAPSED],
  twins: [noWait('collapse/none')],
});

const lazy = defineScenario<Stage>({
  id: 'T18/collapse',
  title:
    'the table of a collapsed range is freed later without a flush: the flush of the collapse must reach lazy CPUs',
  source: 'CVE-2025-22045; x86/mm: Fix flush_tlb_range() when used for zapping normal PMDs (6.15)',
  cpus: 2,
  backend: { x86: { rangeFreesTables: true } },
  setup: (run) => setHugeStage(run, { mapped: 'small', touched: [0], lazy: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* collapseHugePage(cpu, mm, 0);
      yield* munmap(cpu, mm, 0, 2 * PAGE);
    }),
  ],
  twins: [
    {
      id: 'T18/collapse/naive',
      why: 'flush_tlb_range says that no tables are freed, so a lazy CPU keeps its path to the table, and small leaves (up to 6.14)',
      oracle: ['O4', 'O14'],
      property: 'TUAF',
      wrong: 'range-keeps-walks',
    },
  ],
});

const retract = defineScenario<MappedStage>({
  id: 'T18/retract',
  title:
    'the table of a file range is retracted and freed: the flush must reach lazy CPUs, which may speculate through it',
  source: 'CVE-2025-22045',
  cpus: 2,
  backend: { x86: { rangeFreesTables: true } },
  setup(run) {
    const stage = emptyFileTable(run);
    run(1, (cpu) => contextSwitch(cpu, null));
    return stage;
  },
  threads: ({ mapping }) => [thread((cpu) => retractPageTables(cpu, mapping, 0))],
  sometimes: [RETRACTED],
  twins: [
    {
      id: 'T18/retract/naive',
      why: 'flush_tlb_range says that no tables are freed: lazy CPUs get no interrupt (up to 6.14)',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'range-keeps-walks',
    },
  ],
});

const vmaLock = defineScenario<Stage>({
  id: 'collapse/vma-lock',
  title: 'khugepaged collapses a range with a hole, and a fault under the lock of the VMA alone looks at its table',
  source: 'mm/khugepaged.c, vma_start_write (6.4)',
  cpus: 2,
  profile: { perVmaLocks: true, vmaWriters: 'all', vmaFree: 'rcu' },
  setup: (run) => setHugeStage(run, { mapped: 'small', touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => collapseHugePage(cpu, mm, 0)),
    thread((cpu) => doUserAddrFault(cpu, mm, PAGE, true)),
  ],
  sometimes: [COLLAPSED],
  twins: [
    {
      id: 'collapse/vma-lock/unlocked',
      why: 'collapse does not lock the VMA: the fault puts a table in where the huge page will go',
      oracle: ['O14', 'O16', 'O17', 'race'],
      property: 'LOSTW',
      profile: { vmaWriters: 'none' },
    },
  ],
});

/** All of them. */
export const COLLAPSE: readonly AnyScenario[] = [running, fault, none, vmaLock, lazy, retract];
