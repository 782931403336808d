/**
 * Lazy MMU sections of sparc64: what is collected in them is one CPU's, and done before a lock is dropped.
 *
 *     I4   a batch is empty outside of sections
 */
import { archEnterLazyMmuMode, archLeaveLazyMmuMode, preemptible, type Steps, thisRq } from '@mmu-gather/core/stepped';
import { shrinkPages } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { nestedSections, type TwoTables, twoTables } from './nested-sections.ts';
import { setStage, type Page0, withPage0 } from './stage.ts';

const ONLY = { archs: ['sparc64'], why: 'it is about its batches' };

const nested = defineScenario<TwoTables>({
  id: 'sparc64/nested-sections',
  title: 'a section in a section: the end of the inner one drains, and the mode stays on',
  source: '1a10a44dfc1d (2025), rework of 2025-12; sheet T11',
  cpus: 2,
  only: ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: { sparc64: { batchNr: 3 } },
  setup: twoTables,
  threads: (env) => [thread((cpu) => nestedSections(cpu, env))],
  twins: [
    {
      id: 'sparc64/nested-sections/refcount',
      why: 'only the end of the outermost section drains',
      oracle: 'O1',
      property: 'FUAF',
      profile: { lazyMmuNesting: 'refcount' },
    },
    {
      id: 'sparc64/nested-sections/flag',
      why: 'the mode is a flag, and the end of the inner section ends the outer one (set_ptes up to 6.14)',
      oracle: 'O16',
      property: 'ORD',
      profile: { lazyMmuNesting: 'none' },
    },
  ],
});

const preempted = defineScenario<Page0>({
  id: 'sparc64/preempted-section',
  title: 'a task begins a section for addresses of the kernel, without a lock, and another one runs on its CPU then',
  source: 'a1d416bf9faf (2025), R. Roberts, 2025-03-03; bug B50',
  cpus: 2,
  only: ONLY,
  profile: { lazyMmuNesting: 'none' },
  backend: { sparc64: { lazyMmuPreemption: false } },
  setup: (run) => withPage0(run, setStage(run, { touched: [0] })),
  threads: ({ mm, p0 }) => [
    thread(function* (cpu): Steps<void> {
      yield* archEnterLazyMmuMode(cpu);
      // The next task is in no section of its own.
      if (preemptible(cpu)) cpu.write(thisRq(cpu).lazyMmu, 0);
      else yield* archLeaveLazyMmuMode(cpu);
      yield* shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }]);
    }),
  ],
  twins: [
    {
      id: 'sparc64/preempted-section/as-up-to-6.14',
      why: "the CPU's flag stays on: what the other task changes outside of sections is collected, and nobody drains it",
      oracle: ['O1', 'O3', 'O9', 'O12'],
      property: 'FUAF',
      backend: { sparc64: { lazyMmuPreemption: true } },
    },
  ],
});

/** All of them. */
export const SPARC64_LAZY: readonly AnyScenario[] = [nested, preempted];
