/**
 * clear_refs: after its return a write faults, so that no page changes without a mark.
 */
import type { Body } from '@mmu-gather/checker';
import type { Profile } from '@mmu-gather/core/stepped';
import {
  CLEAR_REFS_MM_HIWATER_RSS,
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  madviseDontneed,
  secondaryFault,
  shrinkPages,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread, type Twin } from '../scenario.ts';
import { PAGE, setStage, type Stage, type Page0, withPage0 } from './stage.ts';

/** Write-protects for soft-dirty tracking, and relies on it. */
function track({ mm }: Stage): Body {
  return thread(function* (cpu) {
    yield* clearRefsWrite(cpu, mm, CLEAR_REFS_SOFT_DIRTY);
    cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: 2 * PAGE }, 'read');
  });
}

/** As up to 5.11.0. */
function noneNoted(scenario: string): Twin<Stage> {
  return {
    id: `${scenario}/none-noted`,
    why: 'a gather that nothing is noted in flushes nothing: writes go on without a mark',
    oracle: ['O2', 'O10', 'O12'],
    property: 'SAC',
    profile: { clearRefs: 'flush-if-nested' },
  };
}

const running = defineScenario<Stage>({
  id: 'clear-refs/running-thread',
  title: 'clear_refs while a thread writes',
  source: 'fs/proc/task_mmu.c; "mm: proc: Avoid fullmm flush for young/dirty bit toggling" (5.11.14)',
  cpus: 2,
  profile: { clearRefs: 'pending-mm' },
  setup: (run) => setStage(run),
  threads: (env) => [track(env)],
  twins: [noneNoted('clear-refs/running-thread')],
});

const gather = defineScenario<Stage>({
  id: 'clear-refs/gather',
  title: 'clear_refs with an mmu_gather, while a thread writes',
  source: 'RFC 2021 patch 6, corrected',
  cpus: 2,
  profile: { clearRefs: 'gather' },
  setup: (run) => setStage(run),
  threads: (env) => [track(env)],
  twins: [noneNoted('clear-refs/gather')],
});

const reclaim = defineScenario<Page0>({
  id: 'clear-refs/reclaim',
  title: 'clear_refs beside reclaim, which has cleared an entry and not flushed it',
  source: 'RFC 2021 patches 6 and 13',
  cpus: 3,
  profile: { clearRefs: 'gather', batchedPending: 'counters', helpersSettle: true },
  setup: (run) => withPage0(run, setStage(run, { touched: [0], running: [0, 1, 2] })),
  threads: (env) => [
    thread((cpu) => shrinkPages(cpu, [{ page: env.p0.page, mm: env.mm, address: 0 }])),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* track(env)(cpu);
    }),
  ],
  twins: [
    {
      id: 'clear-refs/reclaim/unseen',
      why: 'reclaim leaves nothing to see: clear_refs finds no entry, and returns while a CPU can write',
      oracle: ['O2', 'O10'],
      property: 'SAC',
      profile: { batchedPending: 'none' },
    },
    {
      id: 'clear-refs/reclaim/not-settled',
      why: 'a gather flushes what it noted, and that was nothing; the flush of the whole mm covered this (RFC 06 before 13)',
      where: { profile: { nestedFinish: 'whole-mm' } },
      oracle: ['O2', 'O10'],
      property: 'SAC',
      profile: { helpersSettle: false },
    },
  ],
});

/** A secondary MMU maps a page that clear_refs makes read-only. */
function secondary(id: string, title: string, source: string, clearRefs: Profile['clearRefs']): AnyScenario {
  return defineScenario<Stage>({
    id,
    title,
    source,
    cpus: 3,
    // One flush, when the gather finishes.
    profile: { clearRefs, clearRefsNotifierEnd: 'after-flush', mergeVmas: true },
    setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2], inKernel: [1] }),
    threads: ({ mm }) => [
      thread((cpu) => clearRefsWrite(cpu, mm, CLEAR_REFS_SOFT_DIRTY)),
      thread((cpu) => secondaryFault(cpu, mm, 0)),
    ],
    twins: [
      {
        id: `${id}/as-in-linux`,
        why: 'the notifier ends before the flush: a secondary MMU that takes the page for unchanging would be wrong',
        oracle: 'O9',
        property: 'SAC',
        profile: { clearRefsNotifierEnd: 'before-flush' },
      },
    ],
  });
}

const secondaries = [
  secondary(
    'clear-refs/secondary',
    'a secondary MMU maps a page as soon as clear_refs lets it: nobody may still use what was there before',
    'fs/proc/task_mmu.c clear_refs_write; RFC 2021 patch 4, defect D12',
    'pending-mm',
  ),
  secondary(
    'clear-refs/secondary-gather',
    'the same where clear_refs flushes by a gather: the notifier ends when the gather has finished',
    'RFC 2021 patches 4 and 6, defect D12',
    'gather',
  ),
];

const t29 = defineScenario<Stage>({
  id: 'T29/fixed',
  title: 'clear_refs that only resets a counter, beside a gather: the pending counter comes back to 0',
  source: 'RFC 2021 patch 6',
  cpus: 2,
  profile: { clearRefs: 'gather' },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => clearRefsWrite(cpu, mm, CLEAR_REFS_MM_HIWATER_RSS)),
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
  ],
  twins: [
    {
      id: 'T29/naive',
      why: 'it finishes a gather that it did not open: the counter underflows, and nested tests are wrong from then on',
      oracle: 'O16',
      property: 'MISS',
      profile: { clearRefs: 'gather-unpaired' },
    },
  ],
});

/** All of them. */
export const CLEAR_REFS: readonly AnyScenario[] = [running, gather, reclaim, ...secondaries, t29];
