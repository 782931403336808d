/**
 * powerpc radix: how CPUs leave mm_cpumask, and who must not. Whoever has left is not flushed any more.
 */
import type { Cell, Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, kthreadUseMm, madviseDontneed, mmAlloc, mmget, munmap } from '@mmu-gather/mm/stepped';
import { mmActiveCpus, radixCpuOffline, radixCpuOnline } from '@mmu-gather/powerpc/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { clearFlush, RADIX, radix } from './powerpc-radix-flush.ts';
import { PAGE, setStage, type Stage, syscall, toUser, type Page0, withPage0 } from './stage.ts';

/** active_cpus says how many CPUs are in the mask. For scenarios without coprocessors. */
export function counted(peek: (cell: Cell) => number, { mm }: Stage): string | undefined {
  const mask = peek(mm.cpumask);
  const active = peek(mmActiveCpus(mm));
  const weight = Array.from({ length: 8 }, (_, cpu) => (mask >> cpu) & 1).reduce((a, b) => a + b, 0);
  return active === weight ? undefined : `active_cpus is ${active}, and mm_cpumask names ${weight} CPUs`;
}

/** A kernel thread works in the mm: what it copies from and to it is as much at risk as user code. */
function* kthreadWorks(cpu: Cpu, mm: Mm): Steps<void> {
  yield* kthreadUseMm(cpu, mm);
  yield* cpu.enterUser();
}

const useMm = defineScenario<Stage>({
  id: 'powerpc-radix/trim-use-mm',
  title:
    'the only thread of an mm unmaps two pages and trims the mask, while a kernel thread on a CPU of it begins to use the mm',
  source: 'a665eec0a22e (5.9): mm_cpumask trimming vs kthread_use_mm (io_uring); sheet, litmus 4',
  cpus: 2,
  only: RADIX,
  setup: (run) => setStage(run, { touched: [0, 1], lazy: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE));
      yield* syscall(cpu, () => madviseDontneed(cpu, mm, PAGE, 2 * PAGE));
    }),
    thread((cpu) => kthreadWorks(cpu, mm)),
  ],
  final: counted,
  // The kernel thread still uses the mm.
  holds: ({ mm }) => [{ object: mm.address, references: 1 }],
  twins: [
    {
      id: 'powerpc-radix/trim-use-mm/reset',
      why: 'the initiator resets the mask when all have answered: the kernel thread, which came meanwhile, is in it no more',
      oracle: ['O1', 'O16'],
      property: 'FUAF',
      backend: radix({ trimBits: 'initiator' }),
    },
    {
      id: 'powerpc-radix/trim-use-mm/unlooked',
      why: 'the CPU leaves the mask without a look at what it runs',
      oracle: 'O1',
      property: 'FUAF',
      backend: radix({ trimLooks: false }),
    },
  ],
});

const lazy = defineScenario<Stage>({
  id: 'powerpc-radix/trim-lazy',
  title:
    'the only thread of an mm unmaps a table; lazy CPUs are told to switch to init_mm, leave the mask at once and flush',
  source: 'exit_lazy_flush_tlb, 0cef77c7798a',
  cpus: 3,
  only: RADIX,
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], running: [0, 1, 2], lazy: [1, 2] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE));
      yield* syscall(cpu, () => munmap(cpu, mm, 2 * PAGE, 4 * PAGE));
    }),
  ],
  final: (peek, stage) => (peek(stage.mm.cpumask) === 1 ? counted(peek, stage) : 'the mask was not trimmed'),
  twins: [
    {
      id: 'powerpc-radix/trim-lazy/stays',
      why: 'it leaves the mask and keeps the PID: it walks on, and the next flush does not reach it',
      oracle: 'O4',
      property: 'TUAF',
      backend: radix({ trimSwitches: false }),
    },
    {
      id: 'powerpc-radix/trim-lazy/no-wait',
      why: 'the initiator goes on before the lazy CPU has answered',
      oracle: 'O4',
      property: 'TUAF',
      backend: radix({ waitForIpis: false }),
    },
  ],
});

