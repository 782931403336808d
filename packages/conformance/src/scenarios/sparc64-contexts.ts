/**
 * sparc64's context numbers: one mm's on all CPUs, until they are used up and begin anew (wrap), with two numbers for users here.
 *
 *     I2   two live mms never share a number in the TLB of one CPU       (O8; and O1, for a flush goes to the wrong number)
 *     I3   a CPU is in mm_cpumask before its first user access           (O1)
 */
import type { Run } from '@mmu-gather/checker';
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  exitMm,
  kthreadUseMm,
  madviseDontneed,
  mmAlloc,
  mmap,
  mmget,
  mmPopulate,
  mmput,
  mprotect,
  munmap,
  userStore,
} from '@mmu-gather/mm/stepped';
import { VM_READ } from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, RW_MEMORY, setStage, type Stage, toUser } from './stage.ts';

const ONLY = { archs: ['sparc64'], why: 'it is about its context numbers' };
const TWO_NUMBERS = { sparc64: { contexts: 3 } };
const FOUR_MMS = { mm: 4, vma: 4, page: 4, table: 8 };

/** An mm with one page that was written to, on a CPU that runs it then. */
function liveMm(run: Run, cpu: number): Mm {
  const mm = run(cpu, mmAlloc);
  run(cpu, (port) => contextSwitch(port, mm));
  run(cpu, (port) => mmap(port, mm, 0, PAGE, RW_MEMORY));
  run(cpu, (port) => userStore(port, mm, 0, 1));
  return mm;
}

/** An mm with one page that has not run yet. */
function populated(run: Run): Mm {
  const mm = run(1, mmAlloc);
  run(1, (cpu) => mmap(cpu, mm, 0, PAGE, RW_MEMORY));
  run(1, (cpu) => mmPopulate(cpu, mm, 0, PAGE));
  return mm;
}

/** Runs each of some mms in turn, and their user code for a moment. */
function* runEach(cpu: Cpu, mms: readonly Mm[]): Steps<void> {
  for (const mm of mms) {
    yield* toUser(cpu, mm);
    yield* cpu.enterKernel();
  }
}

const arrival = defineScenario<Stage>({
  id: 'sparc64/arrival',
  title: 'a CPU runs an mm for the first time while a page is unmapped elsewhere',
  source: 'arch/sparc/include/asm/mmu_context_64.h switch_mm',
  cpus: 2,
  only: ONLY,
  setup: (run) => setStage(run, { touched: [0], running: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'sparc64/arrival/mask-first',
      why: 'the flush reads mm_cpumask while the TSB still has the page: the CPU that comes is not called, and fills its TLB',
      oracle: 'O1',
      property: 'MISS',
      wrong: 'targets-first',
    },
    {
      id: 'sparc64/arrival/unlocked',
      why: 'the CPU fills its TLB from the TSB, drops the lock, and enters mm_cpumask after the flush has looked',
      oracle: 'O1',
      property: 'MISS',
      wrong: 'arrival-unordered',
    },
  ],
});

const wrap = defineScenario<readonly Mm[]>({
  id: 'sparc64/wrap',
  title: 'numbers begin anew while a CPU runs an mm: it keeps its number, and flushes reach it',
  source: 'arch/sparc/mm/init_64.c mmu_context_wrap (4.13, b3aefc2fbdff); sheet T6',
  cpus: 2,
  only: ONLY,
  backend: TWO_NUMBERS,
  pools: FOUR_MMS,
  setup(run) {
    const a = liveMm(run, 0);
    run(0, (cpu) => cpu.enterUser());
    liveMm(run, 1);
    return [a, populated(run), populated(run)];
  },
  // The third mm wraps, and so does the fourth; the first is then unmapped from CPU 1.
  threads: ([a, c, d]) => [
    undefined,
    thread(function* (cpu) {
      yield* runEach(cpu, [c!, d!, c!]);
      yield* contextSwitch(cpu, a!);
      yield* munmap(cpu, a!, 0, PAGE);
    }),
  ],
  twins: [
    {
      id: 'sparc64/wrap/given-away',
      why: 'running mms lose their numbers: the flush goes to the new one, and CPU 0 has entries under the old one',
      oracle: 'O1',
      property: 'MISS',
      backend: { sparc64: { wrapKeeps: false } },
    },
  ],
});

