/**
 * Page frames without struct page: a driver takes them back while an mm that maps them unmaps them, or uses them.
 */
import type { Body, Run } from '@mmu-gather/checker';
import {
  type Address,
  type AddressSpace,
  type Cpu,
  type Entry,
  entryFlags,
  mkEntry,
  type Mm,
  putPage,
  type Steps,
} from '@mmu-gather/core/stepped';
import {
  allocMapping,
  allocZeroedPage,
  contextSwitch,
  fileBacking,
  filemapAdd,
  filemapGetLocked,
  filemapRemove,
  mmAlloc,
  mmap,
  munmap,
  pageAddNewAnonRmap,
  ptepGet,
  setPteAt,
  truncatePagecache,
  unlockPage,
  unmapMappingRange,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type MappedStage, setMappedStage, setPfnmapStage } from './mapping-stage.ts';
import { type Mapping, mappingOf, PAGE, RW_MEMORY, syscall } from './stage.ts';

/** The driver takes its frame back: it unmaps it everywhere, then uses it for something else. */
function revoke({ mapping, pages }: MappedStage): Body {
  return thread((cpu) =>
    syscall(cpu, function* () {
      yield* unmapMappingRange(cpu, mapping, 0, 1, true);
      yield* cpu.free('page', pages[0]!);
      return 0;
    }),
  );
}

/** munmap of the driver's VMA and an ordinary one beside it, while the driver takes its frame back. */
const T15 = {
  title: 'munmap of two VMAs, one without struct pages, while the driver takes the frames back',
  cpus: 2,
  setup(run: Run): MappedStage {
    const stage = setPfnmapStage(run);
    run(0, (cpu) => mmap(cpu, stage.mm, PAGE, PAGE, RW_MEMORY));
    run(0, (cpu) => userStore(cpu, stage.mm, PAGE, 2));
    return stage;
  },
  threads: (env: MappedStage): Body[] => [thread((cpu) => munmap(cpu, env.mm, 0, 2 * PAGE)), revoke(env)],
};

const t15 = defineScenario<MappedStage>({
  ...T15,
  id: 'T15/fixed',
  source: 'CVE-2022-39188, b67fbebd4cf9 (2022); bug B17',
  profile: { pfnmapFlush: 'vma-end' },
  twins: [
    {
      id: 'T15/naive',
      why: 'the VMA is unlinked before its entries are flushed: the driver finds no mapping and reuses the frame',
      oracle: 'O1',
      property: 'FUAF',
      profile: { pfnmapFlush: 'none' },
    },
  ],
});

const t15Unlink = defineScenario<MappedStage>({
  ...T15,
  id: 'T15/unlink/once',
  title: 'the same with one flush for all VMAs that go, just before they are unlinked',
  source: 'mm/memory.c free_pgtables, include/asm-generic/tlb.h tlb_free_vmas (6.16)',
  profile: { pfnmapFlush: 'unlink' },
  twins: [
    {
      id: 'T15/unlink/late',
      why: 'the flush comes when the gather is finished: the VMAs were unlinked before',
      oracle: 'O1',
      property: 'FUAF',
      profile: { pfnmapFlush: 'none' },
    },
  ],
});

const perVma = defineScenario<MappedStage>({
  id: 'pfnmap/flush-per-vma',
  title: 'the same where each VMA is flushed by itself: nothing else is needed',
  source: 'include/asm-generic/tlb.h without MMU_GATHER_MERGE_VMAS',
  cpus: 2,
  profile: { pfnmapFlush: 'none', mergeVmas: false },
  setup: (run) => setPfnmapStage(run),
  threads: (env) => [thread((cpu) => munmap(cpu, env.mm, 0, PAGE)), revoke(env)],
  twins: [
    {
      id: 'pfnmap/flush-per-vma/merged',
      why: 'ranges of neighbouring VMAs are merged, so the flush comes after the VMA was unlinked',
      oracle: 'O1',
      property: 'FUAF',
      profile: { mergeVmas: true },
    },
  ],
});

