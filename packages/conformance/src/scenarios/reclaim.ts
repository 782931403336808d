/**
 * Reclaim: unmapped pages are flushed late. Who writes meanwhile, who frees too early, and what others may believe of
 * entries that it cleared.
 */
import type { Body, Run } from '@mmu-gather/checker';
import {
  type Cpu,
  getPage,
  type Mm,
  type Profile,
  type Steps,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  flushTlbBatchedPending,
  MADV_COLD,
  madvise,
  madviseDontneed,
  madvisePageout,
  mmAlloc,
  mmap,
  MREMAP_DONTUNMAP,
  MREMAP_MAYMOVE,
  mremap,
  shrinkPages,
  tlbBatch,
  tryToUnmapOne,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Only, thread, type Twin, type Where } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { RECLAIMED } from './outcomes.ts';
import {
  type Mapping,
  mappingOf,
  PAGE,
  RW_MEMORY,
  setStage,
  type Stage,
  syscall,
  type Page0,
  withPage0,
} from './stage.ts';

const t20 = defineScenario<Page0>({
  id: 'T20/fixed',
  title: 'reclaim writes a dirty page out while another CPU may still write to it: it flushes before',
  source: 'mm/vmscan.c pageout, try_to_unmap_flush_dirty (4.4 on)',
  cpus: 2,
  setup: (run) => withPage0(run, setStage(run, { touched: [0] })),
  threads: ({ mm, p0 }) => [thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }]))],
  sometimes: [RECLAIMED],
  twins: [
    {
      id: 'T20/naive',
      why: 'the device reads the page before the deferred flush: later writes are lost when it is dropped as clean',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { pageoutFlush: 'none' },
    },
    {
      id: 'T20/no-generation',
      why: 'the flush of a batch has no generation, and a CPU takes it for one that it has done (fixed in 6.0)',
      oracle: ['O3', 'O11'],
      property: 'LOSTW',
      backend: { x86: { staleRequest: 'silent-always' } },
    },
  ],
});

/** A clean page of a file that a running thread may read, and that leaves the page cache. */
const dropClean = defineScenario<FileStage>({
  id: 'reclaim/clean-file-page',
  title: 'reclaim takes a clean page from its file and frees it: after the deferred flush',
  source: 'mm/vmscan.c shrink_folio_list',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: VM_READ }),
  threads: ({ mm, pages, file }) => [thread((cpu) => shrinkPages(cpu, [{ page: pages[0]!, mm, address: 0 }], file))],
  twins: [
    {
      id: 'reclaim/clean-file-page/free-first',
      why: 'the page is freed while another CPU may still read it',
      oracle: 'O1',
      property: 'FUAF',
      profile: { reclaimFree: 'before-flush' },
    },
  ],
});

const dropDirty = defineScenario<FileStage>({
  id: 'reclaim/dirty-file-page',
  title: 'reclaim writes a dirty page of a shared file mapping out and frees it',
  source: 'mm/vmscan.c shrink_folio_list',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: VM_READ | VM_WRITE | VM_SHARED, store: true }),
  threads: ({ mm, pages, file }) => [thread((cpu) => shrinkPages(cpu, [{ page: pages[0]!, mm, address: 0 }], file))],
  twins: [
    {
      id: 'reclaim/dirty-file-page/no-flush',
      why: 'IO starts while another CPU may still write',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { pageoutFlush: 'none' },
    },
  ],
});

const pageout = defineScenario<FileStage>({
  id: 'reclaim/pageout',
  title:
    'MADV_PAGEOUT writes out a page of a file that another thread writes to: one walk picks it, and makes its entry old up to 6.9',
  source: 'mm/madvise.c madvise_cold_or_pageout_pte_range, mm/vmscan.c reclaim_pages',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: VM_READ | VM_WRITE | VM_SHARED, store: true }),
  threads: ({ mm }) => [thread((cpu) => madvisePageout(cpu, mm, 0, PAGE, () => false))],
  twins: [
    {
      id: 'reclaim/pageout/no-flush',
      why: 'IO starts while another CPU may still write',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { pageoutFlush: 'none' },
    },
  ],
});

interface TwoTables extends Stage {
  readonly p2: Mapping;
}

/**
 * Two tables. The second maps page 2. The first has no present entries: whoever zaps there has nothing of its own to
 * flush. A deferral of its page 1 is still noted in the mm, though reclaim has flushed it. CPU 0 is a kernel thread, as kswapd is.
 */
function twoTables(run: Run): TwoTables {
  const stage = setStage(run, { pages: 4, touched: [1, 2] });
  const { mm } = stage;
  const p1 = mappingOf(run, mm, PAGE);
  const p2 = mappingOf(run, mm, 2 * PAGE);
  run(0, (cpu) => shrinkPages(cpu, [{ page: p1.page, mm, address: PAGE }]));
  run(0, (cpu) => contextSwitch(cpu, null));
  return { ...stage, p2 };
}

