/**
 * Historical bugs: the fixed form, which must hold, and the buggy one, which must be found.
 */
import { VM_READ } from '@mmu-gather/core/stepped';
import { MADV_FREE, madvise, madviseDontneed, mprotect, munmap, shrinkPages } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { cameFromAnotherMm, PAGE, setStage, type Stage, syscall, toUser, type Page0, withPage0 } from './stage.ts';

const b02 = defineScenario<Page0>({
  id: 'bug:B02/fixed',
  bug: 'B02',
  title: "reclaim's batched unmap must not hide an entry from mprotect",
  source: '3ea277194daa (2017)',
  cpus: 3,
  setup: (run) => withPage0(run, setStage(run, { touched: [0], running: [0, 1, 2] })),
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    thread(function* (cpu) {
      yield* syscall(cpu, () => mprotect(cpu, mm, 0, PAGE, VM_READ));
    }),
  ],
  twins: [
    {
      id: 'bug:B02/buggy',
      why: 'mprotect finds the entry gone, flushes nothing, and returns while a CPU can still write',
      oracle: ['O2', 'O10'],
      property: 'SAC',
      profile: { batchedPending: 'none' },
    },
  ],
});

const b03 = defineScenario<Stage>({
  id: 'bug:B03/fixed',
  bug: 'B03',
  title: 'two parallel MADV_DONTNEED: the second must not return while its own TLB still holds the page',
  source: '99baac21e458 (2017)',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'bug:B03/buggy',
      why: 'the second caller finds the work done and skips the flush',
      oracle: 'O10',
      property: 'SAC',
      profile: { nestedFinish: 'none' },
    },
  ],
});

const b03Free = defineScenario<Stage>({
  id: 'bug:B03/free/fixed',
  bug: 'B03',
  title: 'two parallel MADV_FREE: the second must not return while its own TLB still holds the page dirty',
  source: '99baac21e458 (2017)',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madvise(cpu, mm, 0, PAGE, MADV_FREE)),
    thread((cpu) => syscall(cpu, () => madvise(cpu, mm, 0, PAGE, MADV_FREE))),
  ],
  twins: [
    {
      id: 'bug:B03/free/buggy',
      why: 'the second caller finds the page clean and skips the flush: it may still store without a trace',
      oracle: 'O10',
      property: 'SAC',
      profile: { nestedFinish: 'none' },
    },
  ],
});

const b13 = defineScenario<Stage>({
  id: 'bug:B13/fixed',
  bug: 'B13',
  title: 'a CPU amid switch_mm is a target of flushes',
  source: 'CVE-2025-37964, fea4e317f9e7 (2025)',
  cpus: 2,
  only: { archs: ['x86'], why: 'it is about loaded_mm and how it marks a CPU amid switch_mm' },
  where: { backend: { x86: { targets: 'loaded' } } },
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'bug:B13/buggy',
      why: 'loaded_mm still names the old mm while the new one is loaded, and the flusher skips the CPU',
      oracle: 'O1',
      property: 'FUAF',
      backend: { x86: { switchingMark: 'after-choice' } },
    },
    {
      id: 'bug:B13/no-marker',
      why: 'there is no marker at all',
      oracle: 'O1',
      property: 'FUAF',
      backend: { x86: { switchingMark: 'never' } },
    },
    {
      id: 'bug:B13/not-a-target',
      why: 'the marker is there, and the flusher does not count it as a target',
      oracle: 'O1',
      property: 'FUAF',
      backend: { x86: { switchingIsTarget: false } },
    },
  ],
});

const b31 = defineScenario<Stage>({
  id: 'bug:B31/fixed',
  bug: 'B31',
  title: 'mm_cpumask against page walks: a full barrier on both sides',
  source: 'CVE-2016-2069, 71b3c126e611 (2016)',
  cpus: 2,
  only: { archs: ['x86'], why: 'it is about the two barriers of its generations; munmap/thread-away has the race' },
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'bug:B31/buggy',
      why: "the arriving CPU's bit may become visible after it has read the generation",
      oracle: 'O1',
      property: 'MISS',
      backend: { x86: { setOwnBit: 'unlocked' } },
      where: { backend: { x86: { clearPrevBit: true } } },
      memoryModels: ['tso'],
    },
    {
      id: 'bug:B31/flusher',
      why: 'the flusher may read mm_cpumask before its generation is visible',
      oracle: 'O1',
      property: 'MISS',
      backend: { x86: { incGeneration: 'unlocked' } },
      // Up to 5.12 the local flush comes first, and it serialises.
      where: { backend: { x86: { flushOrder: 'overlapped' } } },
      memoryModels: ['tso'],
    },
  ],
});

const b33 = defineScenario<Stage>({
  id: 'bug:B33/fixed',
  bug: 'B33',
  title: 'a lazy CPU that returns to the mm after its page table was freed',
  source: 'b956575bed91 (2017), 2ff6ddf19c0e (2018)',
  cpus: 2,
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], lazy: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'bug:B33/buggy',
      why: 'lazy CPUs are skipped; speculation walks a freed table',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'walks-kept',
    },
  ],
});

/** All of them. */
export const BUGS: readonly AnyScenario[] = [b02, b03, b03Free, b13, b31, b33];
