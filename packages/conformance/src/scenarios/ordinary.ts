/**
 * Ordinary scenarios: every operation against a thread that runs, arrives, leaves or sleeps at the wrong moment.
 */
import { type Mm, VM_READ } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  dupMm,
  exitMm,
  madviseDontneed,
  mmAlloc,
  mmap,
  mmget,
  mmput,
  mprotect,
  munmap,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { cameFromAnotherMm, PAGE, RW_MEMORY, setStage, type Stage, syscall, toUser } from './stage.ts';

const READ_ONLY = VM_READ;

/** Twins that every shootdown must refute. */
const noWait = (id: string) => ({
  id: `${id}/no-ipi-wait`,
  why: 'the initiator does not wait for its IPIs',
  oracle: ['O1', 'O2', 'O4', 'O6', 'O10', 'O12'],
  property: 'FUAF' as const,
  backend: { x86: { waitForIpis: false } },
});

const munmapRunning = defineScenario<Stage>({
  id: 'munmap/running-thread',
  title: 'munmap of a page while another thread of the mm runs in user mode',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
  twins: [
    noWait('munmap/running-thread'),
    {
      id: 'munmap/running-thread/free-first',
      why: 'the page is freed before the flush',
      oracle: 'O1',
      property: 'FUAF',
      profile: { freePages: 'before-flush' },
    },
  ],
});

const munmapTables = defineScenario<Stage>({
  id: 'munmap/tables',
  title: 'munmap of everything a page table maps: the table is freed, too',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'munmap/tables/free-first',
      why: 'tables and pages are freed before the flush',
      oracle: ['O1', 'O4'],
      property: 'TUAF',
      profile: { freePages: 'before-flush' },
    },
  ],
});

const munmapTwice = defineScenario<Stage>({
  id: 'munmap/both-ways',
  title: 'two threads unmap different pages and interrupt each other',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread((cpu) => munmap(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => munmap(cpu, mm, PAGE, PAGE))),
  ],
  twins: [
    noWait('munmap/both-ways'),
    {
      id: 'munmap/both-ways/irqs-off',
      why: 'both keep interrupts off while they wait for each other',
      oracle: 'deadlock',
      property: 'LIVE',
      threads: ({ mm }) => [
        thread(function* (cpu) {
          yield* cpu.localIrqDisable();
          yield* munmap(cpu, mm, 0, PAGE);
          yield* cpu.localIrqEnable();
        }),
        thread(function* (cpu) {
          yield* cpu.enterKernel();
          yield* cpu.localIrqDisable();
          yield* munmap(cpu, mm, PAGE, PAGE);
          yield* cpu.localIrqEnable();
          yield* cpu.enterUser(0);
        }),
      ],
    },
  ],
});

const munmapArriving = defineScenario<Stage>({
  id: 'munmap/thread-arrives',
  title: 'a thread is switched in on another CPU while a page is unmapped',
  cpus: 2,
  setup: (run) => setStage(run, { running: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [noWait('munmap/thread-arrives')],
});

const munmapThree = defineScenario<Stage>({
  id: 'munmap/three-cpus',
  title: 'munmap while one thread of the mm runs and another is switched in',
  cpus: 3,
  setup: (run) => setStage(run, { running: [0, 1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), undefined, thread((cpu) => toUser(cpu, mm))],
  twins: [noWait('munmap/three-cpus')],
});

interface TwoMms {
  readonly a: Mm;
  readonly b: Mm;
}

const munmapAway = defineScenario<Stage>({
  id: 'munmap/thread-away',
  title: 'a thread was switched out and comes back to its ASID after its page was unmapped',
  cpus: 2,
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'munmap/thread-away/mask-first',
      why: 'the flusher reads mm_cpumask before it raises the generation',
      oracle: 'O1',
      property: 'FUAF',
      backend: { x86: { maskRead: 'before-generation' } },
      // From 6.13 on a CPU that was switched out keeps its bit, and is in the mask whenever it is read.
      profiles: ['linux-5.11'],
    },
    {
      id: 'munmap/thread-away/no-fence',
      why: 'the bit in mm_cpumask is set already, and no barrier orders loaded_mm before the generation is read',
      oracle: 'O1',
      property: 'FUAF',
      backend: { x86: { fenceIfBitSet: false } },
      profiles: ['linux-6.18'],
      memoryModels: ['tso'],
    },
  ],
});

const munmapLazy = defineScenario<Stage>({
  id: 'munmap/lazy-returns',
  title: 'a CPU that borrowed the mm lazily goes back to a thread of it',
  cpus: 2,
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], lazy: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'munmap/lazy-returns/no-check',
      why: 'leaving lazy mode does not compare generations',
      oracle: 'O1',
      property: 'FUAF',
      backend: { x86: { lazyExitCheck: false } },
    },
  ],
});

