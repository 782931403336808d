/**
 * s390: how an entry may change, in memory and in the cache of a lazy MMU section (the series of 2026), and the kernel's own entries.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type Cell,
  type Cpu,
  entryTarget,
  EVERYTHING,
  mkEntry,
  Mm,
  type Profile,
  type Steps,
  VM_READ,
} from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  dupMm,
  allocZeroedPage,
  clearRefsWrite,
  CLEAR_REFS_ALL,
  madvise,
  madviseDontneed,
  MADV_COLD,
  mmAlloc,
  mprotect,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  pageAddNewAnonRmap,
  pmdOffset,
  ptepGet,
  ptlPtr,
  setPteAt,
  shrinkPages,
  userStore,
  vmallocInit,
  vmap,
  vunmap,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { S390_ONLY } from './s390-only.ts';
import { nestedSections, type TwoTables, twoTables } from './nested-sections.ts';
import { keptPages, PAGE, setStage, type Stage, syscall, toUser, type Page0, withPage0 } from './stage.ts';

/** The generic interface that the series of 2026 is made for: sections nest, and are counted. */
const SECTIONS_COUNT: Partial<Profile> = { lazyMmuNesting: 'counts' };

const zapCached = defineScenario<Stage>({
  id: 's390/D2',
  title:
    'MADV_DONTNEED in a section that caches its changes, while another thread writes: pages are kept until they are done',
  source: 's390/mm: Batch PTE updates in lazy MMU mode, v6 (V. Gordeev, 2026-07-15), with MMU_GATHER_NO_GATHER',
  cpus: 2,
  only: S390_ONLY,
  profile: SECTIONS_COUNT,
  backend: { s390: { lazyMmu: 'v6', gather: 'generic' } },
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => syscall(cpu, () => userStoreOf(cpu, mm))),
  ],
  twins: [
    {
      id: 's390/D2/no-gather',
      why: 'pages are in no gather, for entries are purged as they change; in a section they are not, and the page is freed while it is mapped',
      oracle: 'O1',
      property: 'FUAF',
      backend: { s390: { gather: 'none' } },
    },
  ],
});

/** A store of the thread, in a system call of its own so that its fault is part of it. */
function* userStoreOf(cpu: Cpu, mm: Mm): Steps<number> {
  return yield* userStore(cpu, mm, 0, 9);
}

/** An operation in a section that caches, as it should be, and one that ends the section after the lock is dropped. */
function cached(id: string, title: string, call: (cpu: Cpu, mm: Mm) => Steps<unknown>): AnyScenario {
  return defineScenario<Stage>({
    id,
    title: `${title}, in a section that caches its changes, while another thread runs`,
    source: 's390/mm: Batch PTE updates in lazy MMU mode, v6 (V. Gordeev, 2026-07-15)',
    cpus: 2,
    only: S390_ONLY,
    pools: { mm: 3, page: 6, table: 8, vma: 6 },
    profile: SECTIONS_COUNT,
    backend: { s390: { lazyMmu: 'v6', gather: 'generic' } },
    setup: (run) => setStage(run),
    threads: ({ mm }) => [thread((cpu) => call(cpu, mm))],
    twins: [
      {
        id: `${id}/here`,
        why: 'at its end the section purges on this CPU alone',
        oracle: ['O1', 'O2', 'O6', 'O7', 'O9', 'O10', 'O12'],
        property: 'MISS',
        backend: { s390: { globalPurge: 'here' } },
      },
    ],
  });
}

const sections = [
  cached('s390/cached-mprotect', 'mprotect', (cpu, mm) => mprotect(cpu, mm, 0, 2 * PAGE, VM_READ)),
  cached('s390/cached-fork', 'fork', (cpu, mm) => dupMm(cpu, mm)),
  // Z-D3: the new entry stands outside the cached range, so for a while both are valid.
  cached('s390/D3', 'mremap', (cpu, mm) =>
    mremap(cpu, mm, 0, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 2 * PAGE),
  ),
];

