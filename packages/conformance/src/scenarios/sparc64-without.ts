/**
 * sparc64 without what most mms and CPUs have: TSBs, a TSB for huge pages, an mm.
 */
import { Mm } from '@mmu-gather/core/stepped';
import { hugepageMadvise, madviseDontneed, mmAlloc, mmput, munmap, userStore } from '@mmu-gather/mm/stepped';
import { contextVal, type Sparc64Switches } from '@mmu-gather/sparc/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage, syscall, toUser } from './stage.ts';

const ONLY: Only = { archs: ['sparc64'], why: 'it is about its TSBs and contexts' };

/** A page is zapped of which there is no TSB, and an mm comes and goes that has none. Tables stay: without a TSB the hardware walks them here. */
function without(id: string, title: string, switches: Partial<Sparc64Switches>, huge: boolean): AnyScenario {
  return defineScenario<Stage>({
    id,
    title,
    source: 'arch/sparc/mm/tsb.c tsb_grow, init_new_context; arch/sparc/mm/init_64.c update_mmu_cache',
    cpus: 2,
    only: ONLY,
    backend: { sparc64: switches },
    setup(run) {
      const stage = setStage(run, { touched: huge ? [] : [0] });
      if (huge) run(0, (cpu) => hugepageMadvise(cpu, stage.mm, 0, 2 * PAGE));
      run(0, (cpu) => userStore(cpu, stage.mm, 0, 1));
      run(1, (cpu) => toUser(cpu, stage.mm));
      return stage;
    },
    threads: ({ mm }) => [
      thread(function* (cpu) {
        yield* syscall(cpu, () => madviseDontneed(cpu, mm, 0, 2 * PAGE));
        yield* cpu.enterKernel();
        yield* mmput(cpu, yield* mmAlloc(cpu));
      }),
    ],
    twins: [
      {
        id: `${id}/no-wait`,
        why: 'the mondo is not waited for: another CPU still has the page in its TLB',
        oracle: ['O1', 'O2', 'O9', 'O10'],
        property: 'FUAF',
        wrong: 'no-wait',
      },
    ],
  });
}

const offline = defineScenario<Stage & { readonly initMm: Mm }>({
  id: 'sparc64/offline',
  title: 'a CPU that goes offline leaves its mm for that of the kernel, which has no context, while a page is unmapped',
  source:
    'kernel/sched/core.c idle_task_exit; arch/sparc/include/asm/mmu_context_64.h switch_mm: "if (mm == &init_mm) return"',
  cpus: 2,
  only: ONLY,
  setup: (run, kernel) => ({ ...setStage(run, { touched: [0] }), initMm: Mm.at(kernel.initMm) }),
  threads: ({ mm, initMm }) => [
    thread((cpu) => syscall(cpu, () => munmap(cpu, mm, 0, PAGE))),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* cpu.localIrqDisable();
      yield* cpu.kernel.backend.switchMm(cpu, initMm);
      yield* cpu.localIrqEnable();
    }),
  ],
  final: (peek, { initMm }) => (peek(contextVal(initMm)) === 0 ? undefined : 'the mm of the kernel has a context'),
  twins: [
    {
      id: 'sparc64/offline/no-wait',
      why: 'the mondo is not waited for: the CPU is in user mode still',
      oracle: ['O1', 'O2', 'O9', 'O10'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
  ],
});

/** All of them. */
export const SPARC64_WITHOUT: readonly AnyScenario[] = [
  without(
    'sparc64/without-tsb',
    'a page is zapped on a machine without TSBs, which is what those that model no TLB run (counting, replay)',
    { tsbs: 0 },
    false,
  ),
  without(
    'sparc64/without-huge-tsb',
    'a huge page of an mm whose TSB is one of base pages: it is put into none',
    { hugeTsbEntries: 0 },
    true,
  ),
  offline,
];
