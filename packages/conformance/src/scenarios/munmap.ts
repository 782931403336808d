/**
 * munmap against threads that run, arrive, leave, sleep, or unmap as well.
 */
import { type Mm } from '@mmu-gather/core/stepped';
import { contextSwitch, mmAlloc, mmap, munmap, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { cameFromAnotherMm, PAGE, RW_MEMORY, setStage, type Stage, syscall, toUser, noWait } from './stage.ts';

interface TwoMms {
  readonly a: Mm;
  readonly b: Mm;
}

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

const munmapOwn = defineScenario<Stage>({
  id: 'munmap/own-entries',
  title: 'munmap of a page that only this CPU has used: back in user mode it finds nothing',
  cpus: 1,
  setup: (run) => setStage(run, { running: [0] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 0, PAGE);
      yield* cpu.enterUser(0);
    }),
  ],
  twins: [
    {
      id: 'munmap/own-entries/others-only',
      why: 'the CPU that asks for a flush does not do its own part',
      oracle: ['O10', 'O1', 'O11'],
      property: 'FUAF',
      wrong: 'others-only',
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
      why: 'both keep interrupts off while they flush, and wait for each other',
      oracle: 'deadlock',
      property: 'LIVE',
      threads: ({ mm }) => [
        thread(function* (cpu) {
          yield* cpu.localIrqDisable();
          yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
          yield* cpu.localIrqEnable();
        }),
        thread(function* (cpu) {
          yield* cpu.enterKernel();
          yield* cpu.localIrqDisable();
          yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
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
  twins: [
    noWait('munmap/three-cpus'),
    {
      id: 'munmap/three-cpus/self-only',
      why: 'the flush reaches only the CPU that asks for it',
      oracle: ['O1', 'O9', 'O10', 'O11'],
      property: 'FUAF',
      wrong: 'self-only',
    },
  ],
});

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
      oracle: ['O1', 'O11'],
      property: 'FUAF',
      wrong: 'targets-first',
      // From 6.13 on a CPU that was switched out keeps its bit, and is in the mask whenever it is read.
      where: { backend: { x86: { clearPrevBit: true } } },
    },
    {
      id: 'munmap/thread-away/no-fence',
      why: 'the bit in mm_cpumask is set already, and no barrier orders loaded_mm before the generation is read',
      oracle: 'O1',
      property: 'FUAF',
      wrong: 'arrival-unordered',
      where: { backend: { x86: { setOwnBit: 'if-clear' } } },
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
      wrong: 'lazy-unchecked',
    },
  ],
});

const munmapBatchFull = defineScenario<Stage>({
  id: 'munmap/batch-full',
  title: 'the gather is full after each page and flushes in between',
  cpus: 2,
  profile: { gatherBatch: { bundle: 2, batch: 0, batches: 0, spare: 1 } },
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
      oracle: ['O1', 'O11'],
      property: 'FUAF',
      wrong: 'targets-first',
      // From 6.13 on a CPU that was switched out keeps its bit, and is in the mask whenever it is read.
      where: { backend: { x86: { clearPrevBit: true } } },
    },
    {
      id: 'switch/away-during-flush/no-fence',
      why: 'the bit in mm_cpumask is set already, and no barrier orders loaded_mm before the generation is read',
      oracle: 'O1',
      property: 'FUAF',
      wrong: 'arrival-unordered',
      where: { backend: { x86: { setOwnBit: 'if-clear' } } },
      memoryModels: ['tso'],
    },
  ],
});

/** All of them. */
export const MUNMAP: readonly AnyScenario[] = [
  munmapRunning,
  munmapOwn,
  munmapTables,
  munmapTwice,
  munmapArriving,
  munmapThree,
  munmapAway,
  munmapLazy,
  munmapBatchFull,
  munmapRemap,
  switchAway,
];