const clock = defineScenario<Stage>({
  id: 'powerpc-radix/trim-clock',
  title:
    'two threads, and a third CPU that has gone on to another mm; a flush whose turn it is trims, later ones are smaller',
  source: 'tick_and_test_trim_clock, 2020-12-17',
  cpus: 3,
  only: RADIX,
  profiles: ['linux-6.18'],
  backend: radix({ trimTimer: 1 }),
  pools: { mm: 2, page: 6, table: 8, vma: 4 },
  setup(run) {
    const stage = setStage(run, { pages: 4, touched: [0, 2], running: [0, 1, 2] });
    const other = run(2, mmAlloc);
    run(2, (cpu) => cpu.enterKernel());
    run(2, (cpu) => contextSwitch(cpu, other));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), undefined, thread((cpu) => toUser(cpu, mm))],
  final: counted,
  twins: [
    {
      id: 'powerpc-radix/trim-clock/unlooked',
      why: 'CPUs leave the mask without a look at what they run',
      oracle: ['O1', 'O4'],
      property: 'FUAF',
      threads: ({ mm }) => [
        thread(function* (cpu) {
          yield* syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE));
          yield* syscall(cpu, () => madviseDontneed(cpu, mm, 2 * PAGE, 3 * PAGE));
        }),
      ],
      backend: radix({ trimLooks: false }),
    },
  ],
});

const second = defineScenario<Stage>({
  id: 'powerpc-radix/trim-second',
  title: 'two threads, of which one is away and its CPU lazy: every second flush tries to get it out of the mask',
  source: 'tick_and_test_trim_clock, 2020-12-17',
  cpus: 2,
  only: RADIX,
  profiles: ['linux-6.18'],
  backend: radix({ trimTimer: 2 }),
  setup(run) {
    const stage = setStage(run, { touched: [0, 1], lazy: [1] });
    run(0, (cpu) => mmget(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE));
      yield* syscall(cpu, () => madviseDontneed(cpu, mm, PAGE, PAGE));
    }),
  ],
  final: (peek, { mm }) => (peek(mm.cpumask) === 1 ? undefined : 'a lazy CPU is still in mm_cpumask'),
  twins: [
    {
      id: 'powerpc-radix/trim-second/third',
      why: 'every third one does, and there are two',
      oracle: 'assert',
      property: 'MISS',
      backend: radix({ trimTimer: 3 }),
    },
  ],
});

/** Somebody from outside flushes a page of an mm that his CPU borrows: reclaim, in a kernel thread. */
const outside = defineScenario<Stage>({
  id: 'powerpc-radix/trim-self',
  title:
    'a kernel thread on a lazy CPU flushes an mm and leaves it on that occasion, while the only thread trims and frees two tables',
  source: 'flush_type_needed; "powerpc/64s/radix: Fix exit lazy tlb mm switch with irqs enabled", 2023-06',
  cpus: 2,
  only: RADIX,
  profiles: ['linux-6.18'],
  backend: radix({ trimTimer: 1 }),
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], lazy: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* syscall(cpu, () => munmap(cpu, mm, 0, 2 * PAGE));
      yield* syscall(cpu, () => munmap(cpu, mm, 2 * PAGE, 4 * PAGE));
    }),
    thread((cpu) => cpu.kernel.backend.flushTlbPage(cpu, mm, PAGE)),
  ],
  final: counted,
  twins: [
    {
      id: 'powerpc-radix/trim-self/irqs-on',
      why: 'interrupts are on: one that trims finds it no longer lazy, takes it out of the mask and flushes, and then it walks on until it switches',
      oracle: 'O4',
      property: 'TUAF',
      backend: radix({ trimIrqsOff: 'nowhere' }),
    },
    {
      id: 'powerpc-radix/trim-self/as-in-linux',
      why: 'a candidate, nobody has reported it: interrupts are off for the switch only. Both find the bit set and count the CPU out: active_cpus is one too low from then on, and a flush finds nobody to flush',
      oracle: ['O4', 'assert'],
      property: 'TUAF',
      backend: radix({ trimIrqsOff: 'switch' }),
    },
  ],
});

