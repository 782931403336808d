/**
 * Locks of VMAs: a fault that leaves mmap_lock alone, against those who change or take away its VMA.
 */
import { VM_READ } from '@mmu-gather/core/stepped';
import { MREMAP_FIXED, MREMAP_MAYMOVE, mprotect, mremap, munmap, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage } from './stage.ts';

const munmapFault = defineScenario<Stage>({
  id: 'vma-lock/munmap',
  title: 'munmap against a fault that finds its VMA without mmap_lock',
  source: 'mm/memory.c lock_vma_under_rcu (6.4)',
  cpus: 2,
  profile: { perVmaLocks: true },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => userStore(cpu, mm, PAGE, 7))],
  twins: [
    {
      id: 'vma-lock/munmap/not-locked',
      why: 'munmap does not lock the VMA that it takes away, and a fault goes on in it',
      oracle: ['O1', 'O2', 'O4', 'O5', 'O10', 'race'],
      property: 'TUAF',
      profile: { vmaWriters: 'none' },
    },
    {
      id: 'vma-lock/munmap/free-at-once',
      why: 'the VMA is freed while a fault that has found it looks at its lock',
      oracle: 'O5',
      profile: { vmaFree: 'at-once' },
    },
  ],
});

const mprotectFault = defineScenario<Stage>({
  id: 'vma-lock/mprotect',
  title: 'mprotect against a fault that holds the lock of its VMA: the fault comes first, or asks for the new rights',
  source: 'mm/mprotect.c mprotect_fixup, vma_start_write (6.4)',
  cpus: 2,
  profile: { perVmaLocks: true },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => mprotect(cpu, mm, 0, 2 * PAGE, VM_READ)),
    thread(function* (cpu) {
      yield* userStore(cpu, mm, PAGE, 7);
      yield* cpu.enterUser(0);
    }),
  ],
  twins: [
    {
      id: 'vma-lock/mprotect/not-locked',
      why: 'mprotect does not lock the VMA, and a fault that read the old rights makes the entry writable after it',
      oracle: ['O2', 'race'],
      property: 'SAC',
      profile: { vmaWriters: 'none' },
    },
  ],
});

const mremapFault = defineScenario<Stage>({
  id: 'vma-lock/mremap',
  title: 'mremap against a fault at the new address: nothing is there before the old entry has come',
  source: 'mm/vma.c vma_link, vma_start_write (6.4)',
  cpus: 2,
  profile: { perVmaLocks: true },
  setup: (run) => setStage(run, { pages: 1, inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => mremap(cpu, mm, 0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 2 * PAGE)),
    thread((cpu) => userStore(cpu, mm, 2 * PAGE, 8)),
  ],
  twins: [
    {
      id: 'vma-lock/mremap/not-locked',
      why: 'the new VMA is open to faults while entries move there: one of two pages is lost, and still in use',
      oracle: ['O11', 'O12', 'O6', 'O16', 'O17', 'race'],
      property: 'LOSTW',
      profile: { vmaWriters: 'none' },
    },
  ],
});

/** All of them. */
export const VMA_LOCKS: readonly AnyScenario[] = [munmapFault, mprotectFault, mremapFault];
