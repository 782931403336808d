/**
 * powerpc radix: each flush in each of its forms, by each of its means, with as little around it as there can be. Entries change by plain stores, and
 * nothing but the flush orders them.
 *
 *     this CPU alone     tlbie     interrupts (tlbie reaches nobody)     H_RPT_INVALIDATE (the guest has no tlbie)
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type Cell,
  type Cpu,
  EVERYTHING,
  type Mm,
  type Steps,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbRemoveTable,
} from '@mmu-gather/core/stepped';
import { doUserAddrFault, madviseDontneed, mmAlloc, mmap } from '@mmu-gather/mm/stepped';
import {
  mmActiveCpus,
  mmContextAddCopro,
  mmContextRemoveCopro,
  mmCopros,
  type Radix,
  radixCpuOffline,
  radixCpuOnline,
} from '@mmu-gather/powerpc/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { RADIX, radix } from './powerpc-radix-flush.ts';
import { counted } from './powerpc-radix-trim.ts';
import {
  keptPages,
  type Mapping,
  mappingOf,
  newMm,
  PAGE,
  type Page0,
  putUnmapped,
  RW_MEMORY,
  setStage,
  type Stage,
  toUser,
} from './stage.ts';

/** The pages of the second table, which lie not at the beginning. */
interface Pages extends Stage {
  readonly pages: readonly Mapping[];
}

function setPages(run: Run): Pages {
  const stage = setStage(run, { pages: 4, touched: [2, 3] });
  return { ...stage, pages: [2, 3].map((page) => mappingOf(run, stage.mm, page * PAGE)) };
}

/** A flush of so many pages from the third one on. */
interface Form {
  readonly name: string;
  readonly pages: 1 | 2;
  /** Whether the table that they stand in is unlinked, too, and freed. */
  readonly table: boolean;
  readonly flush: (cpu: Cpu, mm: Mm, table: Address) => Steps<void>;
  readonly switches?: Readonly<Record<string, unknown>>;
}

const START = 2 * PAGE;
const END = 4 * PAGE;

const FORMS: readonly Form[] = [
  { name: 'page', pages: 1, table: false, flush: (cpu, mm) => cpu.kernel.backend.flushTlbPage(cpu, mm, START) },
  {
    name: 'range',
    pages: 2,
    table: false,
    flush: (cpu, mm) => cpu.kernel.backend.flushTlbRange(cpu, mm, START, END, 0),
    switches: { ceiling: 8, localCeiling: 8 },
  },
  {
    name: 'range-beyond',
    pages: 2,
    table: false,
    flush: (cpu, mm) => cpu.kernel.backend.flushTlbRange(cpu, mm, START, END, 0),
    switches: { ceiling: 1, localCeiling: 1 },
  },
  { name: 'mm', pages: 2, table: false, flush: (cpu, mm) => cpu.kernel.backend.flushTlbMm(cpu, mm) },
  {
    name: 'all',
    pages: 2,
    table: true,
    flush: (cpu, mm) => cpu.kernel.backend.flushTlbGen(cpu, mm, 0, EVERYTHING, 0, true, 0),
  },
  {
    name: 'collapsed',
    pages: 2,
    table: true,
    flush: (cpu, mm, table) => cpu.kernel.backend.pte.pmdpCollapseFlush!(cpu, mm, START, table),
    switches: { collapseFlush: 'pages' },
  },
  {
    name: 'table',
    pages: 2,
    table: true,
    flush: (cpu, mm) => cpu.kernel.backend.flushTlbGen(cpu, mm, START, END, 0, true, 0),
    switches: { ceiling: 8, localCeiling: 8 },
  },
  {
    name: 'table-beyond',
    pages: 2,
    table: true,
    flush: (cpu, mm) => cpu.kernel.backend.flushTlbGen(cpu, mm, START, END, 0, true, 0),
    switches: { ceiling: 0, localCeiling: 0 },
  },
];

const MEANS: readonly { readonly name: string; readonly switches: Readonly<Record<string, unknown>> }[] = [
  { name: 'tlbie', switches: {} },
  { name: 'interrupts', switches: { tlbie: false } },
  { name: 'hypervisor', switches: { gtse: false } },
];

function* clear(cpu: Cpu, { mm, pages }: Pages, { pages: count, table, flush }: Form): Steps<void> {
  for (const { pte } of pages.slice(0, count)) yield* cpu.writeOnce(pte, 0);
  if (table) yield* cpu.writeOnce(pages[0]!.pmd, 0);
  yield* flush(cpu, mm, pages[0]!.table);
  cpu.claim.limit(cpu.read(mm.pgd), { start: START, end: START + count * PAGE }, 'none');
  if (table) yield* cpu.free('table', pages[0]!.table);
}

