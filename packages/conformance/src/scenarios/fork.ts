/**
 * fork beside faults: pages become shared before the flush, and nobody may copy them in between.
 */
import { VM_READ } from '@mmu-gather/core/stepped';
import { dupMm, mprotect, munmap, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage } from './stage.ts';

/** One page that was written to, a thread that faults on it, and one that runs. */
function written(run: Parameters<typeof setStage>[0]): Stage {
  return setStage(run, { pages: 1, touched: [0], running: [0, 1, 2], inKernel: [1] });
}

const t16 = defineScenario<Stage>({
  id: 'T16/fixed',
  title: 'fork against a fault that takes the lock of its VMA: fork holds that lock until it has flushed',
  source: 'fb49c455323f (6.5), "fork: lock VMAs of the parent process when forking"',
  cpus: 3,
  profile: { perVmaLocks: true },
  setup: written,
  threads: ({ mm }) => [thread((cpu) => dupMm(cpu, mm)), thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'T16/naive',
      why: 'the fault copies the page while another thread still writes to it through its old entry (6.4)',
      oracle: ['O6', 'O9'],
      property: 'LOSTW',
      profile: { vmaWriters: 'all-but-fork' },
    },
    {
      id: 'T16/no-flush',
      why: 'fork does not flush: the child shares a page that a thread of the parent still writes to',
      oracle: ['O6', 'O9', 'O12'],
      property: 'LOSTW',
      profile: { forkFlush: 'none' },
    },
  ],
});

const mmapLock = defineScenario<Stage>({
  id: 'fork/fault',
  title: 'fork against a fault that needs mmap_lock',
  source: 'kernel/fork.c dup_mmap',
  cpus: 3,
  profile: { perVmaLocks: false },
  setup: written,
  threads: ({ mm }) => [thread((cpu) => dupMm(cpu, mm)), thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'fork/fault/no-flush',
      why: 'fork does not flush: the child shares a page that a thread of the parent still writes to',
      oracle: ['O6', 'O9', 'O12'],
      property: 'LOSTW',
      profile: { forkFlush: 'none' },
    },
  ],
});

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

/** All of them. */
export const FORK: readonly AnyScenario[] = [t16, mmapLock, munmapFault, mprotectFault];
