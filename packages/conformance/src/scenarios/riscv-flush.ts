/**
 * RISC-V: forms of its flushes with as little around them as there can be. Entries change by plain stores, and nothing but the flush orders them.
 */
import type { Run } from '@mmu-gather/checker';
import { type Address, type Cpu, Mm, type Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, shrinkPages, vmallocInit, vmap } from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, thread, type Twin } from '../scenario.ts';
import { BY_IPI, DEFERRED, type Mms, RISCV_ONLY, setMms, THREE } from './riscv.ts';
import {
  cameFromAnotherMm,
  keptPages,
  type Mapping,
  mappingOf,
  PAGE,
  putUnmapped,
  setStage,
  type Stage,
  toUser,
} from './stage.ts';

/** A stage with two pages. */
interface Pages extends Stage {
  readonly pages: readonly Mapping[];
}

function withPages(run: Run, stage: Stage): Pages {
  return { ...stage, pages: [0, 1].map((page) => mappingOf(run, stage.mm, page * PAGE)) };
}

/** pte_clear, flush_tlb_page, put_page, of one page after the other. */
function* clearFlushFree(cpu: Cpu, mm: Mm, pages: readonly Mapping[]): Steps<void> {
  for (const [i, { pte, page }] of pages.entries()) {
    yield* cpu.writeOnce(pte, 0);
    yield* cpu.kernel.backend.flushTlbPage(cpu, mm, i * PAGE);
    yield* putUnmapped(cpu, page);
  }
}

const notAgain = {
  why: 'the flusher does not look again at what the hart has loaded',
  oracle: ['O1', 'O4'],
  property: 'MISS',
  backend: { riscv: { deferRecheck: false } },
} as const;

const fullQueue = defineScenario<Pages>({
  id: 'riscv/deferred-flush/full',
  title: 'two pages are flushed for a hart whose queue holds one flush, while it comes back to the mm',
  source: 'riscv development tree, 2026: should_ipi_flush',
  cpus: 2,
  only: RISCV_ONLY,
  where: BY_IPI,
  backend: DEFERRED,
  setup: (run) => withPages(run, cameFromAnotherMm(run)),
  threads: ({ mm, pages }) => [thread((cpu) => clearFlushFree(cpu, mm, pages)), thread((cpu) => toUser(cpu, mm))],
  twins: [{ id: 'riscv/deferred-flush/full/no-recheck', ...notAgain }],
});