const munmapBatchFull = defineScenario<Stage>({
  id: 'munmap/batch-full',
  title: 'the gather is full after each page and flushes in between',
  cpus: 2,
  profile: { gatherBatch: { bundle: 2, batch: 0, batches: 0 } },
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [noWait('munmap/batch-full')],
});

const munmapRemap = defineScenario<Stage>({
  id: 'munmap/mapped-again',
  title: 'a page is unmapped, mapped again and used, while another thread runs',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 0, PAGE);
      yield* mmap(cpu, mm, 0, PAGE, RW_MEMORY);
      yield* userStore(cpu, mm, 0, 7);
    }),
  ],
  twins: [noWait('munmap/mapped-again')],
});

const dontneedRunning = defineScenario<Stage>({
  id: 'dontneed/running-thread',
  title: 'MADV_DONTNEED of a page that another thread may be using',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE))],
  twins: [noWait('dontneed/running-thread')],
});

const dontneedFault = defineScenario<Stage>({
  id: 'dontneed/fault',
  title: 'MADV_DONTNEED of a page against a thread that stores to it and faults',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
    }),
  ],
  twins: [noWait('dontneed/fault')],
});

const mprotectRunning = defineScenario<Stage>({
  id: 'mprotect/running-thread',
  title: 'mprotect takes the right to write away from a running thread',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, PAGE, READ_ONLY))],
  twins: [
    {
      id: 'mprotect/running-thread/no-flush',
      why: 'mprotect does not flush',
      oracle: 'O2',
      property: 'SAC',
      profile: { changeProtection: 'none' },
    },
  ],
});

const mprotectStore = defineScenario<Stage>({
  id: 'mprotect/store',
  title: 'mprotect against a thread that stores to the page',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread((cpu) => mprotect(cpu, mm, 0, PAGE, READ_ONLY)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    {
      id: 'mprotect/store/no-flush',
      why: 'mprotect does not flush',
      oracle: 'O2',
      property: 'SAC',
      profile: { changeProtection: 'none' },
    },
  ],
});

const cowWriter = defineScenario<Stage>({
  id: 'cow/running-thread',
  title: 'a copy-on-write fault while another thread may still read the shared page',
  cpus: 2,
  setup(run) {
    const stage = setStage(run);
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'cow/running-thread/clear-only',
      why: 'the old entry is cleared and not flushed',
      oracle: 'O6',
      property: 'LOSTW',
      profile: { cowFlush: 'clear' },
    },
  ],
});

const cowBoth = defineScenario<Stage>({
  id: 'cow/both-write',
  title: 'two threads break copy-on-write of one page at the same time',
  cpus: 2,
  setup(run) {
    const stage = setStage(run, { touched: [0], inKernel: [1] });
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7)), thread((cpu) => userStore(cpu, mm, 0, 8))],
  twins: [
    {
      id: 'cow/both-write/clear-only',
      why: 'the old entry is cleared and not flushed',
      oracle: ['O6', 'O1'],
      property: 'LOSTW',
      profile: { cowFlush: 'clear' },
    },
  ],
});

const forkWriter = defineScenario<Stage>({
  id: 'fork/running-thread',
  title: 'fork write-protects pages that another thread of the parent is writing',
  cpus: 2,
  pools: { mm: 3, page: 6, table: 8, vma: 6 },
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => dupMm(cpu, mm))],
  twins: [
    {
      id: 'fork/running-thread/no-flush',
      why: 'fork does not flush the parent',
      oracle: ['O6', 'O12', 'O2'],
      property: 'WPX',
      profile: { forkFlush: 'none' },
    },
  ],
});

const exitLazy = defineScenario<Stage>({
  id: 'exit/lazy-elsewhere',
  title: 'the last thread exits while another CPU holds the mm lazily and may speculate',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0], lazy: [1] }),
  threads: () => [thread((cpu) => exitMm(cpu))],
  twins: [
    {
      id: 'exit/lazy-elsewhere/lazy-skipped',
      why: 'lazy CPUs are not interrupted although tables are freed',
      oracle: 'O4',
      property: 'TUAF',
      backend: { x86: { freedTablesReachLazy: false } },
    },
  ],
});