const nested = defineScenario<TwoTables>({
  id: 's390/nested-sections',
  title: 'a section in a section: the cache is of the outer one; the end of the inner one does what it holds',
  source:
    's390/mm: Batch PTE updates in lazy MMU mode, v6: lazy_mmu_mode_enable_with_ptes; K. Brodsky, 2025-12-15, v6 07/14',
  cpus: 2,
  only: S390_ONLY,
  profile: SECTIONS_COUNT,
  backend: { s390: { lazyMmu: 'v6', gather: 'generic' } },
  setup: twoTables,
  threads: (env) => [thread((cpu) => nestedSections(cpu, env))],
  twins: [
    {
      id: 's390/nested-sections/flag',
      why: 'the mode is a flag: the end of the inner section ends the outer one',
      oracle: 'O16',
      property: 'ORD',
      profile: { lazyMmuNesting: 'none' },
    },
  ],
});

const cachedArrival = defineScenario<Stage>({
  id: 's390/cached-arrival',
  title:
    'munmap in a section that caches its changes, on the only CPU that has entries, while a thread is switched in elsewhere',
  source: 's390/mm: Batch PTE updates in lazy MMU mode, v6: the purge of a run is local if mm_cpumask says so',
  cpus: 2,
  only: S390_ONLY,
  profile: SECTIONS_COUNT,
  backend: { s390: { lazyMmu: 'v6', gather: 'generic', attachRepair: 'test-attach' } },
  setup: (run) => setStage(run, { running: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 's390/cached-arrival/as-in-linux',
      why: 'a purge that asked attach_mask asks mm_cpumask now, and who attaches enters that after it has waited: Z-D1, for every munmap',
      oracle: ['O1', 'O2', 'O10'],
      property: 'MISS',
      backend: { s390: { attachRepair: 'none' } },
    },
  ],
});

interface Upgraded extends Stage {
  readonly pte: Cell;
  readonly page: Address;
}

/** The cell of a stage's first page, which is writable and dirty, and its page. */
function upgraded(run: Run): Upgraded {
  const stage = setStage(run, { touched: [0] });
  return run(0, function* (cpu): Steps<Upgraded> {
    const table = entryTarget(yield* ptepGet(cpu, yield* pmdOffset(cpu, stage.mm, 0)));
    return { ...stage, pte: table, page: entryTarget(yield* ptepGet(cpu, table)) };
  });
}

const validToValid = defineScenario<Upgraded>({
  id: 's390/valid-to-valid',
  title: 'a valid entry that another CPU has attached gets another page: invalid and purged in between',
  source: 'arch/s390/include/asm/tlb.h; Principles of Operation, chapter 3',
  cpus: 2,
  only: S390_ONLY,
  setup: upgraded,
  threads: ({ mm, pte }) => [thread((cpu) => otherPage(cpu, mm, pte, true))],
  // The old page.
  holds: ({ page }) => keptPages([page]),
  twins: [
    {
      id: 's390/valid-to-valid/store',
      why: 'the new entry is stored over the old one, which has no defined effect',
      oracle: 'O16',
      property: 'ORD',
      threads: ({ mm, pte }) => [thread((cpu) => otherPage(cpu, mm, pte, false))],
    },
  ],
});

/** Maps another page in place of one, at address 0: its entry is the first of the table. */
function* otherPage(cpu: Cpu, mm: Mm, pte: Cell, purge: boolean): Steps<void> {
  const page = yield* allocZeroedPage(cpu);
  pageAddNewAnonRmap(cpu, page);
  const { ptepClearFlush } = cpu.kernel.backend.pte;
  yield* cpu.spinLock(ptlPtr(cpu, pte));
  const old = yield* ptepGet(cpu, pte);
  const flags = old - mkEntry(entryTarget(old), 0);
  if (purge) yield* ptepClearFlush!(cpu, mm, 0, pte);
  yield* setPteAt(cpu, mm, 0, pte, mkEntry(page, flags));
  yield* cpu.spinUnlock(ptlPtr(cpu, pte));
}

/** A CPU alone is attached, and takes the accessed bit from what it has cached; another one reclaims the page. */
function aged(id: string, title: string, source: string, call: (cpu: Cpu, mm: Mm) => Steps<unknown>): AnyScenario {
  return defineScenario<Page0>({
    id,
    title: `${title} takes the accessed bit from a page that it may go on to write to, and a kernel thread reclaims the page`,
    source,
    cpus: 2,
    only: S390_ONLY,
    profile: { agingFlush: 'dirty' },
    setup: (run) => withPage0(run, setStage(run, { touched: [0], running: [0] })),
    threads: ({ mm, p0 }) => [
      thread(function* (cpu) {
        yield* call(cpu, mm);
        yield* cpu.enterUser(0);
      }),
      thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    ],
    twins: [
      {
        id: `${id}/lazily`,
        why: 'the entry is invalid and its purge is owed, but nobody flushes after aging; reclaim finds it invalid, takes it for purged and writes the page out',
        oracle: 'O3',
        property: 'LOSTW',
        backend: { s390: { clearYoung: 'lazy' } },
      },
    ],
  });
}