const twice = defineScenario<Page0>({
  id: 'powerpc-radix/trim-twice',
  title:
    'two kernel threads flush an mm whose thread runs elsewhere, one of them on a CPU that borrows it: both trim; then a page is freed',
  source: 'exit_lazy_flush_tlb; found in T11/fixed with a trim at each flush',
  cpus: 3,
  only: RADIX,
  profiles: ['linux-6.18'],
  backend: radix({ trimTimer: 1 }),
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0, 2] });
    run(0, (cpu) => contextSwitch(cpu, null));
    return withPage0(run, stage);
  },
  threads: (env) => [
    thread((cpu) => cpu.kernel.backend.flushTlbPage(cpu, env.mm, PAGE)),
    thread(function* (cpu) {
      yield* cpu.kernel.backend.flushTlbPage(cpu, env.mm, PAGE);
      yield* clearFlush(cpu, env);
    }),
  ],
  final: counted,
  twins: [
    {
      id: 'powerpc-radix/trim-twice/as-in-linux',
      why: 'a candidate, nobody has reported it (see trim-self): active_cpus is 0 while a thread runs user code, and the last flush is none',
      oracle: ['O1', 'assert'],
      property: 'FUAF',
      backend: radix({ trimIrqsOff: 'switch' }),
    },
  ],
});

/** A kernel thread flushes an mm that only its own CPU has run. */
const last = defineScenario<Page0>({
  id: 'powerpc-radix/trim-alone',
  title:
    'a kernel thread takes a page from an mm that its CPU alone is in the mask of, and leaves it on that occasion; meanwhile the thread wakes up elsewhere',
  source: 'flush_type_needed: active_cpus is 1, and the mm is not the current one, 2020-12-17',
  cpus: 2,
  only: RADIX,
  profiles: ['linux-6.18'],
  backend: radix({ trimTimer: 1 }),
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    run(0, (cpu) => contextSwitch(cpu, null));
    return withPage0(run, stage);
  },
  threads: (env) => [thread((cpu) => clearFlush(cpu, env)), thread((cpu) => toUser(cpu, env.mm))],
  final: (peek, stage) => (peek(stage.mm.cpumask) === 1 << 1 ? counted(peek, stage) : 'the mask was not trimmed'),
  twins: [
    {
      id: 'powerpc-radix/trim-alone/never',
      why: 'it stays in the mask as long as it is alone in it',
      oracle: 'assert',
      property: 'MISS',
      backend: radix({ trimTimer: 0 }),
    },
  ],
});

const offline = defineScenario<Stage>({
  id: 'powerpc-radix/offline',
  title: 'a CPU that ran the mm went offline, and comes back to it; meanwhile the only thread has unmapped a page',
  source: '"powerpc/64s: Trim offlined CPUs from mm_cpumasks", 2020-11-26',
  cpus: 2,
  only: RADIX,
  setup(run) {
    const stage = setStage(run, { touched: [0], lazy: [1] });
    run(1, (cpu) => contextSwitch(cpu, null));
    return stage;
  },
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    thread(function* (cpu) {
      yield* radixCpuOffline(cpu, [mm]);
      yield* radixCpuOnline(cpu);
      yield* toUser(cpu, mm);
    }),
  ],
  final: counted,
  twins: [
    {
      id: 'powerpc-radix/offline/stays',
      why: 'it stays in the mask and keeps its TLB: the interrupt that trims does not reach it, and the flush is local',
      oracle: 'O1',
      property: 'FUAF',
      backend: radix({ offlineLeaves: false }),
    },
  ],
});

/** All of them. */
export const RADIX_TRIMMING: readonly AnyScenario[] = [useMm, lazy, clock, second, outside, twice, last, offline];
