/**
 * powerpc's hash MMU: entries of the kernel that change amid a section, and must be gone at once.
 */
import {
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cpu,
  irqEnter,
  irqExit,
  lazyMmuModePause,
  lazyMmuModeResume,
  type Mm,
  type Steps,
} from '@mmu-gather/core/stepped';
import { ptepGetAndClear } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type Mapping, mappingOf, setStage } from './stage.ts';
import { hash, HASH_ONLY } from './powerpc-hash-stage.ts';
import { claimGone, type KernelPage, mapKernelPages, reserveWhere } from './moved-task.ts';

const interrupted = defineScenario<KernelPage>({
  id: 'lazy-mmu/interrupt',
  title: 'an interrupt in the middle of a section clears an entry of the kernel, and counts on its being done',
  source: 'K. Brodsky, 2025-12-15, v6 07/14 (in_interrupt); candidate P-D2',
  cpus: 2,
  only: HASH_ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: hash({ batch: 3 }),
  reserve: reserveWhere,
  setup: mapKernelPages,
  threads: ({ initMm, first, firstPte, second, secondPte }) => [
    thread(function* (cpu): Steps<void> {
      yield* archEnterLazyMmuMode(cpu);
      yield* ptepGetAndClear(cpu, initMm, first, firstPte);
      irqEnter(cpu);
      yield* ptepGetAndClear(cpu, initMm, second, secondPte);
      claimGone(cpu, second);
      irqExit(cpu);
      yield* archLeaveLazyMmuMode(cpu);
      claimGone(cpu, first);
    }),
  ],
  twins: [
    {
      id: 'lazy-mmu/interrupt/flag',
      why: 'the mode is a flag of the CPU: what the interrupt changes is collected with the rest, and not done when it returns (up to 6.19)',
      oracle: 'O15',
      property: 'SAC',
      profile: { lazyMmuNesting: 'none' },
    },
  ],
});

/** A page of the kernel, and one of a user whose entry a section has taken away. */
interface InSection extends KernelPage {
  readonly mm: Mm;
  readonly user: Mapping;
}

/** A section in whose middle an entry of the kernel goes, as the allocator of a sanitizer does it, which counts on its being done. */
function* kernelChangeInSection(cpu: Cpu, env: InSection, pauses: boolean): Steps<void> {
  const { initMm, first, firstPte, mm, user } = env;
  yield* cpu.spinLock(user.ptl);
  yield* archEnterLazyMmuMode(cpu);
  yield* ptepGetAndClear(cpu, mm, 0, user.pte);
  if (pauses) yield* lazyMmuModePause(cpu);
  yield* ptepGetAndClear(cpu, initMm, first, firstPte);
  claimGone(cpu, first);
  if (pauses) yield* lazyMmuModeResume(cpu);
  yield* archLeaveLazyMmuMode(cpu);
  yield* cpu.spinUnlock(user.ptl);
  yield* cpu.free('page', user.page);
}

const paused = defineScenario<InSection>({
  id: 'lazy-mmu/pause',
  title:
    'an entry of the kernel is taken away in the middle of a section for a user, and must be gone at once: the mode is paused',
  source: 'K. Brodsky, 2025-12-15, v6 07/14 (lazy_mmu_mode_pause, for kasan)',
  cpus: 2,
  only: HASH_ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: hash({ batch: 3 }),
  reserve: reserveWhere,
  setup(run, kernel) {
    const stage = setStage(run, { touched: [0] });
    return { ...mapKernelPages(run, kernel), mm: stage.mm, user: mappingOf(run, stage.mm, 0) };
  },
  threads: (env) => [thread((cpu) => kernelChangeInSection(cpu, env, true))],
  twins: [
    {
      id: 'lazy-mmu/pause/not-paused',
      why: 'it is collected with what the section collects, and used as if it were done',
      oracle: 'O15',
      property: 'SAC',
      threads: (env) => [thread((cpu) => kernelChangeInSection(cpu, env, false))],
    },
  ],
});

/** All of them. */
export const POWERPC_HASH_AT_ONCE: readonly AnyScenario[] = [interrupted, paused];
