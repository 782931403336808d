/**
 * Which operations a flush of arm64 is made of: by ranges or by pages, of one level or of any, of kernel addresses and of the tables that lead
 * to them.
 *
 * Entries change by plain stores under no lock here, so that nothing but the flush itself orders them.
 */
import { type FlushRange, flushRange, flushTlbKernelPgtable, TTL_UNKNOWN } from '@mmu-gather/arm64/stepped';
import type { Run } from '@mmu-gather/checker';
import { type Address, type Cpu, EVERYTHING, Mm, Page, type Steps } from '@mmu-gather/core/stepped';
import { userStore, vmallocInit, vmap } from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, thread } from '../scenario.ts';
import { ARM64_ONLY } from './arm64-flush.ts';
import { setHugeStage } from './huge-stage.ts';
import { keptPages, type Mapping, mappingOf, PAGE, setStage, type Stage } from './stage.ts';

/** Pages that CPU 1 uses, and where they are mapped. */
interface Mapped extends Stage {
  readonly pages: readonly Mapping[];
}

function mapped(count: number): (run: Run) => Mapped {
  return (run) => {
    const stage = setStage(run, { pages: count });
    return { ...stage, pages: Array.from({ length: count }, (_, page) => mappingOf(run, stage.mm, page * PAGE)) };
  };
}

/** Clears entries by plain stores, flushes, and says that nobody can use their pages. */
function* clearAll(cpu: Cpu, { mm, pages }: Mapped, flush: (cpu: Cpu, mm: Mm) => Steps<void>): Steps<void> {
  for (const { pte } of pages) yield* cpu.writeOnce(pte, 0);
  yield* flush(cpu, mm);
  cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: pages.length * PAGE }, 'none');
}

/** Leaves of base pages. */
function leaves(start: number, end: number): FlushRange {
  return { start, end, stride: PAGE, leafOnly: true, level: TTL_UNKNOWN };
}

/** A range of pages is flushed in one of its forms. */
function ranged(
  name: string,
  title: string,
  pages: number,
  range: FlushRange,
  arm64: BackendOverrides[string],
): AnyScenario {
  const id = `arm64/range/${name}`;
  return defineScenario<Mapped>({
    id,
    title,
    source: 'arch/arm64/include/asm/tlbflush.h __flush_tlb_range, __flush_tlb_range_op, __flush_tlb_range_limit_excess',
    cpus: 2,
    only: ARM64_ONLY,
    backend: { arm64 },
    setup: mapped(pages),
    threads: (env) => [thread((cpu) => clearAll(cpu, env, (on, mm) => flushRange(on, mm, range)))],
    holds: ({ pages: all }) => keptPages(all.map(({ page }) => page)),
    twins: [
      {
        id: `${id}/one-page`,
        why: 'the first page alone is flushed',
        oracle: 'O2',
        property: 'MISS',
        threads: (env) => [thread((cpu) => clearAll(cpu, env, (on, mm) => flushRange(on, mm, leaves(0, PAGE))))],
      },
    ],
  });
}

const RANGES = [
  ranged('one-operation', 'four pages, which one operation on a range covers', 4, leaves(0, 4 * PAGE), {
    rangeNumBits: 1,
    rangeScales: 1,
  }),
  ranged('odd', 'three pages: an operation on two of them, and one on a single page', 3, leaves(0, 3 * PAGE), {
    rangeNumBits: 1,
    rangeScales: 1,
  }),
  ranged('too-large', 'more pages than the largest operation covers: the whole mm', 4, leaves(0, 4 * PAGE), {
    rangeNumBits: 0,
    rangeScales: 1,
  }),
  ranged('reset', 'a hull that was reset ends before it begins: the whole mm', 2, leaves(4 * PAGE, 0), {}),
  ranged('by-page', 'no operations on ranges: one for each page', 3, leaves(0, 3 * PAGE), {
    tlbRange: false,
    maxDvmOps: 4,
  }),
  ranged('by-page-too-many', 'no operations on ranges, and too many pages: the whole mm', 3, leaves(0, 3 * PAGE), {
    tlbRange: false,
    maxDvmOps: 3,
  }),
];

/** A huge page and a small one of one range lose their entries. */
interface Mixed extends Stage {
  readonly huge: Mapping;
  readonly small: Mapping;
}

/** The two pages of a huge one: its entry leads to the first where others lead to a table. */
function hugePages({ table }: Mapping): readonly Address[] {
  return [table, table + Page.words];
}

function* clearMixed(cpu: Cpu, { mm, huge, small }: Mixed, level: number): Steps<void> {
  yield* cpu.writeOnce(huge.pmd, 0);
  yield* cpu.writeOnce(small.pte, 0);
  yield* cpu.kernel.backend.flushTlbRange(cpu, mm, 0, 3 * PAGE, level);
  cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: 3 * PAGE }, 'none');
}

const mixed = defineScenario<Mixed>({
  id: 'arm64/mixed-sizes',
  title: 'flush_tlb_range of a huge page and of a small one: it names no level, for there may be several',
  source: 'arch/arm64/include/asm/tlbflush.h flush_tlb_range (TLBI_TTL_UNKNOWN); FEAT_TTL',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { ttl: true } },
  setup(run) {
    // No huge page fits where the third one is.
    const stage = setHugeStage(run, { mapped: 'huge', pages: 3 });
    run(0, (cpu) => userStore(cpu, stage.mm, 2 * PAGE, 3));
    return { ...stage, huge: mappingOf(run, stage.mm, 0), small: mappingOf(run, stage.mm, 2 * PAGE) };
  },
  threads: (env) => [thread((cpu) => clearMixed(cpu, env, 0))],
  holds: ({ huge, small }) => keptPages([...hugePages(huge), small.page]),
  twins: [
    {
      id: 'arm64/mixed-sizes/hinted',
      why: 'it is flushed as one of huge pages (flush_pmd_tlb_range): the small entry stays',
      oracle: 'O2',
      property: 'MISS',
      threads: (env) => [thread((cpu) => clearMixed(cpu, env, 1))],
    },
  ],
});

