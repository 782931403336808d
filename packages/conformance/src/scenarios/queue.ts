/**
 * Pending records in the page of a table (core's deferral/queue.ts): who records where, who merges, and who waits for whom.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Cpu,
  flushToGen,
  getPage,
  type Mm,
  type Profile,
  type PteAt,
  putPage,
  queueFlush,
  type Steps,
  waitForPendingFlushes,
  pteWrprotect,
} from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  contextSwitch,
  madviseDontneed,
  mmAlloc,
  mmap,
  ptepGet,
  ptepSetWrprotect,
  ptlPtr,
  type Rmap,
  shrinkPages,
  tlbBatch,
  tryToUnmapFlush,
  tryToUnmapOne,
  userStore,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { changeDeferred } from './deferred-change.ts';
import {
  type Mapping,
  mappingOf,
  PAGE,
  RW_MEMORY,
  setStage,
  type Stage,
  type StageOptions,
  syscall,
  toUser,
} from './stage.ts';

const LUTOMIRSKI = 'mail of A. Lutomirski, 2020-12-23';

/** Deferrals are recorded in tables, and completed generations are published. */
const QUEUE: Partial<Profile> = {
  deferral: 'queue',
  nestedFinish: 'whole-mm',
  changeProtection: 'gather',
};
const BACKEND = { x86: { completedGen: 'after-flush' } };

interface Waits extends Stage {
  readonly p0: Mapping;
  readonly p1: Mapping;
}

function setWaits(options: StageOptions): (run: Run) => Waits {
  return (run) => {
    const stage = setStage(run, options);
    return { ...stage, p0: mappingOf(run, stage.mm, 0), p1: mappingOf(run, stage.mm, PAGE) };
  };
}

/** What a write fault does before it copies a page: under the PTL it waits for pending flushes, and relies on that. */
function* faultWaits(cpu: Cpu, { mm }: Waits, { table, pte }: Mapping, address: number): Steps<void> {
  const ptl = ptlPtr(cpu, table);
  const at: PteAt = { mm, vma: vmaLookup(cpu, mm, address)!, table, pte, address };
  yield* cpu.downRead(mm.mmapLock);
  yield* cpu.spinLock(ptl);
  yield* waitForPendingFlushes(cpu, at);
  cpu.claim.settled(cpu.read(mm.pgd), address);
  yield* cpu.spinUnlock(ptl);
  yield* cpu.upRead(mm.mmapLock);
}

/** Takes the right to write away under the PTL, and records it; the flush is the caller's. */
function* protectDeferred(cpu: Cpu, { mm }: Waits, { table, pte }: Mapping, address: number): Steps<number> {
  const ptl = ptlPtr(cpu, table);
  yield* cpu.spinLock(ptl);
  const entry = yield* ptepGet(cpu, pte);
  yield* ptepSetWrprotect(cpu, mm, address, pte, entry);
  const gen = yield* queueFlush(cpu, mm, table, address, address + PAGE);
  yield* cpu.spinUnlock(ptl);
  return gen;
}

const fault = defineScenario<Waits>({
  id: 'queue/fault',
  title: 'a fault meets a record of its page under the PTL, and flushes before it copies',
  source: LUTOMIRSKI,
  cpus: 3,
  profile: QUEUE,
  backend: BACKEND,
  setup: setWaits({ running: [0, 1, 2], inKernel: [1] }),
  threads: (env) => [
    thread((cpu) => changeDeferred(cpu, env.mm, env.p0, 0, pteWrprotect)),
    thread((cpu) => faultWaits(cpu, env, env.p0, 0)),
  ],
  twins: [
    {
      id: 'queue/fault/recorded-late',
      why: 'the record comes when the gather flushes, after the PTL is released: the fault sees the change and no record',
      oracle: 'O9',
      property: 'LOSTW',
      profile: { recordDeferral: 'flush' },
    },
  ],
});

const merged = defineScenario<Waits>({
  id: 'queue/merge',
  title: 'a record takes in its neighbour, which is newer: the older part is flushed to the newer generation',
  source: LUTOMIRSKI,
  cpus: 3,
  profile: QUEUE,
  backend: BACKEND,
  setup: setWaits({ running: [0, 1, 2], inKernel: [1] }),
  threads: (env) => [
    thread((cpu) => changeDeferred(cpu, env.mm, env.p0, 0, pteWrprotect)),
    thread(function* (cpu) {
      const gen = yield* protectDeferred(cpu, env, env.p1, PAGE);
      yield* faultWaits(cpu, env, env.p1, PAGE);
      yield* flushToGen(cpu, env.mm, PAGE, 2 * PAGE, gen);
    }),
  ],
  twins: [
    {
      id: 'queue/merge/older-generation',
      why: 'the record keeps its own generation, and the newer part looks done when the older one is',
      oracle: 'O9',
      property: 'LOSTW',
      profile: { queueMerge: 'older' },
    },
  ],
});

