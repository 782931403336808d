/**
 * Economy: what a flush must not drop, and whom it must not interrupt. Not searched, and no part of the suite: executions on fixed schedules
 * (schedule.ts), whose TLB work is counted (mutants). They are larger than what is searched, so that there is more than the range of a flush:
 *
 *     CPU 0    runs the mm, and changes it
 *     CPU 1    runs it in user mode, all of its pages cached
 *     CPU 2    has gone idle, and borrows it lazily
 *     CPU 3    has run it, and runs another mm now: both are cached, each under its own ASID where there are such. Its thread counts as a user
 *
 * The mm has twelve pages in three tables of four.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type AddressSpace,
  AGGRESSIVE,
  type Cpu,
  type Geometry,
  getPage,
  type Mm,
  PAGE_SHIFT,
  pteWrprotect,
  putPage,
  type Profile,
  type Steps,
  tlbFinishMmu,
  tlbFlushMmu,
  tlbGatherMmu,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  allocMapping,
  changeProtNuma,
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  contextSwitch,
  dupMm,
  exitMm,
  fileBacking,
  filemapAdd,
  hugepageMadvise,
  MADV_COLD,
  madvise,
  madviseDontneed,
  migratePages,
  mmAlloc,
  mmap,
  mmput,
  mprotect,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  pageMarkDirty,
  remapPfnRange,
  secondaryFault,
  shrinkPages,
  tlbBatch,
  truncatePagecache,
  tryToUnmapFlush,
  tryToUnmapOne,
  unmapPageRange,
  userLoad,
  userStore,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { changeDeferred } from './deferred-change.ts';
import { MASK } from './rfc-mask.ts';
import { type Mapping, mappingOf, PAGE, RW_MEMORY, setStage, type Stage, syscall, toUser } from './stage.ts';

const GEOMETRY: Geometry = { pageShift: PAGE_SHIFT, bits: [2, 2] };
const PAGES = 12;

/** A gather is full after two pages, and so is its batch of tables. */
const SMALL_BATCHES: Partial<Profile> = { gatherBatch: { bundle: 2, batch: 2, batches: 0, spare: 0 } };

/** What economy scenarios begin with. */
export interface Crowd extends Stage {
  /** What CPU 3 runs. */
  readonly other: Mm;
  /** Where page 0 of it is. */
  readonly others: Mapping;
  /** Of the mm's pages. */
  readonly mappings: readonly Mapping[];
}

function setCrowd(run: Run): Crowd {
  const stage = setStage(run, { pages: PAGES, running: [0, 1, 2, 3], inKernel: [3], lazy: [2] });
  const other = run(3, mmAlloc);
  run(3, (cpu) => contextSwitch(cpu, other));
  run(3, (cpu) => mmap(cpu, other, 0, 2 * PAGE, RW_MEMORY));
  for (const page of [0, 1]) run(3, (cpu) => userStore(cpu, other, page * PAGE, 1));
  const mappings = Array.from({ length: PAGES }, (_, page) => mappingOf(run, stage.mm, page * PAGE));
  return { ...stage, other, others: mappingOf(run, other, 0), mappings };
}

/** A frame of a driver is mapped, and read. @returns the frame */
function* mapFrame(cpu: Cpu, mm: Mm, address: number): Steps<Address> {
  const driver = yield* allocMapping(cpu);
  const frame = yield* cpu.alloc('page');
  yield* mmap(cpu, mm, address, PAGE, VM_READ | VM_SHARED | VM_PFNMAP, fileBacking(driver.address));
  yield* remapPfnRange(cpu, mm, vmaLookup(cpu, mm, address)!, address, frame, 1);
  yield* userLoad(cpu, mm, address);
  return frame;
}

