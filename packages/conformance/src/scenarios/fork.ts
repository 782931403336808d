/**
 * fork beside faults: pages become shared before the flush, and nobody may copy them in between.
 */
import { type Address, AGGRESSIVE, getPage, putPage } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  dupMm,
  tlbBatch,
  tryToUnmapFlush,
  tryToUnmapOne,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { mappingOf, setStage, type Stage } from './stage.ts';

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

interface Unmapped extends Stage {
  readonly page: Address;
}

const reclaimed = defineScenario<Unmapped>({
  id: 'fork/reclaim',
  title:
    'fork finds nothing to protect, for reclaim has unmapped the page and not flushed: that is flushed, before the child gets it from the swap cache',
  source: 'core.md 4c; what fork may flush where changes are on record',
  cpus: 2,
  only: { archs: ['x86'], why: 'elsewhere reclaim defers nothing that only generations tell of' },
  profiles: ['linux-6.18'],
  profile: { ...AGGRESSIVE, ringSlots: 4 },
  backend: { x86: { completedGen: 'after-flush' } },
  pools: { mm: 3, page: 6, table: 8, vma: 6 },
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    return { ...stage, page: mappingOf(run, stage.mm, 0).page };
  },
  threads: ({ mm, page }) => [
    thread(function* (cpu) {
      const batch = tlbBatch();
      yield* getPage(cpu, page);
      yield* tryToUnmapOne(cpu, page, mm, 0, batch);
      const child = yield* dupMm(cpu, mm);
      yield* contextSwitch(cpu, child);
      const word = yield* userLoad(cpu, child, 0);
      yield* tryToUnmapFlush(cpu, batch);
      const again = yield* userLoad(cpu, child, 0);
      cpu.claim.that(word === again, 'O6', 'the child sees what a thread of the parent stores after the fork');
      yield* putPage(cpu, page);
    }),
    thread((cpu) => cpu.userWrite(0, 7)),
  ],
  twins: [
    {
      id: 'fork/reclaim/no-flush',
      why: 'fork does not flush: the child reads a page that a thread of the parent still writes to',
      oracle: 'O6',
      property: 'LOSTW',
      profile: { forkFlush: 'none' },
    },
  ],
});

/** All of them. */
export const FORK: readonly AnyScenario[] = [t16, mmapLock, reclaimed];
