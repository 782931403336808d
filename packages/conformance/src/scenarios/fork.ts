/**
 * fork beside faults: pages become shared before the flush, and nobody may copy them in between.
 */
import { dupMm, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { setStage, type Stage } from './stage.ts';

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

/** All of them. */
export const FORK: readonly AnyScenario[] = [t16, mmapLock];