const aging = [
  aged(
    's390/clear-young',
    'clear_refs',
    'arch/s390/include/asm/pgtable.h ptep_test_and_clear_young: ptep_xchg_direct; fs/proc/task_mmu.c',
    (cpu, mm) => clearRefsWrite(cpu, mm, CLEAR_REFS_ALL),
  ),
  aged(
    's390/clear-young-cold',
    'MADV_COLD without a flush',
    'arch/s390/include/asm/pgtable.h ptep_test_and_clear_young: ptep_xchg_direct',
    (cpu, mm) => madvise(cpu, mm, 0, PAGE, MADV_COLD),
  ),
];

interface KernelPage {
  readonly at: number;
  readonly frame: Address;
}

/** An address of the kernel that every CPU may have cached. */
function kernelPage(run: Run): KernelPage {
  run(0, vmallocInit);
  const frame = run(0, (cpu) => cpu.alloc('page'));
  return { frame, at: run(0, (cpu) => vmap(cpu, [frame])) };
}

const flushAll = defineScenario<KernelPage>({
  id: 's390/flush-tlb-all',
  title:
    'an entry of the kernel is emptied by a store, and all kernel addresses are flushed, before its page is given away',
  source: '64e2f60f355e (s390: Disable ARCH_WANT_OPTIMIZE_HUGETLB_VMEMMAP, October 2025): there was no flush_tlb_all',
  cpus: 2,
  only: S390_ONLY,
  backend: { s390: { flushTlbAll: 'idte' } },
  setup: kernelPage,
  threads: ({ at, frame }) => [
    thread(function* (cpu) {
      const initMm = Mm.at(cpu.kernel.initMm);
      const table = entryTarget(yield* ptepGet(cpu, yield* pmdOffset(cpu, initMm, at)));
      yield* setPteAt(cpu, initMm, at, table, 0);
      yield* cpu.kernel.backend.flushTlbKernelRange(cpu, 0, EVERYTHING);
      cpu.claim.reassigned({ start: at, end: at + PAGE });
      yield* cpu.free('page', frame);
    }),
  ],
  twins: [
    {
      id: 's390/flush-tlb-all/empty',
      why: 'flush_tlb_all does nothing on s390: other CPUs write through the old entry',
      oracle: 'O15',
      property: 'SAC',
      backend: { s390: { flushTlbAll: 'empty' } },
    },
  ],
});

const vunmapLazily = defineScenario<KernelPage>({
  id: 's390/vunmap-alone',
  title:
    'vunmap on the only CPU that has never left init_mm: it is alone in attach_mask, and purges lazily; the flush of the range reaches all',
  source:
    'arch/s390/include/asm/mmu_context.h switch_mm_irqs_off: the first switch takes a CPU out of the attach_mask of init_mm',
  cpus: 2,
  only: S390_ONLY,
  profile: { vmapLazyPages: 0 },
  setup(run) {
    const mapped = kernelPage(run);
    const mm = run(1, mmAlloc);
    run(1, (cpu) => contextSwitch(cpu, mm));
    return mapped;
  },
  threads: ({ at, frame }) => [
    thread(function* (cpu) {
      yield* vunmap(cpu, at);
      yield* cpu.free('page', frame);
      yield* vmap(cpu, [yield* cpu.alloc('page')]);
    }),
  ],
  twins: [
    {
      id: 's390/vunmap-alone/at-once',
      why: 'the address is used again before the flush: that the entries were purged where they changed is not to be relied on',
      oracle: 'O15',
      property: 'SAC',
      profile: { vmapReuse: 'at-once' },
    },
    {
      id: 's390/vunmap-alone/here',
      why: 'kernel addresses are flushed on this CPU alone',
      oracle: 'O15',
      property: 'SAC',
      backend: { s390: { kernelFlush: 'local' } },
    },
  ],
});

/** All of them. */
export const S390_ENTRIES: readonly AnyScenario[] = [
  zapCached,
  ...sections,
  nested,
  cachedArrival,
  validToValid,
  ...aging,
  flushAll,
  vunmapLazily,
];