function* nothing(): Steps<void> {}

const byMeans = MEANS.flatMap(({ name, switches }) =>
  FORMS.map((form) => {
    const id = `powerpc-radix/form/${form.name}/${name}`;
    return defineScenario<Pages>({
      id,
      title: `entries are cleared, and flushed by ${name}: ${form.name}`,
      source: 'arch/powerpc/mm/book3s64/radix_tlb.c',
      cpus: 2,
      only: RADIX,
      backend: radix({ ...form.switches, ...switches }),
      setup: setPages,
      threads: (env) => [thread((cpu) => clear(cpu, env, form))],
      holds: ({ pages }) => keptPages(pages.slice(0, form.pages).map(({ page }) => page)),
      twins: [
        {
          id: `${id}/not-flushed`,
          why: 'nothing is flushed',
          oracle: ['O2', 'O4'],
          property: 'MISS',
          threads: (env) => [thread((cpu) => clear(cpu, env, { ...form, flush: nothing }))],
        },
      ],
    });
  }),
);

/** Alone on the mm: tlbiel. Nobody else can tell, so this CPU itself is asked, in user mode again. */
const alone = FORMS.map((form) => {
  const id = `powerpc-radix/form/${form.name}/here`;
  const back = (env: Pages, flush: Form['flush']): ReturnType<typeof thread> =>
    thread(function* (cpu) {
      yield* clear(cpu, env, { ...form, flush });
      yield* cpu.enterUser();
    });
  return defineScenario<Pages>({
    id,
    title: `entries are cleared on the only CPU that runs the mm, flushed there, and it returns to user mode: ${form.name}`,
    source: 'arch/powerpc/mm/book3s64/radix_tlb.c',
    cpus: 1,
    only: RADIX,
    backend: radix({ ...form.switches }),
    setup(run) {
      const stage = setStage(run, { pages: 4, touched: [2, 3], running: [0] });
      return { ...stage, pages: [2, 3].map((page) => mappingOf(run, stage.mm, page * PAGE)) };
    },
    threads: (env) => [back(env, form.flush)],
    holds: ({ pages }) => keptPages(pages.slice(0, form.pages).map(({ page }) => page)),
    sequential: 'what a CPU drops of its own is asked of it',
    twins: [
      {
        id: `${id}/not-flushed`,
        why: 'nothing is flushed',
        oracle: ['O2', 'O4'],
        property: 'MISS',
        threads: (env) => [back(env, nothing)],
      },
    ],
  });
});

/** No CPU has used the mm: nothing is flushed (FLUSH_TYPE_NONE, 5.12), unless somebody has come to it by then. */
const unused = FORMS.map((form) => {
  const id = `powerpc-radix/form/${form.name}/unused`;
  return defineScenario<Pages>({
    id,
    title: `entries are cleared and flushed of an mm that no CPU has run, while one comes to run it: ${form.name}`,
    source: 'arch/powerpc/mm/book3s64/radix_tlb.c flush_type_needed',
    cpus: 2,
    only: RADIX,
    backend: radix({ ...form.switches }),
    setup(run) {
      const mm = run(0, mmAlloc);
      run(0, (cpu) => mmap(cpu, mm, START, END - START, RW_MEMORY));
      const pages = [START, START + PAGE].map((address) => {
        run(0, (cpu) => doUserAddrFault(cpu, mm, address, true));
        return mappingOf(run, mm, address);
      });
      return { mm, at: START, pages };
    },
    threads: (env) => [thread((cpu) => clear(cpu, env, form)), thread((cpu) => toUser(cpu, env.mm))],
    holds: ({ pages }) => keptPages(pages.slice(0, form.pages).map(({ page }) => page)),
    twins: [
      {
        id: `${id}/not-flushed`,
        why: 'nothing is flushed, whoever has come',
        oracle: ['O2', 'O4'],
        property: 'MISS',
        threads: (env) => [
          thread((cpu) => clear(cpu, env, { ...form, flush: nothing })),
          thread((cpu) => toUser(cpu, env.mm)),
        ],
      },
    ],
  });
});

/** process_madvise, from a CPU that has nothing to do with the mm. */
const outside = defineScenario<Page0>({
  id: 'powerpc-radix/madvise-unused',
  title: 'a page is taken from an mm that no CPU has run, while one comes to run it',
  source: 'arch/powerpc/mm/book3s64/radix_tlb.c flush_type_needed',
  cpus: 2,
  only: RADIX,
  setup(run) {
    const mm = newMm(run);
    run(0, (cpu) => doUserAddrFault(cpu, mm, 0, true));
    return { mm, at: 0, p0: mappingOf(run, mm, 0) };
  },
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'powerpc-radix/madvise-unused/freed-first',
      why: 'the page is freed, and nothing is flushed, whoever has come',
      oracle: ['O1', 'O16'],
      property: 'FUAF',
      threads: ({ mm, p0 }) => [
        thread(function* (cpu) {
          yield* cpu.writeOnce(p0.pte, 0);
          yield* putUnmapped(cpu, p0.page);
        }),
        thread((cpu) => toUser(cpu, mm)),
      ],
    },
  ],
});

