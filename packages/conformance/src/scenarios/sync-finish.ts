/**
 * A finish that waits for other gathers (core's sync-finish.ts): who it may wait for, and who would wait for it.
 */
import type { Layout } from '@mmu-gather/checker';
import { type Cell, type Profile, tlbFinishMmu, tlbGatherMmu, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import { contextSwitch, madviseDontneed, mmgrab, mmput, mprotect, unmapMappingRange } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { PAGE, setStage, type Stage, syscall } from './stage.ts';

const ZIJLSTRA = 'mail of P. Zijlstra, 2019-05-09';

/** Finishes wait, and fall back to what Linux does. */
const EPOCHS: Partial<Profile> = { finishSync: 'epoch', nestedFinish: 'whole-mm', deferral: 'counter' };

const zapTwice = defineScenario<Stage>({
  id: 'sync-finish/zap-twice',
  title: 'two threads zap one page: the one that finds it gone waits for the other, and does not flush',
  source: ZIJLSTRA,
  cpus: 2,
  profile: EPOCHS,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'sync-finish/zap-twice/close-first',
      why: 'a gather closes before its flush, so nobody waits for that',
      oracle: 'O10',
      property: 'SAC',
      profile: { decPending: 'before-flush' },
    },
    {
      id: 'sync-finish/zap-twice/wait-first',
      why: 'each waits until it is the last one, and closes then: two wait for each other',
      oracle: 'deadlock',
      property: 'LIVE',
      profile: { finishSync: 'wait-first' },
    },
  ],
});

/** The teardown opens its gather with mmap_lock for read, and takes it for write before it closes; a reaper holds it for read. */
const reaper = defineScenario<Stage>({
  id: 'T27/fixed',
  title: 'a task ends while a reaper zaps its memory: the reaper does not wait for the teardown, which needs its lock',
  source: `${ZIJLSTRA}; mm/mmap.c exit_mmap, mm/oom_kill.c __oom_reap_task_mm`,
  cpus: 2,
  profile: EPOCHS,
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    run(1, (cpu) => mmgrab(cpu, stage.mm));
    run(0, (cpu) => contextSwitch(cpu, null));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => mmput(cpu, mm)), thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE))],
  // The reaper keeps the mm.
  holds: ({ mm }) => [{ object: mm.address, references: 1 }],
  twins: [
    {
      id: 'T27/naive',
      why: 'the reaper waits with mmap_lock held for read until no gather is open, and the teardown waits for that lock with its gather open',
      oracle: 'deadlock',
      property: 'LIVE',
      profile: { finishSync: 'counter' },
    },
  ],
});

interface Stream extends Stage {
  readonly opened: Cell;
  readonly late: Cell;
  readonly done: Cell;
}

/** Words that threads of a scenario tell each other by. Reserved before any kernel exists, so where they are is the same in all runs. */
let flags: Cell = 0;

const stream = defineScenario<Stream>({
  id: 'T27/stream',
  title: 'gathers overlap without end: a finish waits for those that were open when it began, and not for later ones',
  source: ZIJLSTRA,
  cpus: 3,
  profile: EPOCHS,
  reserve(layout: Layout) {
    flags = layout.reserve('stream', ['opened', 'late', 'done']);
  },
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0, 1, 2], inKernel: [1, 2] });
    return { ...stage, opened: flags, late: flags + 1, done: flags + 2 };
  },
  threads: ({ mm, opened, late, done }) => [
    thread(function* (cpu) {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      // A full barrier: who sees two has seen two counted as pending.
      yield* cpu.atomicAddReturn(opened, 1);
      yield* cpu.waitFor(opened, 'equal', 2);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
      yield* cpu.storeRelease(done, 1);
    }),
    // The next one of the stream: opened when the first has closed and waits, and closed when somebody else would have opened.
    thread(function* (cpu) {
      yield* cpu.waitFor(opened, 'equal', 2);
      yield* cpu.waitFor(mm.tlbFlushPending, 'equal', 1);
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* cpu.storeRelease(late, 1);
      yield* cpu.waitFor(done, 'equal', 1);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    }),
    thread(function* (cpu) {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* cpu.atomicAddReturn(opened, 1);
      yield* cpu.waitFor(late, 'equal', 1);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    }),
  ],
  twins: [
    {
      id: 'T27/stream/counter',
      why: 'it waits for a moment without any open gather, which a stream of overlapping ones never has',
      oracle: 'deadlock',
      property: 'LIVE',
      profile: { finishSync: 'counter' },
    },
  ],
});

const ownTwo = defineScenario<Stage>({
  id: 'T27/two-of-one-task',
  title: 'a task with a gather of its own open finishes another one: it flushes, for it cannot wait for itself',
  source: ZIJLSTRA,
  cpus: 2,
  profile: EPOCHS,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      const outer = yield* tlbGatherMmu(cpu, mm);
      yield* madviseDontneed(cpu, mm, 0, PAGE);
      yield* tlbFinishMmu(cpu, outer, 0, PAGE);
    }),
  ],
  twins: [
    {
      id: 'T27/two-of-one-task/counter',
      why: 'it waits for its own outer gather',
      oracle: 'deadlock',
      property: 'LIVE',
      profile: { finishSync: 'counter' },
    },
  ],
});

const splits = defineScenario<FileStage>({
  id: 'T27/split',
  title:
    'mprotect splits a VMA of a file with its gather open: who unmaps pages of the file holds the lock for that, and flushes',
  source: ZIJLSTRA,
  cpus: 2,
  profile: { ...EPOCHS, changeProtection: 'gather' },
  setup: (run) => setFileStage(run, { flags: VM_READ | VM_WRITE, pages: 2, touched: [0], inKernel: [1] }),
  threads: ({ mm, file }) => [
    thread((cpu) => mprotect(cpu, mm, PAGE, PAGE, VM_READ)),
    thread((cpu) => unmapMappingRange(cpu, file, 0, 1, true)),
  ],
  twins: [
    {
      id: 'T27/split/counter',
      why: 'it waits for the gather of mprotect, which waits for its lock',
      oracle: 'deadlock',
      property: 'LIVE',
      profile: { finishSync: 'counter' },
    },
  ],
});

/** All of them. */
export const SYNC_FINISH: readonly AnyScenario[] = [zapTwice, reaper, stream, ownTwo, splits];
