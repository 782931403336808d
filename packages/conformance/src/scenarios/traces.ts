/**
 * Reference traces: short executions that refute a naive form, each beside the form that holds. T1 to T4 and T30 are about
 * generations (generations.ts), T5 and T6 about reclaim's mask (rfc.ts).
 */
import { getPage, type Mm, pteWrprotect, tlbFinishMmu, tlbGatherMmu, VM_READ } from '@mmu-gather/core/stepped';
import type { Body } from '@mmu-gather/checker';
import {
  changeProtNuma,
  contextSwitch,
  dupMm,
  madviseDontneed,
  migrateMisplacedPage,
  mprotect,
  munmap,
  uffdRegisterWp,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { changeDeferred } from './deferred-change.ts';
import { newMm, PAGE, type Page0, setStage, type Stage, syscall, withPage0 } from './stage.ts';

/** Two threads zap the same page; the second finds it gone. */
function zapTwice({ mm }: Stage): readonly (Body | undefined)[] {
  return [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ];
}

const t8 = defineScenario<Stage>({
  id: 'T8/fixed',
  title: 'a gather that finds its entries gone flushes, if another one is open',
  source: '7a30df49f63a; mails of Jan Stancek and Yang Shi, May 2019',
  cpus: 3,
  setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2] }),
  threads: zapTwice,
  twins: [
    {
      id: 'T8/naive',
      why: 'the second gather finishes without a flush, while a third CPU still uses the page',
      oracle: 'O10',
      property: 'SAC',
      profile: { nestedFinish: 'none' },
    },
    {
      id: 'T8/dec-first',
      why: 'the pending counter is lowered before the flush, so the second gather does not see the first',
      oracle: 'O10',
      property: 'SAC',
      profile: { decPending: 'before-flush' },
    },
  ],
});

const t8Range = defineScenario<Stage>({
  id: 'T8/range-reset',
  title: 'nested finish as from 4.13 to 5.1: a flush of the range, which x86 widens by itself',
  source: '99baac21e458',
  cpus: 2,
  profile: { nestedFinish: 'range-reset' },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: zapTwice,
  twins: [
    {
      id: 'T8/range-reset/dec-first',
      why: 'the pending counter is lowered before the flush',
      oracle: 'O10',
      property: 'SAC',
      profile: { decPending: 'before-flush' },
    },
  ],
});

const t8Levels = defineScenario<Stage>({
  id: 'T8/range-all-levels',
  title: 'nested finish as proposed in May 2019: the range with every level and freed tables',
  source: 'mail of Yang Shi, 2019-05',
  cpus: 2,
  profile: { nestedFinish: 'range-all-levels' },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: zapTwice,
  twins: [
    {
      id: 'T8/range-all-levels/dec-first',
      why: 'the pending counter is lowered before the flush',
      oracle: 'O10',
      property: 'SAC',
      profile: { decPending: 'before-flush' },
    },
  ],
});

const t8Tables = defineScenario<Stage>({
  id: 'T8/range-tables',
  title: 'munmap frees a table beside another gather of its thread: the forced flush reaches lazy CPUs, too',
  source: 'mail of Yang Shi, 2019-05; trace T8b',
  cpus: 2,
  only: { archs: ['x86'], why: 'flushes without freed tables leave lazy CPUs out there' },
  profile: { nestedFinish: 'range-all-levels', finishSync: 'none', deferral: 'counter', mergeVmas: true },
  setup: (run) => setStage(run, { touched: [0], lazy: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* munmap(cpu, mm, 0, 2 * PAGE);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    }),
  ],
  twins: [
    {
      id: 'T8/range-tables/reset',
      why: 'the forced flush forgets that a table was freed: no lazy CPU is interrupted, and its speculation goes on through it',
      oracle: 'O4',
      property: 'TUAF',
      profile: { nestedFinish: 'range-reset' },
    },
  ],
});

/**
 * Two monitors, one that protects and one that releases, have both changed the entry and not flushed: what is left of them is
 * a read-only entry and a pending flush. CPU 0 does both at once; CPU 1 stores and faults; CPU 2 runs. Somebody else holds a
 * reference to the page, so the fault has to copy. With a CPU for each monitor, in their own system calls, the naive form
 * is found after 4.7 million states, and 5.4 million were not all of the fixed one's.
 */
