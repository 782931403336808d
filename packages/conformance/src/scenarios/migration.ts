/**
 * Migration: pages are copied only after nobody can write to them any more.
 */
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { migratePages, userStore } from '@mmu-gather/mm/stepped';
import { MOVED } from './outcomes.ts';
import { type Mapping, mappingOf, noWait, PAGE, setStage, type Stage } from './stage.ts';

interface TwoPages extends Stage {
  readonly p0: Mapping;
  readonly p1: Mapping;
}

const running = defineScenario<TwoPages>({
  id: 'migration/running-thread',
  title: 'two pages move while a running thread may be writing to them: one flush, then the copies',
  source: 'mm/migrate.c migrate_pages_batch (6.3 on)',
  cpus: 2,
  setup(run) {
    const stage = setStage(run);
    return { ...stage, p0: mappingOf(run, stage.mm, 0), p1: mappingOf(run, stage.mm, PAGE) };
  },
  threads: ({ mm, p0, p1 }) => [
    thread((cpu) =>
      migratePages(cpu, [
        { page: p0.page, mm, address: 0 },
        { page: p1.page, mm, address: PAGE },
      ]),
    ),
  ],
  sometimes: [MOVED],
  twins: [
    {
      id: 'migration/running-thread/copy-first',
      why: 'a page is copied before the deferred flush: what is written meanwhile stays behind',
      oracle: ['O13', 'O6'],
      property: 'LOSTW',
      profile: { migrateFlush: 'after-copy' },
    },
    noWait('migration/running-thread'),
  ],
});

const store = defineScenario<TwoPages>({
  id: 'migration/store',
  title: 'a page moves while a thread stores to it: the fault waits, and the store reaches the new page',
  source: 'mm/migrate.c',
  cpus: 2,
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    return { ...stage, p0: mappingOf(run, stage.mm, 0), p1: mappingOf(run, stage.mm, 0) };
  },
  threads: ({ mm, p0 }) => [
    thread((cpu) => migratePages(cpu, [{ page: p0.page, mm, address: 0 }])),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
    }),
  ],
  sometimes: [MOVED],
  twins: [
    {
      id: 'migration/store/copy-first',
      why: 'the page is copied before the deferred flush, and the store goes into the old one',
      oracle: ['O13', 'O6', 'O1'],
      property: 'LOSTW',
      profile: { migrateFlush: 'after-copy' },
    },
  ],
});

/** All of them. */
export const MIGRATION: readonly AnyScenario[] = [running, store];
