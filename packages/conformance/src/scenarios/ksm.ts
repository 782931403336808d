/**
 * Same-page merging: what is compared and merged must not change, whatever is pending on its entry.
 */
import type { Body, Run } from '@mmu-gather/checker';
import { type Address, type Cpu, DIRTY, entryClear, Page, RW, SAVED_DIRTY, type Steps } from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  contextSwitch,
  ksmMakeStable,
  ksmMerge,
  madviseDontneed,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { changeDeferred } from './deferred-change.ts';
import { MERGED, MOVED, STAYED } from './outcomes.ts';
import { type Mapping, mappingOf, PAGE, setStage, type Stage, newThread, syscall } from './stage.ts';

/** Two pages that KSM may make one. */
export interface Twins extends Stage {
  /** Page 1, merged already. */
  readonly kpage: Address;
  /** Page 0, which may follow. */
  readonly p0: Mapping;
}

/**
 * Two pages with the same contents in two tables; the second is a merged page.
 * @param kthreads CPUs that run a kernel thread, as ksmd is
 * @param users CPUs that run user code of the mm; CPU 0 is in the kernel
 */
export function alike(kthreads: readonly number[], users: readonly number[]): (run: Run) => Twins {
  return (run) => {
    const stage = setStage(run, { pages: 4, touched: [], running: [0] });
    const { mm } = stage;
    run(0, (cpu) => userStore(cpu, mm, 0, 5));
    run(0, (cpu) => userStore(cpu, mm, 2 * PAGE, 5));
    const kpage = run(0, (cpu) => ksmMakeStable(cpu, { mm, address: 2 * PAGE }));
    const p0 = mappingOf(run, mm, 0);
    for (const n of kthreads) run(n, (cpu) => contextSwitch(cpu, null));
    for (const n of users) if (n !== 0) run(n, (cpu) => newThread(cpu, mm));
    return { ...stage, kpage, p0 };
  };
}

const merge = defineScenario<Twins>({
  id: 'ksm/merge',
  title: 'KSM merges a page that a running thread may be writing to',
  source: 'mm/ksm.c write_protect_page, replace_page',
  cpus: 2,
  setup: alike([0], [1]),
  threads: ({ mm, kpage }) => [thread((cpu) => ksmMerge(cpu, { mm, address: 0 }, kpage))],
  sometimes: [MERGED],
  twins: [
    {
      id: 'ksm/merge/slot',
      why: 'ptep_clear_flush asks the cleared slot, and flushes nothing',
      oracle: ['O9', 'O13'],
      property: 'LOSTW',
      profile: { accessibleEntry: 'slot' },
    },
  ],
});

const store = defineScenario<Twins>({
  id: 'ksm/store',
  title: 'KSM merges a page while a thread stores to it: the store goes into a page of its own',
  source: 'mm/ksm.c write_protect_page, replace_page',
  cpus: 2,
  setup: alike([0], [1]),
  threads: ({ mm, kpage }) => [
    thread((cpu) => ksmMerge(cpu, { mm, address: 0 }, kpage)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
    }),
  ],
  sometimes: [MOVED, STAYED],
  twins: [
    {
      id: 'ksm/store/slot',
      why: 'ptep_clear_flush asks the cleared slot, and flushes nothing',
      oracle: ['O9', 'O13', 'O6'],
      property: 'LOSTW',
      profile: { accessibleEntry: 'slot' },
    },
  ],
});

/**
 * Two deferrals at once, as MADV_FREE and userfaultfd's write-protection make them under mmap_lock for read: together they
 * leave an entry that is read-only and clean, while a CPU may hold one that is neither.
 */
export function demote({ mm, p0 }: Twins): Body {
  return thread((cpu) => changeDeferred(cpu, mm, p0, 0, (entry) => entryClear(entry, RW | DIRTY | SAVED_DIRTY)));
}