const t10 = defineScenario<Page0>({
  id: 'T10/fixed',
  title: 'userfaultfd: a store that faults while a write-protection is not flushed yet',
  source: 'thread of December 2020; mm/memory.c do_wp_page since 5.12',
  cpus: 3,
  profiles: ['linux-5.11'],
  profile: { uffdWpPendingFlush: true },
  setup(run) {
    const stage = withPage0(run, setStage(run, { touched: [0], running: [0, 1, 2] }));
    run(0, (cpu) => uffdRegisterWp(cpu, stage.mm, 0, PAGE));
    run(0, (cpu) => getPage(cpu, stage.p0.page));
    return stage;
  },
  threads: ({ mm, p0 }) => [
    thread((cpu) => changeDeferred(cpu, mm, p0, 0, pteWrprotect)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
    }),
  ],
  holds: ({ p0 }) => [{ object: p0.page, references: 1 }],
  twins: [
    {
      id: 'T10/naive',
      why: 'the fault copies the page although a stale writable entry may be in use',
      oracle: ['O6', 'O9'],
      property: 'LOSTW',
      profile: { uffdWpPendingFlush: false },
    },
  ],
});

const t12 = defineScenario<Stage>({
  id: 'T12/fixed',
  title: 'an entry that became PROTNONE counts as accessible while its flush is pending: migration flushes it',
  source: '20841405940e',
  cpus: 3,
  setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2] }),
  threads: ({ mm }) => [
    thread((cpu) => changeProtNuma(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* migrateMisplacedPage(cpu, mm, 0);
    }),
  ],
  twins: [
    {
      id: 'T12/naive',
      why: 'PROTNONE is taken for not cached, and the page moves without a flush',
      oracle: ['O9', 'O1', 'O6'],
      property: 'LOSTW',
      profile: { accessiblePending: false },
    },
  ],
});

const t18 = defineScenario<Stage>({
  id: 'T18/fixed',
  title: 'a lazy CPU may speculate through a cached path: it is interrupted if tables are freed',
  source: '2ff6ddf19c0e',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0], lazy: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'T18/naive',
      why: 'lazy CPUs are left out although a table is freed',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'walks-kept',
    },
  ],
});

const t24 = defineScenario<Stage>({
  id: 'T24/fixed',
  title: 'two flushes arrive in reverse order: a ranged one may not jump over a generation',
  source: 'arch/x86/mm/tlb.c flush_tlb_func',
  cpus: 3,
  // Two pages are a full flush, one is a ranged one.
  backend: { x86: { ceiling: 1 } },
  setup(run) {
    const stage = setStage(run, { pages: 3, running: [0, 1, 2], inKernel: [2] });
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    undefined,
    thread((cpu) => userStore(cpu, mm, 2 * PAGE, 7)),
  ],
  twins: [
    {
      id: 'T24/naive',
      why: 'the handler does the ranged part and claims the newest generation',
      oracle: ['O1', 'O11'],
      property: 'FUAF',
      backend: { x86: { gapRule: false } },
    },
  ],
});

const t28 = defineScenario<readonly Mm[]>({
  id: 'T28/fixed',
  title: 'an ASID slot is given to another mm: it is flushed first',
  source: 'arch/x86/mm/tlb.c choose_new_asid; arch/arm64/mm/context.c new_context',
  cpus: 2,
  // Two for users: the third mm begins a new generation.
  backend: { arm64: { asids: 3 }, riscv: { asids: 3 } },
  pools: { mm: 3, page: 4, table: 6, vma: 3 },
  setup(run) {
    return [0, 1, 2].map(() => newMm(run));
  },
  threads: (mms) => [
    thread(function* (cpu) {
      for (const mm of [mms[0]!, mms[1]!, mms[2]!]) {
        yield* contextSwitch(cpu, mm);
        yield* userStore(cpu, mm, 0, 1);
      }
    }),
    thread((cpu) => mprotect(cpu, mms[0]!, 0, PAGE, VM_READ)),
  ],
  twins: [
    {
      id: 'T28/naive',
      why: 'the slot is renamed and not flushed',
      oracle: 'O8',
      property: 'ALIAS',
      wrong: 'tag-reused',
    },
  ],
});

/** All of them. */
export const TRACES: readonly AnyScenario[] = [t8, t8Range, t8Levels, t8Tables, t10, t12, t18, t24, t28];
