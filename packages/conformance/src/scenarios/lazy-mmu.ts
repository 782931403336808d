/**
 * Lazy MMU mode: what an architecture collects while entries change is done before their lock is dropped. x86 collects nothing; the
 * contract is the same, and is checked on every architecture.
 */
import {
  type Address,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cell,
  type Cpu,
  entryTarget,
  irqEnter,
  irqExit,
  lazyMmuModePause,
  lazyMmuModeResume,
  Mm,
  Page,
  type Steps,
  VM_READ,
} from '@mmu-gather/core/stepped';
import {
  hugepageMadvise,
  madviseDontneed,
  mprotect,
  pmdOffset,
  ptepGet,
  ptepGetAndClear,
  userStore,
  vmallocInit,
  vmap,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type Mapping, mappingOf, PAGE, putUnmapped, setStage, type Stage, syscall } from './stage.ts';

const sections = defineScenario<Stage>({
  id: 'lazy-mmu/sections',
  title: 'two system calls that change the entries of a table, each in a section under its lock',
  source: 'include/linux/pgtable.h arch_enter_lazy_mmu_mode; N. Piggin, 2021-02-02',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => mprotect(cpu, mm, 0, PAGE, VM_READ)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'lazy-mmu/sections/after-unlock',
      why: 'the section ends after the lock is dropped: who takes it next may set an entry that is still in the hash table',
      oracle: 'O16',
      property: 'ORD',
      profile: { leaveLazyMmu: 'after-unlock' },
    },
  ],
});

/** Two mms that run, with a page each. */
interface TwoMms extends Stage {
  readonly other: Mm;
  readonly own: Mapping;
  readonly others: Mapping;
}

/** @param free when their pages are freed */
const clearOfTwoMms =
  (free: 'in-section' | 'after') =>
  ({ mm, other, own, others }: TwoMms) => [
    thread(function* (cpu): Steps<void> {
      const pages = [own.page, others.page];
      yield* cpu.spinLock(own.ptl);
      yield* cpu.spinLock(others.ptl);
      yield* archEnterLazyMmuMode(cpu);
      yield* ptepGetAndClear(cpu, mm, 0, own.pte);
      yield* ptepGetAndClear(cpu, other, 0, others.pte);
      if (free === 'in-section') yield* freeAll(cpu, pages);
      yield* archLeaveLazyMmuMode(cpu);
      yield* cpu.spinUnlock(others.ptl);
      yield* cpu.spinUnlock(own.ptl);
      if (free === 'after') yield* freeAll(cpu, pages);
    }),
  ];

function* freeAll(cpu: Cpu, pages: readonly Address[]): Steps<void> {
  for (const page of pages) yield* cpu.free('page', page);
}

const twoMms = defineScenario<TwoMms>({
  id: 'lazy-mmu/two-mms',
  title: 'entries of two mms change in one section: what was collected of the first is done before',
  source: 'arch/powerpc/mm/book3s64/hash_tlb.c hpte_need_flush; arch/sparc/mm/tlb.c tlb_batch_add_one',
  cpus: 2,
  only: { archs: ['powerpc-hash', 'sparc64'], why: 'it is about what is collected in sections' },
  setup(run) {
    const { mm, at } = setStage(run, { pages: 1, running: [0] });
    const own = mappingOf(run, mm, 0);
    const { mm: other } = setStage(run, { pages: 1 });
    return { mm, at, other, own, others: mappingOf(run, other, 0) };
  },
  threads: clearOfTwoMms('after'),
  twins: [
    {
      id: 'lazy-mmu/two-mms/in-section',
      why: 'the pages are freed in the section: what was collected of the second mm is not done yet',
      oracle: 'O1',
      property: 'FUAF',
      threads: clearOfTwoMms('in-section'),
    },
  ],
});

/** A huge page, and a page. */
interface TwoSizes extends Stage {
  readonly pmd: Cell;
  readonly huge: readonly Address[];
  readonly small: Mapping;
}

/** @param free when the pages are freed */
const clearOfTwoSizes =
  (free: 'in-section' | 'after') =>
  ({ mm, pmd, huge, small }: TwoSizes) => [
    thread(function* (cpu): Steps<void> {
      const pages = [...huge, small.page];
      yield* cpu.spinLock(mm.pageTableLock);
      yield* cpu.spinLock(small.ptl);
      yield* archEnterLazyMmuMode(cpu);
      yield* ptepGetAndClear(cpu, mm, 0, pmd, 1);
      yield* ptepGetAndClear(cpu, mm, 2 * PAGE, small.pte);
      if (free === 'in-section') yield* freeAll(cpu, pages);
      yield* archLeaveLazyMmuMode(cpu);
      yield* cpu.spinUnlock(small.ptl);
      yield* cpu.spinUnlock(mm.pageTableLock);
      if (free === 'after') yield* freeAll(cpu, pages);
    }),
  ];

