/**
 * Counters for each level (core's level-counters.ts): what a nested finish learns from them, and what not.
 */
import type { Body } from '@mmu-gather/checker';
import {
  countLevels,
  type Cpu,
  decTlbFlushPending,
  type Mm,
  type Profile,
  type Steps,
  tlbFinishMmu,
  tlbGatherMmu,
} from '@mmu-gather/core/stepped';
import { madviseDontneed, unmapPageRange, vmaLookup } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { setHugeStage } from './huge-stage.ts';
import { PAGE, setStage, type Stage, syscall } from './stage.ts';

const AMIT = 'mails of N. Amit and P. Zijlstra, May 2019';

/** Nothing but the counters says what is open. */
const LEVELS: Partial<Profile> = { nestedFinish: 'level-counters', deferral: 'counter' };

/** Two threads zap the same pages; one of them finds them gone. */
function zapTwice(pages: number): (env: Stage) => readonly Body[] {
  return ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, pages * PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, pages * PAGE))),
  ];
}

const samePage = defineScenario<Stage>({
  id: 'nested-counters/zap-twice',
  title: 'two threads zap one page: the one that finds it gone sees the level counted, and flushes the whole mm',
  source: AMIT,
  cpus: 2,
  profile: LEVELS,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: zapTwice(1),
  twins: [
    {
      id: 'nested-counters/zap-twice/own-hull',
      why: 'it knows the level and not the address, and flushes its own range, which is empty',
      oracle: 'O10',
      property: 'SAC',
      profile: { levelRange: 'own-hull' },
    },
    {
      id: 'nested-counters/zap-twice/uncount-first',
      why: 'the counts are lowered before the flush',
      oracle: 'O10',
      property: 'SAC',
      profile: { levelDec: 'before-flush' },
    },
    {
      id: 'nested-counters/zap-twice/closed-first',
      why: 'it counts as closed, and its levels as flushed, before the flush',
      oracle: 'O10',
      property: 'SAC',
      profile: { decPending: 'before-flush', levelDec: 'before-flush' },
    },
  ],
});

const twoPages = defineScenario<Stage>({
  id: 'level-counters/zap-both',
  title: 'two threads zap a page each: both count the level at once, and nothing is counted when both are done',
  source: AMIT,
  cpus: 2,
  profile: LEVELS,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, PAGE, PAGE))),
  ],
  twins: [
    {
      id: 'level-counters/zap-both/stays-counted',
      why: 'one of them does not take back what it counted: every finish from now on is a nested one',
      oracle: 'O17',
      property: 'LIVE',
      threads: ({ mm }) => [
        thread(function* (cpu) {
          const tlb = yield* tlbGatherMmu(cpu, mm);
          yield* countLevels(cpu, tlb, 1);
          yield* decTlbFlushPending(cpu, mm);
        }),
        thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, PAGE, PAGE))),
      ],
    },
  ],
});

/** Within one open gather the same page is zapped again. */
function* zapWithin(cpu: Cpu, mm: Mm): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm);
  yield* cpu.downRead(mm.mmapLock);
  yield* unmapPageRange(cpu, tlb, vmaLookup(cpu, mm, 0)!, 0, PAGE, false);
  yield* cpu.upRead(mm.mmapLock);
  yield* madviseDontneed(cpu, mm, 0, PAGE);
  yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
}

const oneTask = defineScenario<Stage>({
  id: 'nested-counters/one-task',
  title:
    'a gather within another one of its thread finds the page gone and the level counted, and flushes the whole mm',
  source: AMIT,
  cpus: 2,
  only: {
    archs: ['x86'],
    why: 'its generations tell what a gather left out that stands within another one of its thread',
  },
  profiles: ['linux-6.18'],
  profile: LEVELS,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [thread((cpu) => zapWithin(cpu, mm))],
  twins: [
    {
      id: 'nested-counters/one-task/own-hull',
      why: 'it flushes its own range, which is empty, while another CPU still uses the page',
      oracle: 'O11',
      property: 'SAC',
      profile: { levelRange: 'own-hull' },
    },
  ],
});

const unlinked = defineScenario<Stage>({
  id: 'nested-counters/table-gone',
  title:
    'two threads zap all of a table: the one that finds no table has taken no lock, and what was cleared is counted before',
  source: AMIT,
  cpus: 2,
  profile: { ...LEVELS, ptReclaim: true },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: zapTwice(2),
  twins: [
    {
      id: 'nested-counters/table-gone/count-late',
      why: 'the table is unlinked first and the levels are counted after; who sees no table sees no count',
      oracle: 'O10',
      property: 'SAC',
      profile: { unlinkTable: 'before-record' },
    },
  ],
  profiles: ['linux-6.18'],
});

const hugeGone = defineScenario<Stage>({
  id: 'nested-counters/huge-gone',
  title:
    'two threads zap one huge page: the one that finds no entry has taken no lock, and its level is counted before',
  source: AMIT,
  cpus: 2,
  profile: LEVELS,
  setup: (run) => setHugeStage(run, { mapped: 'huge' }),
  threads: zapTwice(2),
  twins: [
    {
      id: 'nested-counters/huge-gone/count-late',
      why: 'the entry is cleared first and its level is counted after; who sees no entry sees no count',
      oracle: 'O10',
      property: 'SAC',
      profile: { unlinkTable: 'before-record' },
    },
  ],
});

/** All of them. */
export const NESTED_COUNTERS: readonly AnyScenario[] = [samePage, twoPages, oneTask, unlinked, hugeGone];