/** CPU 1 zaps pages 1 and 2: under the first PTL it settles what is noted, under the second it believes what it reads. */
function reclaimOne({ mm, p2 }: TwoTables): readonly Body[] {
  return [
    thread((cpu) => shrinkPages(cpu, [{ page: p2.page, mm, address: 2 * PAGE }])),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, PAGE, 2 * PAGE))),
  ];
}

/** Two tables of a file's clean pages: two deferrals stay open until the end of reclaim. */
function cleanTables(run: Run): FileStage {
  const stage = setFileStage(run, { flags: VM_READ, pages: 4, touched: [1, 2, 3] });
  run(0, (cpu) => shrinkPages(cpu, [{ page: stage.pages[1]!, mm: stage.mm, address: PAGE }]));
  run(0, (cpu) => contextSwitch(cpu, null));
  return stage;
}

/** The same race, but reclaim takes pages 3 and 2. */
function reclaimTwo({ mm, pages }: FileStage): readonly Body[] {
  const taken = [3, 2].map((n) => ({ page: pages[n]!, mm, address: n * PAGE }));
  return [
    thread((cpu) => shrinkPages(cpu, taken)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, PAGE, 2 * PAGE))),
  ];
}

const t7 = defineScenario<TwoTables>({
  id: 'T7/fixed',
  title: 'reclaim defers under one PTL while somebody settles its deferrals under another',
  source: 'RFC 2021 patch 20; "mm/rmap: fix potential batched TLB flush race" (5.17)',
  cpus: 2,
  profile: { batchedPending: 'counters', nestedFinish: 'whole-mm' },
  setup: twoTables,
  threads: reclaimOne,
  twins: [
    {
      id: 'T7/naive',
      why: 'a flag that is cleared after the flush forgets what was deferred meanwhile',
      oracle: 'O10',
      property: 'SAC',
      profile: { batchedPending: 'flag' },
    },
    {
      id: 'T7/none',
      why: 'deferrals are not noted at all',
      oracle: 'O10',
      property: 'SAC',
      profile: { batchedPending: 'none' },
    },
  ],
});

const t26 = defineScenario<FileStage>({
  id: 'T26/fixed',
  title: 'two deferrals within one flush: far from the number after which the counts start anew',
  source: 'mm/rmap.c TLB_FLUSH_BATCH_PENDING_LARGE (5.17)',
  cpus: 2,
  profile: { batchedPending: 'counters', nestedFinish: 'whole-mm' },
  setup: cleanTables,
  threads: reclaimTwo,
  twins: [
    {
      id: 'T26/naive',
      why: 'the counts start anew within a flush of somebody else, who then takes them for the old ones',
      oracle: 'O10',
      property: 'SAC',
      profile: { batchedLarge: 1 },
    },
  ],
});

const t26TwoWords = defineScenario<FileStage>({
  id: 'T26/two-words',
  title: 'counts of 64 bits in two words never start anew',
  cpus: 2,
  profile: { batchedPending: 'two-words', batchedLarge: 1, nestedFinish: 'whole-mm' },
  setup: cleanTables,
  threads: reclaimTwo,
  twins: [
    {
      id: 'T26/two-words/one-word',
      why: 'both counts in one word, which start anew',
      oracle: 'O10',
      property: 'SAC',
      profile: { batchedPending: 'counters' },
    },
  ],
});

interface Deferred extends Stage {
  readonly p0: Mapping;
  readonly p2: Mapping;
}

/** Pages of two tables, which CPU 2 alone uses. */
function twoPages(run: Run): Deferred {
  const mm = run(2, mmAlloc);
  run(2, (cpu) => contextSwitch(cpu, mm));
  run(2, (cpu) => mmap(cpu, mm, 0, 4 * PAGE, RW_MEMORY));
  for (const page of [0, 2]) run(2, (cpu) => userStore(cpu, mm, page * PAGE, 1 + page));
  return { mm, at: 0, p0: mappingOf(run, mm, 0), p2: mappingOf(run, mm, 2 * PAGE) };
}

/** Reclaim has cleared an entry, and its flush is still to come. */
function* defer(cpu: Cpu, { page }: Mapping, mm: Mm, address: number): Steps<void> {
  yield* tryToUnmapOne(cpu, page, mm, address, tlbBatch());
}

/** Reclaim has cleared both entries, and CPU 2 still writes through what it holds of them. */
function bothDeferred(run: Run): Deferred {
  const stage = twoPages(run);
  run(2, (cpu) => cpu.enterUser());
  run(0, (cpu) => defer(cpu, stage.p0, stage.mm, 0));
  run(0, (cpu) => defer(cpu, stage.p2, stage.mm, 2 * PAGE));
  return stage;
}

/** Under the PTL of its own table, somebody takes an empty entry for one that is cached nowhere. */
function reads({ mm }: Deferred, { ptl }: Mapping, address: number): Body {
  return thread(function* (cpu) {
    yield* cpu.spinLock(ptl);
    yield* flushTlbBatchedPending(cpu, mm);
    cpu.claim.settled(cpu.read(mm.pgd), address);
    yield* cpu.spinUnlock(ptl);
  });
}

const DEFERS: Only = {
  archs: ['x86'],
  why: 'elsewhere reclaim defers nothing, or begins its flush at once, and waits for it later',
};

