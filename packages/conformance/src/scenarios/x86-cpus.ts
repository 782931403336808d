/**
 * x86: CPUs that cannot be interrupted, because a host runs something else on them or because they are off; and masks that are trimmed.
 */
import type { Body, Layout, Run } from '@mmu-gather/checker';
import { type Cell, type Cpu, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, mmAlloc, munmap } from '@mmu-gather/mm/stepped';
import { initializeTlbstateAndFlush, leaveMm, vcpuLoad, vcpuPut } from '@mmu-gather/x86/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { cameFromAnotherMm, lazySkipped, PAGE, setStage, type Stage, syscall, toUser } from './stage.ts';

const X86_ONLY: Only = { archs: ['x86'], why: 'it is about CPUs of x86' };

interface Absent extends Stage {
  readonly done: Cell;
}

/** Reserved before any kernel exists, so where it is is the same in all runs. */
let doneCell: Cell = 0;

function reserveDone(layout: Layout): void {
  doneCell = layout.reserve('done', ['']);
}

/** CPU 0 comes to its end without CPU 1, which comes back when that is so. */
function without(done: Cell, work: (cpu: Cpu) => Steps<unknown>, back: (cpu: Cpu) => Steps<unknown>): readonly Body[] {
  return [
    thread(function* (cpu) {
      yield* work(cpu);
      yield* cpu.storeRelease(done, 1);
    }),
    thread(function* (cpu) {
      yield* cpu.waitFor(done, 'equal', 1);
      yield* back(cpu);
    }),
  ];
}

const stays = defineScenario<Absent>({
  id: 'kvm/stays-preempted',
  title: 'a virtual CPU does not run for long: who unmaps a page of its mm does not wait for it',
  source: 'arch/x86/kernel/kvm.c kvm_flush_tlb_multi',
  cpus: 2,
  only: X86_ONLY,
  where: { backend: { x86: { flushOrder: 'overlapped' } } },
  backend: { x86: { pvFlush: true } },
  sequential: 'the other CPU does nothing until the end',
  reserve: reserveDone,
  setup(run) {
    const stage = setStage(run);
    run(1, vcpuPut);
    return { ...stage, done: doneCell };
  },
  threads: ({ mm, done }) => without(done, (cpu) => syscall(cpu, () => munmap(cpu, mm, 0, PAGE)), vcpuLoad),
  twins: [
    {
      id: 'kvm/stays-preempted/interrupted',
      why: 'it is interrupted all the same, and does not answer',
      oracle: 'deadlock',
      property: 'LIVE',
      backend: { x86: { pvFlush: false } },
    },
  ],
});

const offline = defineScenario<Absent>({
  id: 'leave-mm/offline',
  title: 'a CPU has left the mm that it borrowed and is off: who frees tables of it does not wait for that CPU',
  source: 'arch/x86/mm/tlb.c leave_mm; kernel/cpu.c idle_task_exit',
  cpus: 2,
  only: X86_ONLY,
  // Later kernels find it in mm_cpumask, and interrupt it if tables were freed.
  where: { backend: { x86: { clearPrevBit: true } } },
  sequential: 'the other CPU does nothing until the end',
  reserve: reserveDone,
  setup(run) {
    const stage = setStage(run, { touched: [0], lazy: [1] });
    run(1, leaveMm);
    run(1, (cpu) => cpu.localIrqDisable());
    return { ...stage, done: doneCell };
  },
  threads: ({ mm, done }) =>
    without(
      done,
      (cpu) => munmap(cpu, mm, 0, 2 * PAGE),
      (cpu) => cpu.localIrqEnable(),
    ),
  twins: [
    {
      id: 'leave-mm/offline/in-mask',
      why: 'it is still in the mask, and is interrupted: it does not answer',
      oracle: 'deadlock',
      property: 'LIVE',
      backend: { x86: { clearPrevBit: false } },
    },
  ],
});

const idle = defineScenario<Stage>({
  id: 'leave-mm/idle',
  title: 'a CPU leaves the mm that it borrows while its tables are freed',
  source: 'arch/x86/mm/tlb.c leave_mm; drivers/idle/intel_idle.c',
  cpus: 2,
  only: X86_ONLY,
  setup: (run) => setStage(run, { touched: [0], lazy: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)),
    thread(function* (cpu) {
      yield* leaveMm(cpu);
      // It has left already: nothing is left to do.
      yield* leaveMm(cpu);
    }),
  ],
  twins: [lazySkipped('leave-mm/idle')],
});

interface TwoMms extends Stage {
  readonly other: Mm;
}

const comesUp = defineScenario<TwoMms>({
  id: 'cpu-up/running',
  title:
    'a CPU forgets what its TLB holds and goes on, while a page of its mm goes; then it goes to another mm and back',
  source: 'arch/x86/mm/tlb.c initialize_tlbstate_and_flush',
  cpus: 2,
  only: X86_ONLY,
  setup(run: Run) {
    const stage = setStage(run, { inKernel: [1] });
    const other = run(1, mmAlloc);
    run(1, (cpu) => contextSwitch(cpu, other));
    run(1, (cpu) => contextSwitch(cpu, stage.mm));
    return { ...stage, other };
  },
  threads: ({ mm, other }) => [
    thread((cpu) => munmap(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* cpu.localIrqDisable();
      yield* initializeTlbstateAndFlush(cpu);
      yield* cpu.localIrqEnable();
      yield* contextSwitch(cpu, other);
      yield* toUser(cpu, mm);
    }),
  ],
  twins: [
    {
      id: 'cpu-up/running/not-a-target',
      why: 'others do not wait until it has flushed',
      oracle: ['O1', 'O2', 'O4', 'O10', 'O11', 'O12'],
      property: 'FUAF',
      backend: { x86: { waitForIpis: false } },
    },
  ],
});

const trimmed = defineScenario<Stage>({
  id: 'trim/ran-another',
  title: 'a CPU that went to another mm is still in the mask: once in a while it is interrupted, and leaves',
  source: 'arch/x86/mm/tlb.c should_trim_cpumask, flush_tlb_func (6.13)',
  cpus: 2,
  only: X86_ONLY,
  where: { backend: { x86: { trimCpumask: true } } },
  sequential: 'the other CPU is only interrupted',
  // Time stands still here: it is always due.
  backend: { x86: { hz: -1 } },
  setup: cameFromAnotherMm,
  threads: ({ mm }, kernel) => [thread((cpu) => kernel.backend.flushTlbPage(cpu, mm, 0))],
  final: (peek, { mm }) => (peek(mm.cpumask) === 1 ? undefined : 'a CPU that does not run the mm is in its mask'),
  twins: [
    {
      id: 'trim/ran-another/never-due',
      why: 'nobody looks',
      oracle: 'assert',
      backend: { x86: { trimCpumask: false } },
    },
  ],
});

/** All of them. */
export const X86_CPUS: readonly AnyScenario[] = [stays, offline, idle, comesUp, trimmed];