const wrapSwitch = defineScenario<readonly Mm[]>({
  id: 'sparc64/wrap-switch',
  title: 'numbers begin anew while another CPU switches back to an mm whose number was valid a moment ago',
  source: 'arch/sparc/mm/init_64.c mmu_context_wrap; sheet T7',
  cpus: 2,
  only: ONLY,
  // One more than CPUs: what both run may be kept, and there is still one for who wraps.
  backend: { sparc64: { contexts: 4 } },
  pools: FOUR_MMS,
  setup(run) {
    const a = liveMm(run, 1);
    liveMm(run, 1);
    liveMm(run, 1);
    return [a, run(0, mmAlloc)];
  },
  threads: ([a, c]) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, c!);
      yield* contextSwitch(cpu, a!);
      yield* munmap(cpu, a!, 0, PAGE);
    }),
    thread((cpu) => toUser(cpu, a!)),
  ],
  twins: [
    {
      id: 'sparc64/wrap-switch/slots-first',
      why: 'the wrap looks at what CPUs run before it raises the version',
      oracle: 'O1',
      property: 'MISS',
      backend: { sparc64: { wrapOrder: 'slots-first' } },
    },
    {
      id: 'sparc64/wrap-switch/no-fence',
      why: 'the new version waits in the store buffer while the wrap looks at what CPUs run',
      oracle: 'O1',
      property: 'MISS',
      backend: { sparc64: { wrapFence: false } },
      memoryModels: ['tso'],
    },
    {
      id: 'sparc64/wrap-switch/said-late',
      why: 'the CPU looks at the version before it says what it is about to run',
      oracle: 'O1',
      property: 'MISS',
      backend: { sparc64: { secondaryFirst: false } },
    },
  ],
});

const newNumber = defineScenario<readonly Mm[]>({
  id: 'sparc64/new-number',
  title: 'an mm gets another number, under which a CPU that ran it before has entries of a third mm',
  source: 'arch/sparc/mm/init_64.c get_new_mmu_context (4.13)',
  cpus: 2,
  only: ONLY,
  backend: TWO_NUMBERS,
  pools: FOUR_MMS,
  setup(run) {
    // CPU 1 has entries of the first mm under 1, and of the second under 2.
    const a = liveMm(run, 1);
    const b = liveMm(run, 1);
    return [a, b, run(0, mmAlloc), run(1, mmAlloc)];
  },
  // The third wraps and takes 1, so that the first gets 2 on CPU 0. Then CPU 1 runs it again.
  threads: ([a, , c, d]) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, c!);
      yield* contextSwitch(cpu, a!);
    }),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, d!);
      yield* toUser(cpu, a!);
    }),
  ],
  twins: [
    {
      id: 'sparc64/new-number/mask-kept',
      why: 'mm_cpumask still has the CPU, so that it trusts what it has under the new number',
      oracle: 'O8',
      property: 'ALIAS',
      backend: { sparc64: { maskCleared: false } },
    },
    {
      id: 'sparc64/new-number/no-demap',
      why: 'a CPU that runs a number for the first time does not demap it',
      oracle: 'O8',
      property: 'ALIAS',
      backend: { sparc64: { firstRunDemap: false } },
    },
  ],
});

const numberFreed = defineScenario<readonly Mm[]>({
  id: 'sparc64/number-freed',
  title: 'an mm ends whose number was of the last version: another mm has it now',
  source: 'arch/sparc/mm/init_64.c destroy_context',
  cpus: 2,
  only: ONLY,
  backend: TWO_NUMBERS,
  pools: { mm: 5, vma: 4, page: 4, table: 10 },
  setup(run) {
    const a = liveMm(run, 0);
    liveMm(run, 0);
    // It wraps, and takes the first one's number; the next one takes the other.
    const c = liveMm(run, 0);
    liveMm(run, 1);
    run(1, (cpu) => mmput(cpu, a));
    return [c, populated(run)];
  },
  threads: ([c, e]) => [thread((cpu) => runEach(cpu, [e!, c!])), thread((cpu) => contextSwitch(cpu, e!))],
  twins: [
    {
      id: 'sparc64/number-freed/always',
      why: 'the number is given to another mm, and two live ones have it',
      oracle: 'O8',
      property: 'ALIAS',
      backend: { sparc64: { numberFreed: 'always' } },
    },
  ],
});