const twoSizes = defineScenario<TwoSizes>({
  id: 'lazy-mmu/two-sizes',
  title: 'a huge page and a page are unmapped in one section: they are in two TSBs, and are not collected together',
  source: 'arch/sparc/mm/tlb.c tlb_batch_add_one',
  cpus: 2,
  only: { archs: ['sparc64'], why: 'its batches are of pages of one size' },
  setup(run) {
    const stage = setStage(run, { pages: 4, touched: [2] });
    run(0, (cpu) => hugepageMadvise(cpu, stage.mm, 0, 2 * PAGE));
    run(0, (cpu) => userStore(cpu, stage.mm, 0, 1));
    const pmd = run(0, (cpu) => pmdOffset(cpu, stage.mm, 0));
    const first = entryTarget(run(0, (cpu) => ptepGet(cpu, pmd)));
    return { ...stage, pmd, huge: [first, first + Page.words], small: mappingOf(run, stage.mm, 2 * PAGE) };
  },
  threads: clearOfTwoSizes('after'),
  twins: [
    {
      id: 'lazy-mmu/two-sizes/in-section',
      why: 'the pages are freed in the section: what was collected of the small one is not done yet',
      oracle: 'O1',
      property: 'FUAF',
      threads: clearOfTwoSizes('in-section'),
    },
  ],
});

/** A page of a user, and an address of the kernel. */
interface Interrupted extends Stage {
  readonly initMm: Mm;
  readonly user: Mapping;
  readonly kernelAt: number;
  readonly kernelPte: Cell;
}

/**
 * An interrupt: an allocator that pauses the mode, whatever it finds, and a section of its own for an entry of the kernel.
 * @param exit when it says that it is over
 */
function* handler(cpu: Cpu, env: Interrupted, exit: 'last' | 'early'): Steps<void> {
  const { initMm, kernelAt, kernelPte } = env;
  irqEnter(cpu);
  yield* lazyMmuModePause(cpu);
  yield* lazyMmuModeResume(cpu);
  yield* archEnterLazyMmuMode(cpu);
  yield* ptepGetAndClear(cpu, initMm, kernelAt, kernelPte);
  if (exit === 'early') irqExit(cpu);
  yield* archLeaveLazyMmuMode(cpu);
  yield* cpu.kernel.backend.flushTlbKernelRange(cpu, kernelAt, kernelAt + PAGE);
  cpu.claim.reassigned({ start: kernelAt, end: kernelAt + PAGE });
  if (exit === 'last') irqExit(cpu);
}

/** A section under a PTL is interrupted after its change. */
const interruptedSection = (exit: 'last' | 'early') => (env: Interrupted) => [
  thread(function* (cpu): Steps<void> {
    const { mm, user } = env;
    yield* cpu.spinLock(user.ptl);
    yield* archEnterLazyMmuMode(cpu);
    yield* ptepGetAndClear(cpu, mm, 0, user.pte);
    yield* handler(cpu, env, exit);
    yield* archLeaveLazyMmuMode(cpu);
    yield* cpu.spinUnlock(user.ptl);
    yield* cpu.kernel.backend.flushTlbPage(cpu, mm, 0);
    yield* putUnmapped(cpu, user.page);
  }),
];

const interruptSections = defineScenario<Interrupted>({
  id: 'lazy-mmu/section-in-interrupt',
  title:
    'an interrupt in a section begins one of its own for an entry of the kernel, and pauses the mode: neither is counted in what it has interrupted',
  source: 'K. Brodsky, 2025-12-15, v6 07/14: lazy_mmu_mode_enable and the others, in_interrupt()',
  cpus: 2,
  profile: { lazyMmuNesting: 'counts' },
  setup(run, kernel) {
    const stage = setStage(run, { touched: [0] });
    run(0, vmallocInit);
    const frame = run(0, (cpu) => cpu.alloc('page'));
    const kernelAt = run(0, (cpu) => vmap(cpu, [frame]));
    const initMm = Mm.at(kernel.initMm);
    const { pte: kernelPte } = mappingOf(run, initMm, kernelAt);
    return { ...stage, initMm, user: mappingOf(run, stage.mm, 0), kernelAt, kernelPte };
  },
  threads: interruptedSection('last'),
  twins: [
    {
      id: 'lazy-mmu/section-in-interrupt/counted',
      why: 'the interrupt says too early that it is over: the end of its section is that of the one that it has interrupted',
      oracle: 'O16',
      property: 'ORD',
      threads: interruptedSection('early'),
    },
  ],
});

/** All of them. */
export const LAZY_MMU: readonly AnyScenario[] = [sections, twoMms, twoSizes, interruptSections];