/** Four pages of a new file are mapped shared, and read. */
function* mapFile(
  cpu: Cpu,
  mm: Mm,
  address: number,
): Steps<{ readonly file: AddressSpace; readonly pages: readonly Address[] }> {
  const file = yield* allocMapping(cpu);
  const pages: Address[] = [];
  for (const index of [0, 1, 2, 3]) pages.push(yield* filemapAdd(cpu, file, index, index));
  yield* mmap(cpu, mm, address, 4 * PAGE, VM_READ | VM_WRITE | VM_SHARED, fileBacking(file.address));
  for (const index of [0, 1, 2, 3]) yield* userLoad(cpu, mm, address + index * PAGE);
  return { file, pages };
}

/** The first page is dirty by its entry, the third by a call. */
function* reclaimMixed(cpu: Cpu, mm: Mm): Steps<void> {
  const { file, pages } = yield* mapFile(cpu, mm, 12 * PAGE);
  yield* userStore(cpu, mm, 12 * PAGE, 1);
  yield* pageMarkDirty(cpu, pages[2]!);
  yield* shrinkPages(
    cpu,
    pages.map((page, index) => ({ page, mm, address: (12 + index) * PAGE })),
    file,
  );
}

/** Two pages before the frame and three behind it go with it, and the driver takes it back. */
function* besideFrame(cpu: Cpu, mm: Mm): Steps<void> {
  const frame = yield* mapFrame(cpu, mm, 12 * PAGE);
  yield* mmap(cpu, mm, 13 * PAGE, 3 * PAGE, RW_MEMORY);
  for (const page of [13, 14, 15]) yield* userStore(cpu, mm, page * PAGE, page);
  yield* munmap(cpu, mm, 10 * PAGE, 6 * PAGE);
  yield* cpu.free('page', frame);
}

/** Reclaim takes a page's entry away; the page stays in the swap cache. */
function* swapOut(cpu: Cpu, mm: Mm, page: Address, address: number): Steps<void> {
  yield* getPage(cpu, page);
  yield* tryToUnmapOne(cpu, page, mm, address, null);
  yield* putPage(cpu, page);
}

/** Pages go in the order that is given, each with a flush of its own, by one gather. */
function* zapBackwards(cpu: Cpu, mm: Mm, pages: readonly number[]): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm);
  for (const page of pages) {
    yield* unmapPageRange(cpu, tlb, vmaLookup(cpu, mm, page * PAGE)!, page * PAGE, (page + 1) * PAGE, false);
    yield* tlbFlushMmu(cpu, tlb);
  }
  yield* tlbFinishMmu(cpu, tlb, 0, PAGES * PAGE);
}

/** To the other mm and back to this one: what was flushed meanwhile is compared, and what was not stays. */
function* thereAndBack(cpu: Cpu, { mm, other }: Crowd): Steps<void> {
  yield* contextSwitch(cpu, other);
  yield* contextSwitch(cpu, mm);
}

/**
 * Operations of CPU 0, one after the other, each a system call.
 * @param more what other CPUs do beside it, by their number
 */
export function economy(
  id: string,
  title: string,
  operations: (crowd: Crowd) => readonly ((cpu: Cpu) => Steps<unknown>)[],
  more: {
    readonly beside?: (crowd: Crowd) => readonly (((cpu: Cpu) => Steps<unknown>) | undefined)[];
    readonly profile?: Partial<Profile>;
    readonly huge?: boolean;
    /** Architectures that it is about. */
    readonly only?: AnyScenario['only'];
    /** Switches of backends. */
    readonly backend?: AnyScenario['backend'];
    /** Objects that there are more of. */
    readonly pools?: AnyScenario['pools'];
  } = {},
): AnyScenario {
  return defineScenario<Crowd>({
    id: `economy/${id}`,
    title,
    cpus: 4,
    geometry: GEOMETRY,
    pools: { mm: 4, vma: 12, page: 40, table: 12, ...more.pools },
    ...(more.only && { only: more.only }),
    ...(more.backend && { backend: more.backend }),
    ...(more.profile && { profile: more.profile }),
    setup: (run) => {
      const crowd = setCrowd(run);
      if (more.huge === true) run(0, (cpu) => hugepageMadvise(cpu, crowd.mm, 0, PAGES * PAGE));
      return crowd;
    },
    threads: (crowd) => [
      thread(function* (cpu) {
        for (const operation of operations(crowd)) yield* operation(cpu);
      }),
      ...(more.beside?.(crowd) ?? []).map((body) => body && thread(body)),
    ],
    twins: [],
  });
}

