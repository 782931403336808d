/**
 * Dirty tracking of a mapping: no write is missing in the next look, and secondary MMUs see nothing that is not flushed.
 */
import type { Body } from '@mmu-gather/checker';
import { VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  cleanRecordSharedMappingRange,
  secondaryFault,
  shrinkPages,
  userStore,
  wpSharedMappingRange,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread, type Twin } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { PAGE, syscall } from './stage.ts';

/** A writable shared mapping of a file. */
const SHARED = VM_READ | VM_WRITE | VM_SHARED;

function notFlushed(scenario: string): Twin<FileStage> {
  return {
    id: `${scenario}/no-flush`,
    why: 'entries change and nothing is flushed: writes go on that no bit tells of',
    oracle: ['O3', 'O2', 'O12'],
    property: 'LOSTW',
    profile: { dirtyHelpers: 'none' },
  };
}

const clean = defineScenario<FileStage>({
  id: 'dirty-helpers/clean-record',
  title: 'a driver collects dirty bits while a thread writes',
  source: 'mm/mapping_dirty_helpers.c clean_record_shared_mapping_range',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: ({ file }) => [thread((cpu) => cleanRecordSharedMappingRange(cpu, file, 0, 1))],
  twins: [notFlushed('dirty-helpers/clean-record')],
});

const cleanStore = defineScenario<FileStage>({
  id: 'dirty-helpers/clean-store',
  title: 'a driver collects dirty bits while a thread stores: each store is in this look or sets the bit again',
  source: 'mm/mapping_dirty_helpers.c clean_record_shared_mapping_range',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: ({ mm, file }) => [
    thread((cpu) => cleanRecordSharedMappingRange(cpu, file, 0, 1)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
      yield* cpu.enterUser(0);
    }),
  ],
  twins: [notFlushed('dirty-helpers/clean-store')],
});

/** Write-protects, and relies on it. */
function protect({ mm, file }: FileStage): Body {
  return thread(function* (cpu) {
    yield* wpSharedMappingRange(cpu, file, 0, 1);
    cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: PAGE }, 'read');
  });
}

const wp = defineScenario<FileStage>({
  id: 'dirty-helpers/write-protect',
  title: 'a driver write-protects a mapping while a thread writes',
  source: 'mm/mapping_dirty_helpers.c wp_shared_mapping_range',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: (env) => [protect(env)],
  twins: [notFlushed('dirty-helpers/write-protect')],
});

/** Two looks at once: the second finds the work done. */
function lookTwice({ file }: FileStage): readonly Body[] {
  return [
    thread((cpu) => cleanRecordSharedMappingRange(cpu, file, 0, 1)),
    thread((cpu) =>
      syscall(cpu, function* () {
        return (yield* cleanRecordSharedMappingRange(cpu, file, 0, 1)).length;
      }),
    ),
  ];
}

const nested = defineScenario<FileStage>({
  id: 'dirty-helpers/nested',
  title: 'two looks at once: the second finds entries clean already, and flushes all the same',
  source: 'mm/mapping_dirty_helpers.c wp_clean_post_vma',
  cpus: 2,
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: lookTwice,
  twins: [notFlushed('dirty-helpers/nested')],
});

const nestedGather = defineScenario<FileStage>({
  id: 'dirty-helpers/nested-gather',
  title: 'the same with an mmu_gather',
  source: 'RFC 2021 patch 4',
  cpus: 2,
  profile: { dirtyHelpers: 'gather', finishSync: 'none' },
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: lookTwice,
  twins: [
    {
      id: 'dirty-helpers/nested-gather/not-nested',
      why: 'the second look finishes without a flush: the page counts as clean while a CPU writes to it',
      oracle: ['O3', 'O10'],
      property: 'LOSTW',
      profile: { nestedFinish: 'none' },
    },
  ],
});

const reclaim = defineScenario<FileStage>({
  id: 'dirty-helpers/reclaim',
  title: 'a look at a mapping of which reclaim has cleared an entry and not flushed it',
  source: 'RFC 2021 patch 13',
  cpus: 2,
  profile: { helpersSettle: true, batchedPending: 'counters' },
  setup: (run) => setFileStage(run, { flags: SHARED, store: true }),
  threads: ({ mm, file, pages }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: pages[0]!, mm, address: 0 }])),
    thread((cpu) =>
      syscall(cpu, function* () {
        yield* wpSharedMappingRange(cpu, file, 0, 1);
        cpu.claim.settled(cpu.read(mm.pgd), 0);
        cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: PAGE }, 'read');
        return 0;
      }),
    ),
  ],
  twins: [
    {
      id: 'dirty-helpers/reclaim/as-in-linux',
      why: 'the entry is gone, so nothing is done, while a CPU still writes; reclaim never sees the pages of the one user',
      oracle: ['O2', 'O3', 'O9', 'O10'],
      property: 'LOSTW',
      profile: { helpersSettle: false },
    },
  ],
});

const secondary = defineScenario<FileStage>({
  id: 'rfc/D12/fixed',
  title: 'a secondary MMU maps a page as soon as dirty tracking lets it: nobody may still use what was there before',
  source: 'RFC 2021 patch 4; mm/mapping_dirty_helpers.c wp_clean_post_vma',
  cpus: 3,
  profile: { dirtyHelpers: 'gather' },
  setup: (run) => setFileStage(run, { flags: SHARED, store: true, running: [0, 1, 2], inKernel: [1] }),
  threads: ({ mm, file }) => [
    thread((cpu) => wpSharedMappingRange(cpu, file, 0, 1)),
    thread((cpu) => secondaryFault(cpu, mm, 0)),
  ],
  twins: [
    {
      id: 'rfc/D12',
      why: 'the notifier ends before the flush: the secondary MMU goes on while a CPU writes through the old entry',
      oracle: 'O9',
      property: 'SAC',
      profile: { notifierEnd: 'before-flush' },
    },
  ],
});

const secondaryPending = defineScenario<FileStage>({
  id: 'dirty-helpers/secondary',
  title: 'the same with the pending counter',
  source: 'mm/mapping_dirty_helpers.c wp_clean_post_vma',
  cpus: 3,
  setup: (run) => setFileStage(run, { flags: SHARED, store: true, running: [0, 1, 2], inKernel: [1] }),
  threads: ({ mm, file }) => [
    thread((cpu) => wpSharedMappingRange(cpu, file, 0, 1)),
    thread((cpu) => secondaryFault(cpu, mm, 0)),
  ],
  twins: [
    {
      id: 'dirty-helpers/secondary/end-first',
      why: 'the notifier ends before the flush',
      oracle: 'O9',
      property: 'SAC',
      profile: { notifierEnd: 'before-flush' },
    },
  ],
});

/** All of them. */
export const DIRTY_HELPERS: readonly AnyScenario[] = [
  clean,
  cleanStore,
  wp,
  nested,
  nestedGather,
  reclaim,
  secondary,
  secondaryPending,
];
