/**
 * Lazy MMU sections of sparc64: what is collected in them is one CPU's, and done before a lock is dropped.
 *
 *     I4   a batch is empty outside of sections
 */
import {
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cpu,
  preemptible,
  type Steps,
  thisRq,
} from '@mmu-gather/core/stepped';
import { ptepGetAndClear, shrinkPages } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type Mapping, mappingOf, PAGE, setStage, type Stage } from './stage.ts';

const ONLY = { archs: ['sparc64'], why: 'it is about its batches' };

/** Two pages in two tables. */
interface TwoTables extends Stage {
  readonly outer: Mapping;
  readonly inner: Mapping;
}

/** A section in a section, each under the lock of its own table; who ends the inner one drops his lock, and frees his page. */
function* nestedSections(cpu: Cpu, { mm, outer, inner }: TwoTables): Steps<void> {
  yield* cpu.spinLock(outer.ptl);
  yield* archEnterLazyMmuMode(cpu);
  yield* ptepGetAndClear(cpu, mm, 0, outer.pte);
  yield* cpu.spinLock(inner.ptl);
  yield* archEnterLazyMmuMode(cpu);
  yield* ptepGetAndClear(cpu, mm, 2 * PAGE, inner.pte);
  yield* archLeaveLazyMmuMode(cpu);
  yield* cpu.spinUnlock(inner.ptl);
  yield* cpu.free('page', inner.page);
  yield* archLeaveLazyMmuMode(cpu);
  yield* cpu.spinUnlock(outer.ptl);
  yield* cpu.free('page', outer.page);
}

const nested = defineScenario<TwoTables>({
  id: 'sparc64/nested-sections',
  title: 'a section in a section: the end of the inner one drains, and the mode stays on',
  source: '1a10a44dfc1d (2025), rework of 2025-12; sheet T11',
  cpus: 2,
  only: ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: { sparc64: { batchNr: 3 } },
  setup(run) {
    const stage = setStage(run, { pages: 3, touched: [0, 2] });
    return { ...stage, outer: mappingOf(run, stage.mm, 0), inner: mappingOf(run, stage.mm, 2 * PAGE) };
  },
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

/** A page that reclaim is about to take. */
interface Reclaimed extends Stage {
  readonly p0: Mapping;
}

const preempted = defineScenario<Reclaimed>({
  id: 'sparc64/preempted-section',
  title: 'a task begins a section for addresses of the kernel, without a lock, and another one runs on its CPU then',
  source: 'a1d416bf9faf (2025), R. Roberts, 2025-03-03; bug B50',
  cpus: 2,
  only: ONLY,
  profile: { lazyMmuNesting: 'none' },
  backend: { sparc64: { lazyMmuPreemption: false } },
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    return { ...stage, p0: mappingOf(run, stage.mm, 0) };
  },
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
