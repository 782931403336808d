/**
 * Masks: CPUs that set and clear their bits in mm_cpumask at once, where a bit that is lost is a CPU that no flush reaches; and flushes that come
 * to a CPU of the mask while it flushes itself.
 */
import type { Mm } from '@mmu-gather/core/stepped';
import { contextSwitch, madviseDontneed, mmAlloc, mmap, munmap, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { noWait, PAGE, RW_MEMORY, setStage, type Stage, syscall, toUser } from './stage.ts';

const arriveTogether = defineScenario<Stage>({
  id: 'masks/arrive-together',
  title: 'two CPUs are switched to an mm at once, and a thread on one of them unmaps a page',
  cpus: 3,
  setup(run) {
    // Neither CPU has run the mm before: another one made it.
    const mm = run(2, mmAlloc);
    run(2, (cpu) => contextSwitch(cpu, mm));
    run(2, (cpu) => mmap(cpu, mm, 0, 2 * PAGE, RW_MEMORY));
    run(2, (cpu) => userStore(cpu, mm, 0, 1));
    const other = run(2, mmAlloc);
    run(2, (cpu) => contextSwitch(cpu, other));
    return { mm, at: 0 };
  },
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* toUser(cpu, mm);
      yield* syscall(cpu, () => munmap(cpu, mm, 0, PAGE));
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [noWait('masks/arrive-together')],
});

const leaveAndArrive = defineScenario<Stage & { readonly other: Mm }>({
  id: 'masks/leave-and-arrive',
  title: 'a CPU leaves an mm while another one is switched to it, comes back and unmaps a page',
  cpus: 2,
  setup: (run) => ({ ...setStage(run, { pages: 1, running: [0] }), other: run(0, mmAlloc) }),
  threads: ({ mm, other }) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, other);
      yield* contextSwitch(cpu, mm);
      yield* munmap(cpu, mm, 0, PAGE);
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [noWait('masks/leave-and-arrive')],
});

const flushInterrupted = defineScenario<Stage>({
  id: 'masks/flush-interrupted',
  title: 'a page is zapped while another CPU flushes another page: a flush comes to a CPU that is flushing itself',
  only: {
    archs: ['x86'],
    why: 'what is interrupted is flush_tlb_func, which reads the generation of its slot, flushes, and writes it',
  },
  cpus: 2,
  setup: (run) => setStage(run, { inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => cpu.kernel.backend.flushTlbRange(cpu, mm, PAGE, 2 * PAGE, 0)),
  ],
  twins: [
    {
      id: 'masks/flush-interrupted/gap',
      why: 'a range of a later generation is flushed, and the earlier one taken for flushed, too',
      oracle: ['O1', 'O10', 'O11'],
      property: 'FUAF',
      backend: { x86: { gapRule: false } },
    },
  ],
});

/** All of them. */
export const MASKS: readonly AnyScenario[] = [arriveTogether, leaveAndArrive, flushInterrupted];