const exitRunning = defineScenario<Stage>({
  id: 'exit/other-thread-leaves',
  title: 'two threads exit; the last one tears the mm down while the other CPU is lazy on it',
  cpus: 2,
  setup(run) {
    const stage = setStage(run, { touched: [0], inKernel: [1] });
    run(1, (cpu) => mmget(cpu, stage.mm));
    return stage;
  },
  threads: () => [thread((cpu) => exitMm(cpu)), thread((cpu) => exitMm(cpu))],
  twins: [
    {
      id: 'exit/other-thread-leaves/free-first',
      why: 'pages and tables are freed before the flush',
      oracle: ['O1', 'O4'],
      property: 'TUAF',
      profile: { freePages: 'before-flush' },
    },
  ],
});

const pcidReuse = defineScenario<readonly Mm[]>({
  id: 'pcid/seven-mms',
  title: 'seven mms in turn on one CPU with six ASID slots',
  cpus: 1,
  archs: ['x86'],
  pools: { mm: 7, page: 8, table: 14, vma: 7 },
  backend: { x86: { dynAsids: 6 } },
  setup(run) {
    return Array.from({ length: 7 }, () => {
      const mm = run(0, mmAlloc);
      run(0, (cpu) => mmap(cpu, mm, 0, PAGE, RW_MEMORY));
      return mm;
    });
  },
  threads: (mms) => [
    thread(function* (cpu) {
      for (const mm of [...mms, mms[3]!, mms[0]!]) {
        yield* contextSwitch(cpu, mm);
        yield* userStore(cpu, mm, 0, 1);
      }
    }),
  ],
  twins: [
    {
      id: 'pcid/seven-mms/no-flush',
      why: 'a slot that changes hands is not flushed',
      oracle: 'O8',
      property: 'ALIAS',
      backend: { x86: { flushReusedSlot: false } },
    },
  ],
});

const switchAway = defineScenario<TwoMms>({
  id: 'switch/away-during-flush',
  title: 'a thread is switched out, and another mm in, while its page is unmapped',
  cpus: 2,
  setup(run) {
    const { mm: a } = setStage(run, { inKernel: [1] });
    return { a, b: run(1, mmAlloc) };
  },
  threads: ({ a, b }) => [
    thread((cpu) => munmap(cpu, a, 0, PAGE)),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, b);
      yield* toUser(cpu, a);
    }),
  ],
  twins: [
    {
      id: 'switch/away-during-flush/mask-first',
      why: 'the flusher reads mm_cpumask before it raises the generation',
      oracle: 'O1',
      property: 'FUAF',
      backend: { x86: { maskRead: 'before-generation' } },
      // From 6.13 on a CPU that was switched out keeps its bit, and is in the mask whenever it is read.
      profiles: ['linux-5.11'],
    },
    {
      id: 'switch/away-during-flush/no-fence',
      why: 'the bit in mm_cpumask is set already, and no barrier orders loaded_mm before the generation is read',
      oracle: 'O1',
      property: 'FUAF',
      backend: { x86: { fenceIfBitSet: false } },
      profiles: ['linux-6.18'],
      memoryModels: ['tso'],
    },
  ],
});

const childExits = defineScenario<{ mm: Mm; child: Mm }>({
  id: 'fork/child-exits',
  title: 'a child that shares pages is torn down while the parent writes to them',
  cpus: 2,
  pools: { mm: 3, page: 6, table: 8, vma: 6 },
  setup(run) {
    const { mm } = setStage(run, { touched: [0], inKernel: [1] });
    return { mm, child: run(0, (cpu) => dupMm(cpu, mm)) };
  },
  threads: ({ mm, child }) => [thread((cpu) => mmput(cpu, child)), thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'fork/child-exits/put-twice',
      why: 'the child is put once too often',
      oracle: ['O16', 'O1'],
      property: 'FUAF',
      threads: ({ mm, child }) => [
        thread(function* (cpu) {
          yield* mmput(cpu, child);
          yield* mmput(cpu, child);
        }),
        thread((cpu) => userStore(cpu, mm, 0, 7)),
      ],
    },
  ],
});

/** All of them. */
export const ORDINARY: readonly AnyScenario[] = [
  munmapRunning,
  munmapTables,
  munmapTwice,
  munmapArriving,
  munmapThree,
  munmapAway,
  munmapLazy,
  munmapBatchFull,
  munmapRemap,
  dontneedRunning,
  dontneedFault,
  mprotectRunning,
  mprotectStore,
  cowWriter,
  cowBoth,
  forkWriter,
  exitLazy,
  exitRunning,
  pcidReuse,
  switchAway,
  childExits,
];