/** An empty table, and nothing else, goes by a gather in which nobody has named a size of pages. */
function* gatherTable(cpu: Cpu, { mm, pages }: Pages): Steps<void> {
  const [{ pmd, table }] = pages as readonly [Mapping];
  yield* cpu.writeOnce(pmd, 0);
  const tlb = yield* tlbGatherMmu(cpu, mm);
  yield* tlbRemoveTable(cpu, tlb, table, START, 0);
  yield* tlbFinishMmu(cpu, tlb, START, END);
}

const unsized = defineScenario<Pages>({
  id: 'powerpc-radix/gather-unsized',
  title:
    'a gather has a table and no page, and nobody has named a size of pages: all of the PID is flushed, ways to tables, too',
  source: 'radix__tlb_flush: page_size 0',
  cpus: 2,
  only: RADIX,
  setup(run) {
    const env = setPages(run);
    run(0, (cpu) => madviseDontneed(cpu, env.mm, START, END - START));
    return env;
  },
  threads: (env) => [thread((cpu) => gatherTable(cpu, env))],
  twins: [
    {
      id: 'powerpc-radix/gather-unsized/no-pwc',
      why: 'RIC 0: the other thread walks through the table that it has cached',
      oracle: 'O4',
      property: 'TUAF',
      backend: radix({ gatherPwc: false }),
    },
  ],
});

const copros = defineScenario<Stage>({
  id: 'powerpc-radix/copro-counts',
  title: 'coprocessors are attached and detached on two CPUs at once: the counts say how many there are',
  source: 'arch/powerpc/include/asm/mmu_context.h mm_context_add_copro',
  cpus: 2,
  only: RADIX,
  setup: (run) => setStage(run, { pages: 1, inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => mmContextAddCopro(cpu, mm)),
    thread(function* (cpu) {
      yield* mmContextAddCopro(cpu, mm);
      yield* mmContextRemoveCopro(cpu, mm);
    }),
  ],
  final(peek, { mm }) {
    const [users, active] = [peek(mmCopros(mm)), peek(mmActiveCpus(mm))];
    return users === 1 && active === 3 ? undefined : `copros is ${users}, active_cpus ${active}: there are 1 and 3`;
  },
  twins: [
    {
      id: 'powerpc-radix/copro-counts/one-more',
      why: 'one is attached without being counted as a user of the mm',
      oracle: 'assert',
      property: 'MISS',
      threads: ({ mm }) => [thread((cpu) => cpu.atomicAdd(mmCopros(mm), 1))],
    },
  ],
});

const offline = defineScenario<Stage & { readonly mask: Cell }>({
  id: 'powerpc-radix/offline-together',
  title: 'two CPUs of an mm go offline at once, and one comes back: both leave its mask, and are counted no more',
  source: '"powerpc/64s: Trim offlined CPUs from mm_cpumasks", 2020-11-26',
  cpus: 3,
  only: RADIX,
  setup: (run, kernel) => ({
    ...setStage(run, { pages: 1, running: [0, 1, 2], inKernel: [1, 2] }),
    mask: (kernel.backend as Radix).offlineMask,
  }),
  threads: ({ mm }) => [
    undefined,
    thread((cpu) => radixCpuOffline(cpu, [mm])),
    thread(function* (cpu) {
      yield* radixCpuOffline(cpu, [mm]);
      yield* radixCpuOnline(cpu);
    }),
  ],
  final: (peek, env) =>
    peek(env.mask) === 1 << 1 ? counted(peek, env) : 'CPU 1 alone is offline, and the mask says otherwise',
  twins: [
    {
      id: 'powerpc-radix/offline-together/uncounted',
      why: 'one leaves the mask, and is still counted',
      oracle: 'assert',
      property: 'MISS',
      threads: ({ mm }) => [
        undefined,
        thread((cpu) => radixCpuOffline(cpu, [mm])),
        thread((cpu) => cpu.atomicAndNot(mm.cpumask, 1 << cpu.id)),
      ],
    },
  ],
});

/** All of them. */
export const RADIX_FORMS: readonly AnyScenario[] = [...byMeans, ...alone, ...unused, outside, unsized, copros, offline];
