/**
 * As much deferral as the oracles allow (AGGRESSIVE in core's profile/designs.ts): the places where it goes further than any kernel, and what
 * each would break if it went one step further still.
 */
import { AGGRESSIVE, type Profile } from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  dupMm,
  MADV_COLD,
  MADV_FREE,
  madvise,
  madviseDontneed,
  shrinkPages,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { changeDeferred } from './deferred-change.ts';
import { PAGE, setStage, type Stage, syscall, type Page0, withPage0 } from './stage.ts';

/** The profile, with a ring that is small enough to be explored. */
const SWITCHES: Partial<Profile> = { ...AGGRESSIVE, ringSlots: 4 };
const BACKEND = { x86: { completedGen: 'after-flush', needsFlushRule: 'rfc' } };

const aging = defineScenario<Page0>({
  id: 'aggressive/aging',
  title: 'MADV_COLD flushes nothing, MADV_FREE only what was dirty, and then reclaim drops the page',
  cpus: 2,
  profile: SWITCHES,
  backend: BACKEND,
  setup: (run) => withPage0(run, setStage(run)),
  threads: ({ mm, p0 }) => [
    thread(function* (cpu) {
      yield* madvise(cpu, mm, PAGE, PAGE, MADV_COLD);
      yield* madvise(cpu, mm, 0, PAGE, MADV_FREE);
      yield* shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }]);
    }),
  ],
  twins: [
    {
      id: 'aggressive/aging/none',
      why: 'MADV_FREE does not flush either: writes through a dirty entry leave no trace, and are lost',
      oracle: ['O3', 'O10'],
      property: 'LOSTW',
      profile: { agingFlush: 'none' },
    },
  ],
});

const fork = defineScenario<Stage>({
  id: 'aggressive/fork',
  title: 'fork flushes the range that lost the right to write, and then the parent breaks copy-on-write',
  cpus: 2,
  profile: SWITCHES,
  backend: BACKEND,
  setup: (run) => setStage(run, { touched: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* dupMm(cpu, mm);
      yield* userStore(cpu, mm, PAGE, 7);
    }),
  ],
  twins: [
    {
      id: 'aggressive/fork/none',
      why: 'fork does not flush: another thread writes to the page while it is copied',
      oracle: ['O9', 'O6', 'O12'],
      property: 'LOSTW',
      profile: { forkFlush: 'none' },
    },
  ],
});

const numa = defineScenario<Stage>({
  id: 'aggressive/numa',
  title: 'NUMA hinting flushes at its end: a hint that a CPU need not notice is none',
  cpus: 2,
  profile: SWITCHES,
  backend: BACKEND,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => changeProtNuma(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'aggressive/numa/never',
      why: 'it leaves the flush to whoever comes next, and nobody does',
      oracle: 'O12',
      property: 'MISS',
      profile: { changeProtection: 'none' },
    },
  ],
});

const overlap = defineScenario<Page0>({
  id: 'aggressive/overlapping-zaps',
  title: 'a zap finds its entry gone: it flushes what was changed in its range, by whom ever, and nothing else',
  cpus: 2,
  profile: SWITCHES,
  backend: BACKEND,
  setup: (run) => withPage0(run, setStage(run)),
  threads: ({ mm, p0 }) => [
    thread((cpu) => changeDeferred(cpu, mm, p0, 0, () => 0)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  // If CPU 0 was first, it keeps what the entry held.
  holds: ({ p0 }) => [{ object: p0.page, references: [0, 1], mappings: [0, 1] }],
  twins: [
    {
      id: 'aggressive/overlapping-zaps/recorded-late',
      why: 'changes are recorded when they are flushed: who finds an entry gone finds no record',
      oracle: ['O10', 'O11'],
      property: 'SAC',
      profile: { recordDeferral: 'flush' },
    },
  ],
});

const tableGone = defineScenario<Stage>({
  id: 'aggressive/table-gone',
  title: 'two threads zap all of a table: what was cleared in it is in the ring before it is unlinked',
  cpus: 2,
  profile: SWITCHES,
  backend: BACKEND,
  profiles: ['linux-6.18'],
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, 2 * PAGE))),
  ],
  twins: [
    {
      id: 'aggressive/table-gone/unlinked-first',
      why: 'the table is unlinked before: who finds no table finds no record, and flushes nothing',
      oracle: 'O10',
      property: 'SAC',
      profile: { unlinkTable: 'before-record' },
    },
  ],
});

/** All of them. */
export const AGGRESSIVE_SCENARIOS: readonly AnyScenario[] = [aging, fork, numa, overlap, tableGone];