/** flush_pmd_tlb_range. */
function* clearHuge(cpu: Cpu, { mm, huge }: Omit<Mixed, 'small'>): Steps<void> {
  yield* cpu.writeOnce(huge.pmd, 0);
  yield* cpu.kernel.backend.flushTlbRange(cpu, mm, 0, 2 * PAGE, 1);
  cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: 2 * PAGE }, 'none');
}

const hugeByPage = defineScenario<Omit<Mixed, 'small'>>({
  id: 'arm64/huge-by-page',
  title: 'flush_pmd_tlb_range without operations on ranges: one TLBI for each huge page',
  source: 'arch/arm64/include/asm/pgtable.h flush_pmd_tlb_range',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { tlbRange: false, ttl: true } },
  setup(run) {
    const stage = setHugeStage(run, { mapped: 'huge' });
    return { ...stage, huge: mappingOf(run, stage.mm, 0) };
  },
  threads: (env) => [thread((cpu) => clearHuge(cpu, env))],
  holds: ({ huge }) => keptPages(hugePages(huge)),
  twins: [
    {
      id: 'arm64/huge-by-page/no-dsb',
      why: 'nobody waits',
      oracle: 'O2',
      property: 'SAC',
      wrong: 'no-wait',
    },
  ],
});

/** An address of the kernel, which every CPU may have cached. */
interface KernelPage extends Mapping {
  readonly address: number;
}

function kernelPage(run: Run, initMm: Address): KernelPage {
  run(0, vmallocInit);
  const frame = run(0, (cpu) => cpu.alloc('page'));
  const address = run(0, (cpu) => vmap(cpu, [frame]));
  return { ...mappingOf(run, Mm.at(initMm), address), address };
}

/** A kernel address loses its page, with nothing but the flush behind it, and is handed out again. */
function* clearKernelPage(cpu: Cpu, { address, pte }: KernelPage, flush: (cpu: Cpu) => Steps<void>): Steps<void> {
  yield* cpu.writeOnce(pte, 0);
  yield* flush(cpu);
  cpu.claim.reassigned({ start: address, end: address + PAGE });
}

/** @param flush the flush of a kernel page */
function kernelFlush(name: string, title: string, flush: (cpu: Cpu, page: KernelPage) => Steps<void>): AnyScenario {
  const id = `arm64/${name}`;
  return defineScenario<KernelPage>({
    id,
    title,
    source: 'arch/arm64/include/asm/tlbflush.h flush_tlb_kernel_range, flush_tlb_all',
    cpus: 2,
    only: ARM64_ONLY,
    setup: (run, kernel) => kernelPage(run, kernel.initMm),
    threads: (page) => [thread((cpu) => clearKernelPage(cpu, page, (on) => flush(on, page)))],
    twins: [
      {
        id: `${id}/no-dsb-before`,
        why: 'the store is not visible when the TLBI is issued: a walk brings the old entry back behind it',
        oracle: 'O15',
        property: 'MISS',
        backend: { arm64: { barrierBefore: 'none' } },
        memoryModels: ['tso'],
      },
      {
        id: `${id}/no-dsb`,
        why: 'nobody waits for the TLBI',
        oracle: 'O15',
        property: 'SAC',
        wrong: 'kernel-no-wait',
      },
    ],
  });
}

/** Unlinks a table of the kernel and frees it. */
function* freeKernelTable(
  cpu: Cpu,
  { address, pmd, table }: KernelPage,
  flush: typeof flushTlbKernelPgtable,
): Steps<void> {
  yield* cpu.writeOnce(pmd, 0);
  yield* flush(cpu, address);
  yield* cpu.free('table', table);
}

const kernelTable = defineScenario<KernelPage>({
  id: 'arm64/kernel-table',
  title: 'a table of the kernel is freed behind __flush_tlb_kernel_pgtable, which drops the ways to it',
  source: 'arch/arm64/mm/mmu.c pmd_free_pte_page; asm/tlbflush.h __flush_tlb_kernel_pgtable',
  cpus: 2,
  only: ARM64_ONLY,
  setup: (run, kernel) => kernelPage(run, kernel.initMm),
  threads: (page) => [thread((cpu) => freeKernelTable(cpu, page, flushTlbKernelPgtable))],
  twins: [
    {
      id: 'arm64/kernel-table/leaves-only',
      why: 'flush_tlb_kernel_range drops leaves alone: CPUs walk the freed table',
      oracle: 'O4',
      property: 'TUAF',
      threads: (page) => [
        thread((cpu) =>
          freeKernelTable(cpu, page, (on, address) =>
            on.kernel.backend.flushTlbKernelRange(on, address, address + PAGE),
          ),
        ),
      ],
    },
  ],
});

/** All of them. */
export const ARM64_OPERATIONS: readonly AnyScenario[] = [
  ...RANGES,
  mixed,
  hugeByPage,
  kernelFlush(
    'kernel-page',
    'a kernel address is unmapped by a plain store, flushed, and handed out again',
    (cpu, page) => cpu.kernel.backend.flushTlbKernelRange(cpu, page.address, page.address + PAGE),
  ),
  kernelFlush('kernel-all', 'the same, and all kernel addresses are flushed', (cpu) =>
    cpu.kernel.backend.flushTlbKernelRange(cpu, 0, EVERYTHING),
  ),
  kernelTable,
];