const oneLock = defineScenario<Waits>({
  id: 'queue/one-lock',
  title:
    'one lock for all tables: the fault that meets a record holds the lock that its owner needs next, and flushes itself',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: { ...QUEUE, splitPtl: false },
  backend: BACKEND,
  setup: setWaits({ pages: 4, touched: [0, 2], inKernel: [1] }),
  threads: (env) => [
    thread((cpu) => changeProtNuma(cpu, env.mm, 0, 4 * PAGE)),
    thread((cpu) => faultWaits(cpu, env, env.p0, 0)),
  ],
  twins: [
    {
      id: 'queue/one-lock/sleeps',
      why: 'the fault sleeps with the lock held until the owner has flushed',
      oracle: 'deadlock',
      property: 'LIVE',
      profile: { queueWaiter: 'sleeps' },
    },
  ],
});

const zap = defineScenario<Stage>({
  id: 'queue/zap-twice',
  title: 'two threads zap one page, with records in its table',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: QUEUE,
  backend: BACKEND,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'queue/zap-twice/completed-early',
      why: 'a generation is published as completed before the others have flushed',
      oracle: ['O10', 'O11', 'O1'],
      property: 'SAC',
      backend: { x86: { completedGen: 'before-flush' } },
    },
  ],
});

/** Reclaim records in the table as gathers do, and remembers generations instead of CPUs. */
const RECLAIM: Partial<Profile> = { ...QUEUE, batchedPending: 'generation', batchFlush: 'each-mm' };

const reclaim = defineScenario<Waits>({
  id: 'queue/reclaim',
  title:
    'reclaim defers, and another thread zaps what it finds swapped out: it flushes to the generation that reclaim recorded',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: RECLAIM,
  backend: BACKEND,
  setup: setWaits({}),
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'queue/reclaim/not-recorded',
      why: 'reclaim leaves nothing to see for others',
      oracle: 'O10',
      property: 'SAC',
      profile: { batchedPending: 'none' },
    },
  ],
});

const reclaimCopies = defineScenario<Waits>({
  id: 'queue/reclaim-copies',
  title:
    'reclaim has unmapped a page and not flushed, and a store brings it back and copies it: what reclaim recorded is flushed before',
  source: LUTOMIRSKI,
  cpus: 2,
  only: { archs: ['x86'], why: 'elsewhere reclaim defers nothing that only generations tell of' },
  profiles: ['linux-6.18'],
  profile: { ...RECLAIM, wpFaultPending: 'all' },
  backend: BACKEND,
  setup: setWaits({ touched: [0] }),
  threads: ({ mm, p0 }) => [
    thread(function* (cpu) {
      const batch = tlbBatch();
      yield* getPage(cpu, p0.page);
      yield* tryToUnmapOne(cpu, p0.page, mm, 0, batch);
      yield* userStore(cpu, mm, 0, 7);
      yield* tryToUnmapFlush(cpu, batch);
      yield* putPage(cpu, p0.page);
    }),
  ],
  twins: [
    {
      id: 'queue/reclaim-copies/userfaultfd-only',
      why: 'only in VMAs of userfaultfd a fault looks for records: the copy misses what the other CPU still writes',
      oracle: 'O9',
      property: 'LOSTW',
      profile: { wpFaultPending: 'uffd' },
    },
  ],
});

interface TwoMms extends Stage {
  readonly other: Mm;
  readonly pages: readonly Rmap[];
}

const twoMms = defineScenario<TwoMms>({
  id: 'queue/reclaim-two-mms',
  title:
    'one batch of two mms, one of them about to run: each is flushed to its generation before its pages are written out',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: RECLAIM,
  backend: BACKEND,
  setup(run) {
    const stage = setStage(run, { pages: 1, inKernel: [1] });
    const other = run(1, mmAlloc);
    run(1, (cpu) => contextSwitch(cpu, other));
    run(1, (cpu) => mmap(cpu, other, 0, PAGE, RW_MEMORY));
    run(1, (cpu) => userStore(cpu, other, 0, 1));
    run(1, (cpu) => toUser(cpu, stage.mm));
    run(1, (cpu) => cpu.enterKernel());
    const pages = [stage.mm, other].map((mm) => ({ page: mappingOf(run, mm, 0).page, mm, address: 0 }));
    return { ...stage, other, pages };
  },
  threads: ({ other, pages }) => [thread((cpu) => shrinkPages(cpu, pages)), thread((cpu) => toUser(cpu, other))],
  twins: [
    {
      id: 'queue/reclaim-two-mms/written-first',
      why: 'dirty pages are written out before the batch is flushed',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { pageoutFlush: 'none' },
    },
  ],
});

const arrives = defineScenario<Stage>({
  id: 'queue/thread-arrives',
  title: 'one gather over two tables, each with a record and a generation of its own: a CPU that arrives between them',
  source: LUTOMIRSKI,
  cpus: 2,
  only: { archs: ['x86'], why: 'a CPU that arrives compares generations there alone' },
  profile: QUEUE,
  backend: BACKEND,
  setup: (run) => setStage(run, { pages: 4, touched: [1, 2], running: [0] }),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, PAGE, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'queue/thread-arrives/bump-first',
      why: 'the generation is taken before the entries are changed: a CPU may have it and cache what is changed after',
      oracle: ['O1', 'O10'],
      property: 'FUAF',
      profile: { recordDeferral: 'start' },
    },
  ],
});

/** All of them. */
export const QUEUE_SCENARIOS: readonly AnyScenario[] = [
  fault,
  merged,
  oneLock,
  zap,
  reclaim,
  reclaimCopies,
  twoMms,
  arrives,
];