const t11 = defineScenario<Twins>({
  id: 'T11/fixed',
  title: 'KSM finds an entry read-only and clean, and its flush is pending: it flushes itself',
  source: 'mm/ksm.c write_protect_page, mm_tlb_flush_pending (4.14 on)',
  cpus: 3,
  profile: { anonReuse: 'only-reference' },
  setup: alike([0, 1], [2]),
  threads: (env) => [demote(env), thread((cpu) => ksmMerge(cpu, { mm: env.mm, address: 0 }, env.kpage))],
  sometimes: [MERGED],
  twins: [
    {
      id: 'T11/naive',
      why: 'what memory shows is taken for what CPUs may do: pages are compared while one can still be written',
      oracle: ['O13', 'O9'],
      property: 'LOSTW',
      profile: { ksmPending: false },
    },
    {
      id: 'T11/dec-first',
      why: 'the pending counter is lowered before the flush, and KSM reads 0',
      where: { profile: { deferral: 'counter' } },
      oracle: ['O13', 'O9'],
      property: 'LOSTW',
      profile: { decPending: 'before-flush' },
    },
  ],
});

const t23 = defineScenario<Twins>({
  id: 'T23/fixed',
  title: 'KSM finds an entry that NUMA hinting has taken away and not flushed yet: the pending counter says so',
  source: 'mm/ksm.c write_protect_page; 20841405940e',
  cpus: 3,
  setup: alike([1], [0, 2]),
  threads: ({ mm, kpage }) => [
    thread((cpu) => changeProtNuma(cpu, mm, 0, PAGE)),
    thread((cpu) => ksmMerge(cpu, { mm, address: 0 }, kpage)),
  ],
  sometimes: [MERGED],
  twins: [
    {
      id: 'T23/naive',
      why: 'the pending counter is lowered before the flush: KSM reads 0, and compares pages that a CPU still writes to',
      where: { profile: { deferral: 'counter' } },
      oracle: ['O9', 'O13'],
      property: 'LOSTW',
      profile: { decPending: 'before-flush', changeProtection: 'gather' },
    },
    {
      id: 'T23/not-accessible',
      why: 'PROTNONE is taken for not cached, and the pages are compared without a flush',
      oracle: ['O9', 'O13'],
      property: 'LOSTW',
      profile: { accessiblePending: false },
    },
  ],
});

/** Merges page 0. What is said to be merged nobody maps any more. */
function* merges(cpu: Cpu, { mm, kpage, p0 }: Twins): Steps<void> {
  const merged = yield* ksmMerge(cpu, { mm, address: 0 }, kpage);
  if (!merged) return;
  const mapped = yield* cpu.readOnce(Page.at(p0.page).mapcount);
  cpu.claim.that(mapped === 0, 'O16', 'KSM says that it has merged a page, which is mapped');
}

/** CPU 1 does something to page 0 while KSM, on CPU 0, merges it. */
function beside(id: string, title: string, call: (cpu: Cpu, env: Twins) => Steps<number>): AnyScenario {
  return defineScenario<Twins>({
    id: `ksm/${id}`,
    title,
    source: 'mm/ksm.c get_mergeable_page, try_to_merge_one_page, replace_page',
    cpus: 2,
    setup: alike([0], [1]),
    threads: (env) => [thread((cpu) => merges(cpu, env)), thread((cpu) => syscall(cpu, () => call(cpu, env)))],
    twins: [
      {
        id: `ksm/${id}/slot`,
        why: 'ptep_clear_flush asks the cleared slot, and flushes nothing',
        oracle: ['O9', 'O13'],
        property: 'LOSTW',
        profile: { accessibleEntry: 'slot' },
      },
    ],
  });
}

const mremaps = beside(
  'mremap',
  'KSM merges a page that moves to another place: where it was, nothing is found any more',
  (cpu, { mm }) => mremap(cpu, mm, 0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, PAGE),
);

const dontneed = beside(
  'dontneed',
  'KSM merges a page that is given back: it holds a reference before it lets go of the entry',
  (cpu, { mm }) => madviseDontneed(cpu, mm, 0, PAGE),
);

/** All of them. */
export const KSM: readonly AnyScenario[] = [merge, store, mremaps, dontneed, t11, t23];