const wrapExit = defineScenario<readonly Mm[]>({
  id: 'sparc64/wrap-exit',
  title: 'numbers begin anew while a CPU leaves an mm that it had the last reference to',
  source: 'arch/sparc/mm/init_64.c mmu_context_wrap, destroy_context',
  cpus: 2,
  only: ONLY,
  backend: TWO_NUMBERS,
  pools: FOUR_MMS,
  setup(run) {
    liveMm(run, 1);
    run(1, exitMm);
    const b = liveMm(run, 0);
    run(0, (cpu) => contextSwitch(cpu, null));
    return [b, run(0, mmAlloc)];
  },
  threads: ([b, c]) => [thread((cpu) => contextSwitch(cpu, c!)), thread((cpu) => contextSwitch(cpu, b!))],
  twins: [
    {
      id: 'sparc64/wrap-exit/at-wrap',
      why: 'its number is left to the next wrap, without a lock, and a wrap reads what CPUs run before it raises the version: the mm is freed under it',
      oracle: 'O5',
      property: 'ORD',
      backend: { sparc64: { numberFreed: 'at-wrap', wrapOrder: 'slots-first' } },
    },
  ],
});

const wrapFlush = defineScenario<readonly Mm[]>({
  id: 'sparc64/wrap-flush',
  title: 'pages of an mm that nobody runs are given up while numbers begin anew, and it runs again',
  source: 'arch/sparc/mm/tlb.c flush_tlb_pending',
  cpus: 2,
  only: ONLY,
  backend: TWO_NUMBERS,
  pools: FOUR_MMS,
  setup(run) {
    const a = liveMm(run, 1);
    liveMm(run, 1);
    return [a, run(1, mmAlloc)];
  },
  threads: ([a, c]) => [
    thread((cpu) => madviseDontneed(cpu, a!, 0, PAGE)),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, c!);
      yield* toUser(cpu, a!);
    }),
  ],
  twins: [
    {
      id: 'sparc64/wrap-flush/nothing',
      why: 'its number is not valid, so that nothing is flushed, its TSB included',
      oracle: ['O1', 'O12'],
      property: 'FUAF',
      backend: { sparc64: { invalidContext: 'nothing' } },
    },
  ],
});

const trim = defineScenario<Stage>({
  id: 'sparc64/trim-mask',
  title: 'a kernel thread begins to use an mm while the only task of it flushes',
  source: 'bafb056ce279 (2020); sheet T8',
  cpus: 2,
  only: ONLY,
  setup: (run) => setStage(run, { touched: [0, 1], running: [0] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* mprotect(cpu, mm, PAGE, PAGE, VM_READ);
      yield* munmap(cpu, mm, 0, PAGE);
    }),
    thread(function* (cpu) {
      yield* mmget(cpu, mm);
      yield* kthreadUseMm(cpu, mm);
      // What it copies from and to users goes through the same entries.
      yield* cpu.enterUser();
    }),
  ],
  // The kernel thread still uses the mm.
  holds: ({ mm }) => [{ object: mm.address, references: 1 }],
  twins: [
    {
      id: 'sparc64/trim-mask/single-user',
      why: 'mm_users is 1, so mm_cpumask becomes this CPU alone, and loses the one that has just come',
      oracle: ['O1', 'O2'],
      property: 'MISS',
      backend: { sparc64: { trimMask: 'single-user' } },
    },
  ],
});

/** All of them. */
export const SPARC64_CONTEXTS: readonly AnyScenario[] = [
  arrival,
  wrap,
  wrapSwitch,
  newNumber,
  numberFreed,
  wrapExit,
  wrapFlush,
  trim,
];