const revokeInUse = defineScenario<MappedStage>({
  id: 'pfnmap/revoke-in-use',
  title: 'a driver takes a frame back that a running thread uses',
  source: 'mm/memory.c unmap_mapping_range',
  cpus: 2,
  setup: (run) => setPfnmapStage(run, { inKernel: [1] }),
  threads: ({ mm, mapping, pages }) => [
    thread(function* (cpu) {
      yield* unmapMappingRange(cpu, mapping, 0, 1, true);
      yield* cpu.free('page', pages[0]!);
    }),
    thread((cpu) => userLoad(cpu, mm, 0)),
  ],
  twins: [
    {
      id: 'pfnmap/revoke-in-use/no-ipi-wait',
      why: 'the initiator does not wait until its flush took effect everywhere',
      oracle: ['O1', 'O10', 'O11'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
  ],
});

const truncateFault = defineScenario<MappedStage>({
  id: 'truncate/fault',
  title: 'a file is truncated while a thread faults its page in again',
  source: 'mm/truncate.c truncate_pagecache',
  cpus: 2,
  setup: (run) => setMappedStage(run, { stored: [], inKernel: [1] }),
  threads: ({ mm, mapping }) => [
    thread((cpu) => truncatePagecache(cpu, mapping, 0)),
    thread((cpu) => userStore(cpu, mm, 0, 7)),
  ],
  // Whoever came first: the page is out of the file, nobody maps it, and its last reference is gone.
  final: (peek, { mapping, pages }) =>
    peek(mapping.pages) === 0 && peek(pages[0]!) === 0 ? undefined : 'the truncated page is still there',
  twins: [
    {
      id: 'truncate/fault/no-ipi-wait',
      why: 'the initiator does not wait until its flush took effect everywhere',
      // A second flush may write the request of the first while it is read.
      oracle: ['O1', 'O10', 'O11', 'race'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
  ],
});

interface Copying extends Mapping {
  readonly mm: Mm;
  readonly file: AddressSpace;
  /** The private copy, which nobody maps yet. */
  readonly copy: Address;
  /** The entry that will map it. */
  readonly entry: Entry;
}

/** A fault on CPU 1 has found the page of a file, has locked it, and has made a private copy of it. CPU 0 never ran the mm. */
function copying(run: Run): Copying {
  const file = run(0, allocMapping);
  run(0, (cpu) => filemapAdd(cpu, file, 0, 100));
  const mm = run(1, mmAlloc);
  run(1, (cpu) => contextSwitch(cpu, mm));
  run(1, (cpu) => mmap(cpu, mm, 0, PAGE, RW_MEMORY, fileBacking(file.address)));
  run(1, (cpu) => mmap(cpu, mm, PAGE, PAGE, RW_MEMORY));
  run(1, (cpu) => userStore(cpu, mm, PAGE, 1));
  const beside = mappingOf(run, mm, PAGE);
  const flags = entryFlags(run(1, (cpu) => ptepGet(cpu, beside.pte)));
  const page = run(1, (cpu) => filemapGetLocked(cpu, file, 0));
  const copy = run(1, allocZeroedPage);
  return { ...beside, mm, file, pte: beside.pte - 1, page, copy, entry: mkEntry(copy, flags) };
}

/** The rest of that fault (finish_fault). */
function* finishCopy(cpu: Cpu, { mm, ptl, pte, page, copy, entry }: Copying): Steps<void> {
  yield* cpu.spinLock(ptl);
  pageAddNewAnonRmap(cpu, copy);
  yield* setPteAt(cpu, mm, 0, pte, entry);
  yield* cpu.spinUnlock(ptl);
  yield* unlockPage(cpu, page);
  yield* putPage(cpu, page);
}

/** Looks for mappings once, and takes the page out of its file. */
function* truncateOnce(cpu: Cpu, { file }: Copying): Steps<void> {
  yield* unmapMappingRange(cpu, file, 0, 1, true);
  const page = yield* filemapGetLocked(cpu, file, 0);
  yield* filemapRemove(cpu, file, 0, page);
  yield* unlockPage(cpu, page);
  for (let references = 0; references < 2; references++) yield* putPage(cpu, page);
}

const truncateCopy = defineScenario<Copying>({
  id: 'truncate/copy',
  title: 'a file is truncated while a fault maps a private copy of its page: that goes, too',
  source: 'mm/truncate.c truncate_pagecache: the second unmap_mapping_range',
  cpus: 2,
  setup: copying,
  threads: (env) => [thread((cpu) => truncatePagecache(cpu, env.file, 0)), thread((cpu) => finishCopy(cpu, env))],
  final: (peek, { pte }) => (peek(pte) === 0 ? undefined : 'the copy is still there'),
  twins: [
    {
      id: 'truncate/copy/once',
      why: 'mappings are looked for once, before the page has left the file',
      oracle: 'assert',
      threads: (env) => [thread((cpu) => truncateOnce(cpu, env)), thread((cpu) => finishCopy(cpu, env))],
    },
  ],
});

const truncateMunmap = defineScenario<MappedStage>({
  id: 'truncate/munmap',
  title: 'a file is truncated while one of its mappings goes, and a thread runs',
  source: 'mm/truncate.c truncate_pagecache',
  cpus: 2,
  setup: (run) => setMappedStage(run),
  threads: ({ mm, mapping }) => [
    thread((cpu) => munmap(cpu, mm, 0, PAGE)),
    thread((cpu) =>
      syscall(cpu, function* () {
        yield* truncatePagecache(cpu, mapping, 0);
        return 0;
      }),
    ),
  ],
  twins: [
    {
      id: 'truncate/munmap/free-first',
      why: 'pages and tables are freed before the flush',
      oracle: ['O1', 'O4'],
      property: 'FUAF',
      profile: { freePages: 'before-flush' },
    },
  ],
});

/** All of them. */
export const PFNMAP: readonly AnyScenario[] = [
  t15,
  t15Unlink,
  perVma,
  revokeInUse,
  truncateFault,
  truncateCopy,
  truncateMunmap,
];
