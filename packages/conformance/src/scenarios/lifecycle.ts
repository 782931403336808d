/**
 * Address spaces that come and go: fork, exit, and ASIDs that change hands.
 */
import type { Mm } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  dupMm,
  execMmap,
  exitMm,
  mmAlloc,
  mmap,
  mmdrop,
  mmput,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { lazySkipped, newMm, PAGE, RW_MEMORY, setStage, type Stage } from './stage.ts';

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
  twins: [lazySkipped('exit/lazy-elsewhere')],
});

const exitRunning = defineScenario<Stage>({
  id: 'exit/other-thread-leaves',
  title: 'two threads exit; the last one tears the mm down while the other CPU is lazy on it',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
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
  only: { archs: ['x86'], why: 'it is about its six ASID slots a CPU; T28/fixed has the race of tags' },
  pools: { mm: 7, page: 8, table: 14, vma: 7 },
  backend: { x86: { dynAsids: 6 } },
  setup(run) {
    return Array.from({ length: 7 }, () => newMm(run));
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
      wrong: 'tag-reused',
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
      oracle: ['O5', 'O16', 'O1'],
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

interface FirstExec {
  /** The mm that the kernel thread borrows. */
  readonly borrowed: Mm;
  readonly own: Mm;
}

const kernelThreadExecs = defineScenario<FirstExec>({
  id: 'exec/kernel-thread',
  title: 'a kernel thread executes its first program and drops the mm that it has borrowed, whose last thread exits',
  source: 'fs/exec.c exec_mmap: mmdrop_lazy_tlb(active_mm); kernel/umh.c',
  cpus: 2,
  pools: { mm: 3, page: 4, table: 8, vma: 4 },
  setup(run) {
    const borrowed = run(0, mmAlloc);
    run(0, (cpu) => contextSwitch(cpu, borrowed));
    run(0, (cpu) => mmap(cpu, borrowed, 0, PAGE, RW_MEMORY));
    run(0, (cpu) => userStore(cpu, borrowed, 0, 1));
    run(1, (cpu) => contextSwitch(cpu, borrowed));
    run(0, (cpu) => contextSwitch(cpu, null));
    return { borrowed, own: run(0, mmAlloc) };
  },
  threads: ({ own }) => [thread((cpu) => execMmap(cpu, own)), thread((cpu) => exitMm(cpu))],
  twins: [
    {
      id: 'exec/kernel-thread/twice',
      why: 'the borrowed mm is dropped once too often',
      oracle: ['O4', 'O5', 'O16'],
      property: 'TUAF',
      threads: ({ borrowed, own }) => [
        thread(function* (cpu) {
          yield* execMmap(cpu, own);
          yield* mmdrop(cpu, borrowed);
        }),
        thread((cpu) => exitMm(cpu)),
      ],
    },
  ],
});

/** All of them. */
export const LIFECYCLE: readonly AnyScenario[] = [
  forkWriter,
  exitLazy,
  exitRunning,
  pcidReuse,
  childExits,
  kernelThreadExecs,
];