const reclaimed = defineScenario<Pages>({
  id: 'riscv/deferred-flush/reclaim',
  title: 'the flush of what reclaim has unmapped names no ASID: it waits in no queue',
  source: 'riscv development tree, 2026: should_ipi_flush',
  cpus: 2,
  only: RISCV_ONLY,
  where: BY_IPI,
  profile: { batchedPending: 'counters' },
  backend: { riscv: { userFlush: 'deferred', deferTables: false, tlbbatch: true } },
  setup: (run) => withPages(run, setStage(run, { pages: 1, touched: [0] })),
  threads: ({ mm, pages }) => [thread((cpu) => shrinkPages(cpu, [{ page: pages[0]!.page, mm, address: 0 }]))],
  twins: [
    {
      id: 'riscv/deferred-flush/reclaim/no-wait',
      why: 'nobody waits for the hart that is interrupted',
      oracle: ['O1', 'O3'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
  ],
});

/** How the ways to a table that was unlinked are dropped. */
type TableFlush = (cpu: Cpu, mm: Mm, table: Address) => Steps<void>;

function* freeTable(cpu: Cpu, { mm, pages }: Pages, flush: TableFlush): Steps<void> {
  const { pmd, table } = pages[0]!;
  yield* cpu.writeOnce(pmd, 0);
  yield* flush(cpu, mm, table);
  yield* cpu.free('table', table);
}

/** A table is unlinked, flushed and freed while a hart comes back to the mm. */
function tableFlush(
  name: string,
  what: string,
  backend: BackendOverrides,
  flush: TableFlush,
  twin: Twin<Pages>,
): AnyScenario {
  return defineScenario<Pages>({
    id: `riscv/table-flush/${name}`,
    title: `a table is unlinked and freed behind ${what}, while a hart comes back to the mm`,
    source: 'arch/riscv/mm/tlbflush.c; riscv development tree, 2026',
    cpus: 2,
    only: RISCV_ONLY,
    ...(backend === DEFERRED && { where: BY_IPI }),
    backend,
    setup: (run) => withPages(run, cameFromAnotherMm(run)),
    threads: (env) => [thread((cpu) => freeTable(cpu, env, flush)), thread((cpu) => toUser(cpu, env.mm))],
    holds: ({ pages }) => keptPages(pages.map(({ page }) => page)),
    twins: [{ ...twin, id: `riscv/table-flush/${name}/${twin.id}` }],
  });
}

/** Flushes of tables wait in queues as well. */
const QUEUED: Twin<Pages> = {
  id: 'queued',
  why: 'its flush waits in a queue: the hart loads satp, and walks the freed table before it empties the queue',
  oracle: 'O4',
  property: 'TUAF',
  backend: { riscv: { deferTables: true } },
};

const LEAVES: TableFlush = (cpu, mm) => cpu.kernel.backend.flushTlbRange(cpu, mm, 0, PAGE, 0);

const TABLES = [
  tableFlush('mm', 'flush_tlb_mm', DEFERRED, (cpu, mm) => cpu.kernel.backend.flushTlbMm(cpu, mm), QUEUED),
  tableFlush(
    'collapse',
    'pmdp_collapse_flush',
    DEFERRED,
    (cpu, mm, table) => cpu.kernel.backend.pte.pmdpCollapseFlush!(cpu, mm, 0, table),
    QUEUED,
  ),
  tableFlush(
    'generation',
    'a flush up to a generation that freed tables',
    { riscv: { threshold: 2 } },
    (cpu, mm) => cpu.kernel.backend.flushTlbGen(cpu, mm, 0, 2 * PAGE, 0, true, 0),
    {
      id: 'leaves',
      why: 'a fence with an address drops leaves alone',
      oracle: 'O4',
      property: 'TUAF',
      threads: (env) => [thread((cpu) => freeTable(cpu, env, LEAVES)), thread((cpu) => toUser(cpu, env.mm))],
    },
  ),
];

/** An mm that runs nowhere gets another ASID while a page of it is unmapped. */
const renamed = defineScenario<Mms & { readonly at0: Mapping }>({
  id: 'riscv/asid-flush',
  title: 'a page of an mm that runs nowhere is unmapped, while that mm gets a new ASID on another hart',
  source: '5e10f9887ed8 for arm64; arch/riscv/mm/tlbflush.c __flush_tlb_range',
  cpus: 2,
  only: RISCV_ONLY,
  where: { backend: { riscv: { asidAllocator: true } } },
  backend: THREE,
  pools: { mm: 4, page: 4, table: 8, vma: 4 },
  setup(run, kernel) {
    const stage = setMms(4, [0, 0, 1])(run, kernel);
    return { ...stage, at0: mappingOf(run, stage.mms[0]!, 0) };
  },
  threads: ({ mms: [a, , , d], at0 }) => [
    thread((cpu) => clearFlushFree(cpu, a!, [at0])),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, d!);
      yield* toUser(cpu, a!);
    }),
  ],
  twins: [
    {
      id: 'riscv/asid-flush/no-fence',
      why: 'the ASID and the mask are read before the store is visible',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { flushFence: false } },
      memoryModels: ['tso'],
    },
    {
      id: 'riscv/asid-flush/as-in-linux',
      why: 'nothing orders the new ASID before the first walk under it: the flush names the old one, and the hart walks the old entry',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { arrivalFence: false } },
      memoryModels: ['weak'],
    },
  ],
});

/** An address of the kernel, which every hart may have cached. */
interface KernelPage extends Mapping {
  readonly address: number;
}

function* clearKernelPage(cpu: Cpu, { address, pte }: KernelPage): Steps<void> {
  yield* cpu.writeOnce(pte, 0);
  yield* cpu.kernel.backend.flushTlbKernelRange(cpu, address, address + PAGE);
  cpu.claim.reassigned({ start: address, end: address + PAGE });
}

/** @param rfence who fences other harts */
function kernelPage(rfence: 'sbi' | 'ipi'): AnyScenario {
  const id = `riscv/kernel-page/${rfence}`;
  return defineScenario<KernelPage>({
    id,
    title: `a kernel address is unmapped by a plain store, flushed by ${rfence === 'sbi' ? 'the firmware' : 'interrupts'}, and handed out again`,
    source: 'arch/riscv/mm/tlbflush.c flush_tlb_kernel_range',
    cpus: 2,
    only: RISCV_ONLY,
    backend: { riscv: { rfence } },
    setup(run, kernel) {
      run(0, vmallocInit);
      const frame = run(0, (cpu) => cpu.alloc('page'));
      const address = run(0, (cpu) => vmap(cpu, [frame]));
      return { ...mappingOf(run, Mm.at(kernel.initMm), address), address };
    },
    threads: (page) => [thread((cpu) => clearKernelPage(cpu, page))],
    twins: [
      {
        id: `${id}/no-wait`,
        why: 'the address is handed out before every hart has fenced',
        oracle: 'O15',
        property: 'SAC',
        wrong: 'kernel-no-wait',
      },
    ],
  });
}

/** All of them. */
export const RISCV_FLUSHES: readonly AnyScenario[] = [
  fullQueue,
  reclaimed,
  ...TABLES,
  renamed,
  kernelPage('sbi'),
  kernelPage('ipi'),
];