/** With a ring each flush has many more states. */
const NO_RING: Where = { profile: { deferral: 'counter' } };

/** Two readers at once: what the first one has not flushed yet, the second one may not take for flushed. */
function twoReaders(form: Profile['batchedPending']): AnyScenario {
  const id = `reclaim/two-readers/${form}`;
  return defineScenario<Deferred>({
    id,
    title: `two who need to know what reclaim has not flushed settle it at once, each under a PTL of his own (${form})`,
    source: 'mm/rmap.c flush_tlb_batched_pending: the count is noted after the flush',
    cpus: 3,
    only: DEFERS,
    where: NO_RING,
    profile: { batchedPending: form },
    setup: bothDeferred,
    threads: (env) => [reads(env, env.p0, 0), reads(env, env.p2, 2 * PAGE)],
    twins: [
      {
        id: `${id}/unseen`,
        why: 'nothing is on record, so both take the entries for settled',
        oracle: 'O9',
        property: 'SAC',
        profile: { batchedPending: 'none' },
      },
    ],
  });
}

const eachPage = defineScenario<TwoTables>({
  id: 'reclaim/each-page',
  title:
    'where nothing says what reclaim has deferred, it defers nothing: it flushes each page before the PTL is dropped',
  source: 'mm/rmap.c should_defer_flush without CONFIG_ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH',
  cpus: 2,
  only: DEFERS,
  profile: { reclaimBatch: false, batchedPending: 'none', nestedFinish: 'whole-mm' },
  setup: twoTables,
  threads: reclaimOne,
  twins: [
    {
      id: 'reclaim/each-page/deferred',
      why: 'flushes are deferred all the same, and nobody can know of it',
      oracle: 'O10',
      property: 'SAC',
      profile: { reclaimBatch: true },
    },
  ],
});

const twoDeferrals = defineScenario<Deferred>({
  id: 'reclaim/two-deferrals',
  title: 'reclaim on two CPUs defers a flush of one mm each: it counts both',
  source: 'mm/rmap.c set_tlb_ubc_flush_pending',
  cpus: 3,
  only: DEFERS,
  where: NO_RING,
  profile: { batchedPending: 'counters', reclaimBatch: true },
  setup: twoPages,
  threads: ({ mm, p0, p2 }) => [thread((cpu) => defer(cpu, p0, mm, 0)), thread((cpu) => defer(cpu, p2, mm, 2 * PAGE))],
  final: (peek, { mm }) =>
    peek(mm.tlbFlushBatched) === 2 ? undefined : 'two flushes were deferred, and it counts others',
  twins: [
    {
      id: 'reclaim/two-deferrals/flag',
      why: 'a flag does not count',
      oracle: 'assert',
      profile: { batchedPending: 'flag' },
    },
  ],
});

/** Reclaim on CPU 0 has taken page 0 away, and will flush some time later; CPU 0 runs on. */
function unmappedPage(run: Run): Page0 {
  const stage = withPage0(run, setStage(run, { pages: 1, inKernel: [1] }));
  run(0, (cpu) => getPage(cpu, stage.p0.page));
  run(0, (cpu) => defer(cpu, stage.p0, stage.mm, 0));
  run(0, (cpu) => cpu.enterUser());
  return stage;
}

/** A call that finds nothing present, and relies on nobody using the page there when it returns. */
function besideBatch(
  id: string,
  title: string,
  oracle: Twin['oracle'],
  call: (cpu: Cpu, mm: Mm) => Steps<unknown>,
): AnyScenario {
  return defineScenario<Page0>({
    id,
    title,
    source: '3ea277194daa (4.13): mm, mprotect: flush TLB if potentially racing with a parallel reclaim',
    cpus: 2,
    only: DEFERS,
    where: NO_RING,
    profile: { batchedPending: 'counters' },
    setup: unmappedPage,
    holds: ({ p0 }) => [{ object: p0.page, references: 1 }],
    threads: ({ mm }) => [undefined, thread((cpu) => call(cpu, mm))],
    twins: [
      {
        id: `${id}/not-noted`,
        why: 'deferrals are not noted at all',
        oracle,
        property: 'SAC',
        profile: { batchedPending: 'none' },
      },
    ],
  });
}

const moved = besideBatch(
  'reclaim/mremap',
  'mremap moves an entry that reclaim has taken from a page and not flushed: nobody reaches the page by its old address',
  ['O7', 'O10'],
  (cpu, mm) => mremap(cpu, mm, 0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, PAGE),
);

const advised = besideBatch(
  'reclaim/madvise',
  'MADV_COLD finds an entry that reclaim has taken from a page and not flushed: nobody uses the page when it returns',
  'O10',
  (cpu, mm) => madvise(cpu, mm, 0, PAGE, MADV_COLD),
);

/** All of them. */
export const RECLAIM: readonly AnyScenario[] = [
  t20,
  dropClean,
  dropDirty,
  pageout,
  t7,
  t26,
  t26TwoWords,
  twoReaders('flag'),
  twoReaders('counters'),
  twoReaders('two-words'),
  twoDeferrals,
  eachPage,
  moved,
  advised,
];
