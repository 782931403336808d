/**
 * powerpc radix: PIDs that are handed out again. Nothing may be left of the last owner, on no CPU: neither entries nor ways to tables, nor the root
 * in what is cached of the process table.
 */
import type { Run } from '@mmu-gather/checker';
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, exitMm, mmAlloc, mmap, munmap, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { RADIX, radix } from './powerpc-radix-flush.ts';
import { PAGE, RW_MEMORY, setStage, type Stage, type StageOptions } from './stage.ts';

/** An mm that takes the lowest PID that is free, and runs here. */
function* nextMm(cpu: Cpu): Steps<Mm> {
  const mm = yield* mmAlloc(cpu);
  yield* mmap(cpu, mm, 0, 2 * PAGE, RW_MEMORY);
  yield* contextSwitch(cpu, mm);
  yield* userStore(cpu, mm, 0, 1);
  return mm;
}

const POOLS = { mm: 3, page: 4, table: 6, vma: 2 };

interface Daemon extends Stage {
  /** What runs while nothing else does: a CPU that goes on to it borrows nothing any more. */
  readonly daemon: Mm;
}

function besideDaemon(run: Run, options: StageOptions): Daemon {
  return { daemon: run(0, mmAlloc), ...setStage(run, options) };
}

/** The task ends, and its CPU goes on to another one's. */
function* exitTo(cpu: Cpu, daemon: Mm): Steps<void> {
  yield* exitMm(cpu);
  yield* contextSwitch(cpu, daemon);
}

const reused = defineScenario<Daemon>({
  id: 'powerpc-radix/pid-reused',
  title: 'an mm ends and the next one has its PID, on a CPU that ran the first or on one that was lazy on it',
  source: 'arch_exit_mmap, radix__tlb_flush: fullmm is RIC 2',
  cpus: 2,
  only: RADIX,
  pools: POOLS,
  setup: (run) => besideDaemon(run, { touched: [0], lazy: [1] }),
  threads: ({ daemon }) => [
    thread((cpu) => exitTo(cpu, daemon)),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, daemon);
      yield* nextMm(cpu);
    }),
  ],
  twins: [
    {
      id: 'powerpc-radix/pid-reused/ric-0',
      why: 'the last flush is RIC 0: ways to tables, and the root, stay under the PID',
      oracle: ['O8', 'O4'],
      property: 'ALIAS',
      backend: radix({ teardownRic: 0 }),
    },
  ],
});

const forgotten = defineScenario<Stage>({
  id: 'powerpc-radix/pid-still-loaded',
  title:
    'an mm ends; the CPU of its last thread still has its PID loaded, and leaves it before the next mm gets the PID',
  source: 'cleanup_lazy_tlbs, MMU_LAZY_TLB_SHOOTDOWN (6.4)',
  cpus: 2,
  only: RADIX,
  profiles: ['linux-6.18'],
  pools: POOLS,
  setup: (run) => setStage(run, { touched: [0], running: [0] }),
  threads: () => [
    thread((cpu) => exitMm(cpu)),
    thread(function* (cpu) {
      const mm = yield* nextMm(cpu);
      yield* munmap(cpu, mm, 0, 2 * PAGE);
    }),
  ],
  twins: [
    {
      id: 'powerpc-radix/pid-still-loaded/forgotten',
      why: 'it stays on the PID and is in no mask of the next mm: it walks its tables, and no flush reaches it',
      oracle: ['O4', 'O1', 'O8'],
      property: 'TUAF',
      backend: radix({ lazyTlb: 'forgotten' }),
    },
  ],
});

const unmapped = defineScenario<Daemon>({
  id: 'powerpc-radix/exit',
  title: 'an mm ends with something mapped in it, and the next one has its PID',
  source: 'exit_mmap (6.12)',
  cpus: 1,
  only: RADIX,
  pools: POOLS,
  setup: (run) => besideDaemon(run, { touched: [0], running: [0] }),
  threads: ({ daemon }) => [
    thread(function* (cpu) {
      yield* exitTo(cpu, daemon);
      yield* nextMm(cpu);
    }),
  ],
  twins: [
    {
      id: 'powerpc-radix/exit/root-last',
      why: 'the root is taken from the process table behind the last flush: it has been cached again',
      oracle: 'O8',
      property: 'ALIAS',
      backend: radix({ prtbCleared: 'after-flush' }),
    },
    {
      id: 'powerpc-radix/exit/unmapped',
      why: 'a candidate, nobody has reported it: the last thing that the task does is to unmap all that it has. exit_mmap finds no VMA and flushes nothing, so the root that was cached since stays under the PID',
      oracle: 'O8',
      property: 'ALIAS',
      threads: ({ mm, daemon }) => [
        thread(function* (cpu) {
          yield* munmap(cpu, mm, 0, 2 * PAGE);
          yield* exitTo(cpu, daemon);
          yield* nextMm(cpu);
        }),
      ],
    },
  ],
});

/** All of them. */
export const RADIX_PIDS: readonly AnyScenario[] = [reused, forgotten, unmapped];