/** All of them. */
export const ECONOMY: readonly AnyScenario[] = [
  economy('munmap', 'pages are unmapped one after the other, and then a table with the last of them', ({ mm }) => [
    (cpu) => munmap(cpu, mm, PAGE, PAGE),
    (cpu) => munmap(cpu, mm, 2 * PAGE, 2 * PAGE),
    (cpu) => munmap(cpu, mm, 0, PAGE),
    (cpu) => munmap(cpu, mm, 5 * PAGE, PAGE),
  ]),
  economy(
    'batches',
    'pages of all tables are given back, a few at a time',
    ({ mm }) => [
      (cpu) => munmap(cpu, mm, 0, 5 * PAGE),
      (cpu) => madviseDontneed(cpu, mm, 5 * PAGE, 5 * PAGE),
      (cpu) => madviseDontneed(cpu, mm, 5 * PAGE, 5 * PAGE),
    ],
    { profile: SMALL_BATCHES },
  ),
  economy(
    'tables',
    'pages of a whole table are given back a few at a time, and then the table: the flush for it is of the table alone',
    ({ mm }) => [(cpu) => munmap(cpu, mm, 0, 4 * PAGE), (cpu) => munmap(cpu, mm, 4 * PAGE, 8 * PAGE)],
    { profile: SMALL_BATCHES },
  ),
  economy(
    'backwards',
    'one gather takes a page, flushes, and takes one before it: that is all that its second flush is for',
    ({ mm }) => [(cpu) => zapBackwards(cpu, mm, [5, 1])],
  ),
  economy(
    'driver',
    'memory beside frames of a driver goes a few pages at a time: frames need a flush of their own, other memory does not',
    ({ mm }) => [(cpu) => besideFrame(cpu, mm)],
    { profile: SMALL_BATCHES },
  ),
  economy('vmas', 'one call over VMAs with different rights', ({ mm }) => [
    (cpu) => mprotect(cpu, mm, 2 * PAGE, PAGE, VM_READ),
    (cpu) => mprotect(cpu, mm, 6 * PAGE, 2 * PAGE, VM_READ),
    (cpu) => madviseDontneed(cpu, mm, PAGE, 3 * PAGE),
    (cpu) => changeProtNuma(cpu, mm, 3 * PAGE, 10 * PAGE),
    (cpu) => munmap(cpu, mm, 5 * PAGE, 3 * PAGE),
  ]),
  economy('mprotect', 'rights are taken and given back', ({ mm }) => [
    (cpu) => mprotect(cpu, mm, PAGE, 2 * PAGE, VM_READ),
    (cpu) => mprotect(cpu, mm, PAGE, 2 * PAGE, RW_MEMORY),
    (cpu) => mprotect(cpu, mm, PAGE, 2 * PAGE, VM_READ),
    (cpu) => mprotect(cpu, mm, 5 * PAGE, PAGE, VM_READ),
  ]),
  economy('mremap', 'pages move within their mm', ({ mm }) => [
    (cpu) => mremap(cpu, mm, 0, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 12 * PAGE),
    (cpu) => mremap(cpu, mm, 4 * PAGE, 2 * PAGE, PAGE, MREMAP_MAYMOVE),
    (cpu) => mremap(cpu, mm, 8 * PAGE, 4 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 0),
  ]),
  economy('mremap-table', 'a whole table moves, while somebody faults elsewhere', ({ mm }) => [
    (cpu) => mremap(cpu, mm, 4 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 12 * PAGE),
  ]),
  economy(
    'waits',
    'a page moves to another frame, and entries change, while a program loads the one, and a device looks at the others',
    ({ mm, mappings }) => [
      (cpu) => migratePages(cpu, [{ page: mappings[1]!.page, mm, address: PAGE }]),
      (cpu) => clearRefsWrite(cpu, mm, CLEAR_REFS_SOFT_DIRTY),
    ],
    {
      beside: ({ mm }) => [
        function* (cpu) {
          yield* cpu.enterKernel();
          for (let n = 0; n < 24; n++) yield* userLoad(cpu, mm, PAGE);
          for (let n = 0; n < 8; n++) yield* secondaryFault(cpu, mm, n * PAGE);
        },
      ],
    },
  ),
  economy('fork-exit', 'a child is made, and both exit', ({ mm }) => [
    (cpu) => dupMm(cpu, mm),
    (cpu) => userStore(cpu, mm, PAGE, 7),
    (cpu) => exitMm(cpu),
  ]),
  economy(
    'exit',
    'all leave the mm; the last one tears it down a few pages at a time, while a CPU borrows it and another one has it in its TLB',
    ({ mm }) => [(cpu) => mmput(cpu, mm), (cpu) => exitMm(cpu)],
    {
      profile: SMALL_BATCHES,
      beside: () => [
        function* (cpu) {
          yield* cpu.enterKernel();
          yield* exitMm(cpu);
        },
      ],
    },
  ),
  economy(
    'exit-vmas',
    'an mm of several VMAs dies: it is flushed once, even where each VMA of a live one is flushed by itself',
    ({ mm }) => [
      (cpu) => mprotect(cpu, mm, 2 * PAGE, PAGE, VM_READ),
      (cpu) => mprotect(cpu, mm, 6 * PAGE, PAGE, VM_READ),
      (cpu) => mmput(cpu, mm),
      (cpu) => exitMm(cpu),
    ],
    {
      profile: { mergeVmas: false, fullmm: 'F0' },
      beside: () => [
        function* (cpu) {
          yield* cpu.enterKernel();
          yield* exitMm(cpu);
        },
      ],
    },
  ),
  economy(
    'written-out',
    'reclaim writes out a page of one mm, and then one of another: each is flushed on the CPUs of its own',
    ({ mm, other, mappings, others }) => [
      (cpu) =>
        shrinkPages(cpu, [
          { page: mappings[1]!.page, mm, address: PAGE },
          { page: others.page, mm: other, address: 0 },
        ]),
    ],
  ),
  economy(
    'sleeps',
    'a CPU without an mm of its own goes from one kernel thread to the next, before and after the mm that it borrows lost a table',
    ({ mm }) => [(cpu) => munmap(cpu, mm, 0, 4 * PAGE), (cpu) => munmap(cpu, mm, 4 * PAGE, PAGE)],
    {
      beside: () => [
        undefined,
        function* (cpu) {
          for (let n = 0; n < 6; n++) yield* contextSwitch(cpu, null);
        },
      ],
    },
  ),
  economy('reclaim', 'pages of two tables go out in two batches, and others are flushed after', ({ mm, mappings }) => {
    const rmap = (page: number) => ({ page: mappings[page]!.page, mm, address: page * PAGE });
    return [
      (cpu) => shrinkPages(cpu, [rmap(1), rmap(5)]),
      (cpu) => shrinkPages(cpu, [rmap(2)]),
      (cpu) => munmap(cpu, mm, 3 * PAGE, PAGE),
      (cpu) => madviseDontneed(cpu, mm, 2 * PAGE, PAGE),
    ];
  }),
  economy(
    'reclaim-recorded',
    'a page is given back before the batch of reclaim, which has taken another one, is flushed: both are on record, so no others are flushed',
    ({ mm, mappings }) => [
      function* (cpu) {
        const batch = tlbBatch();
        const { page } = mappings[1]!;
        yield* getPage(cpu, page);
        yield* tryToUnmapOne(cpu, page, mm, PAGE, batch);
        yield* madviseDontneed(cpu, mm, 2 * PAGE, PAGE);
        yield* tryToUnmapFlush(cpu, batch);
        yield* putPage(cpu, page);
      },
    ],
    {
      only: { archs: ['x86'], why: 'elsewhere reclaim defers nothing that only generations tell of' },
      profile: { ...AGGRESSIVE, ringSlots: 4, batchFlush: 'each-mm' },
      backend: { x86: { completedGen: 'after-flush' } },
    },
  ),
  economy(
    'reclaim-mixed',
    'reclaim takes pages of a file: after one that was written out, a clean one, and one whose entry is clean, which needs no flush before its IO, another clean one',
    ({ mm }) => [(cpu) => reclaimMixed(cpu, mm)],
  ),
  economy('truncate', 'a file loses all its pages at once: they are unmapped by one gather', ({ mm }) => [
    function* (cpu) {
      const { file } = yield* mapFile(cpu, mm, 12 * PAGE);
      yield* truncatePagecache(cpu, file, 0);
    },
  ]),
  economy(
    'reclaim-elsewhere',
    'reclaim takes pages of an mm that another CPU runs, and of its own',
    ({ mm, other, mappings }) => [
      (cpu) => shrinkPages(cpu, [{ page: mappings[1]!.page, mm, address: PAGE }]),
      (cpu) => contextSwitch(cpu, other),
      (cpu) => shrinkPages(cpu, [{ page: mappings[2]!.page, mm, address: 2 * PAGE }]),
      (cpu) => contextSwitch(cpu, mm),
      (cpu) => munmap(cpu, mm, 3 * PAGE, PAGE),
    ],
  ),
  economy(
    'nested',
    'two CPUs give back what lies apart, and what is the same',
    ({ mm }) => [
      (cpu) => madviseDontneed(cpu, mm, PAGE, PAGE),
      (cpu) => madviseDontneed(cpu, mm, 8 * PAGE, PAGE),
      (cpu) => madviseDontneed(cpu, mm, 9 * PAGE, PAGE),
    ],
    {
      beside: ({ mm }) => [
        function* (cpu) {
          yield* syscall(cpu, () => madviseDontneed(cpu, mm, 5 * PAGE, PAGE));
          yield* syscall(cpu, () => madviseDontneed(cpu, mm, 8 * PAGE, PAGE));
          yield* syscall(cpu, () => madviseDontneed(cpu, mm, 10 * PAGE, PAGE));
        },
      ],
    },
  ),
  economy(
    'behind',
    'CPUs that were away come back after some flushes, and are flushed again',
    ({ mm }) => [
      (cpu) => madviseDontneed(cpu, mm, 0, PAGE),
      (cpu) => madviseDontneed(cpu, mm, 2 * PAGE, PAGE),
      (cpu) => cpu.kernel.backend.flushTlbPage(cpu, mm, 3 * PAGE),
      (cpu) => munmap(cpu, mm, 4 * PAGE, 4 * PAGE),
      (cpu) => madviseDontneed(cpu, mm, 9 * PAGE, 2 * PAGE),
    ],
    {
      beside: (crowd) => [
        undefined,
        (cpu) => toUser(cpu, crowd.mm),
        function* (cpu) {
          yield* contextSwitch(cpu, crowd.mm);
          yield* thereAndBack(cpu, crowd);
          yield* cpu.enterUser();
        },
      ],
    },
  ),
  economy(
    'switches',
    'a CPU goes to another mm and back, and to no mm and back; nothing was flushed, and then something was',
    (crowd) => [
      (cpu) => thereAndBack(cpu, crowd),
      (cpu) => contextSwitch(cpu, null),
      (cpu) => contextSwitch(cpu, crowd.mm),
      (cpu) => madviseDontneed(cpu, crowd.mm, PAGE, PAGE),
      (cpu) => thereAndBack(cpu, crowd),
      function* (cpu) {
        const third = yield* mmAlloc(cpu);
        yield* contextSwitch(cpu, third);
        yield* contextSwitch(cpu, crowd.mm);
      },
    ],
  ),
  economy(
    'batch-mask',
    "a lazy CPU, which reclaim's flush leaves out, leaves the mm when tables go: nobody flushes for it any more",
    ({ mm, mappings }) => [
      (cpu) => shrinkPages(cpu, [{ page: mappings[1]!.page, mm, address: PAGE }]),
      (cpu) => munmap(cpu, mm, 4 * PAGE, 4 * PAGE),
      (cpu) => madviseDontneed(cpu, mm, 9 * PAGE, PAGE),
      (cpu) => madviseDontneed(cpu, mm, 10 * PAGE, PAGE),
    ],
    { profile: MASK },
  ),
  economy('deferred', 'one entry after the other changes its rights under its lock, and is flushed late', (crowd) => [
    (cpu) => changeDeferred(cpu, crowd.mm, crowd.mappings[1]!, PAGE, pteWrprotect),
    (cpu) => userStore(cpu, crowd.mm, PAGE, 9),
    (cpu) => userStore(cpu, crowd.mm, 2 * PAGE, 9),
    (cpu) => changeDeferred(cpu, crowd.mm, crowd.mappings[6]!, 6 * PAGE, pteWrprotect),
    (cpu) => munmap(cpu, crowd.mm, 6 * PAGE, PAGE),
  ]),
  economy(
    'huge',
    'a huge page is made by a fault, comes back after a hint, loses rights with a small one before it, and goes with one behind it',
    ({ mm }) => [
      (cpu) => munmap(cpu, mm, 4 * PAGE, 4 * PAGE),
      (cpu) => mmap(cpu, mm, 4 * PAGE, 4 * PAGE, RW_MEMORY),
      (cpu) => hugepageMadvise(cpu, mm, 4 * PAGE, 4 * PAGE),
      (cpu) => userStore(cpu, mm, 5 * PAGE, 5),
      (cpu) => changeProtNuma(cpu, mm, 4 * PAGE, 8 * PAGE),
      (cpu) => userStore(cpu, mm, 5 * PAGE, 6),
      (cpu) => mprotect(cpu, mm, 3 * PAGE, 5 * PAGE, VM_READ),
      (cpu) => munmap(cpu, mm, 4 * PAGE, 5 * PAGE),
    ],
    {
      only: {
        archs: ['x86', 'arm64', 'powerpc-radix', 's390', 'sparc64', 'riscv'],
        why: 'it is about huge pages, which the hash MMU has not with small pages of 4 KiB',
      },
      // So many pages are flushed one by one.
      backend: { 'powerpc-radix': { ceiling: 8, localCeiling: 8 } },
    },
  ),
  economy(
    'faults',
    'a page comes back from swap, after a hint, and young, and one is copied: the access that has faulted finds the new entry',
    ({ mm, mappings }) => [
      (cpu) => swapOut(cpu, mm, mappings[1]!.page, PAGE),
      (cpu) => userLoad(cpu, mm, PAGE),
      (cpu) => changeProtNuma(cpu, mm, 2 * PAGE, 3 * PAGE),
      (cpu) => userLoad(cpu, mm, 2 * PAGE),
      (cpu) => madvise(cpu, mm, 3 * PAGE, PAGE, MADV_COLD),
      (cpu) => userLoad(cpu, mm, 3 * PAGE),
      (cpu) => dupMm(cpu, mm),
      (cpu) => userStore(cpu, mm, 5 * PAGE, 9),
    ],
    { backend: { riscv: { svadu: false } } },
  ),
];
