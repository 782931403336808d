/**
 * powerpc's hash MMU: a task is preempted in a section of lazy MMU mode (up to 6.0), which is of its CPU.
 */
import { archEnterLazyMmuMode, archLeaveLazyMmuMode, type Cpu, thisRq } from '@mmu-gather/core/stepped';
import { ptepGetAndClear } from '@mmu-gather/mm/stepped';
import { type Hash } from '@mmu-gather/powerpc/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { claimGone, type KernelPage, mapKernelPages, mayMove, MOVED, NOT_YET, reserveWhere } from './moved-task.ts';
import { hash, HASH_ONLY, wrongHash } from './powerpc-hash-stage.ts';

/** `_TLF_LAZY_MMU`: the section begins again where the task goes on. */
function resumeSection(cpu: Cpu): void {
  cpu.write((cpu.kernel.backend as Hash).batches[cpu.id]!.active, 1);
  cpu.write(thisRq(cpu).lazyMmu, 1);
}

const drained = defineScenario<KernelPage>({
  id: 'lazy-mmu/moved',
  title:
    'a task is moved to another CPU in the middle of a section, and another one comes: __switch_to has done what was collected, and ended the section',
  source: 'arch/powerpc/kernel/process.c __switch_to (up to 6.19), _TLF_LAZY_MMU',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ lazyPreemption: true, switchDrains: true }),
  reserve: reserveWhere,
  setup: mapKernelPages,
  threads: ({ initMm, first, firstPte, second, secondPte, where }) => [
    thread(function* (cpu) {
      yield* archEnterLazyMmuMode(cpu);
      yield* ptepGetAndClear(cpu, initMm, first, firstPte);
      yield* mayMove(cpu, where);
      // Another task, in no section: its change is done at once.
      yield* ptepGetAndClear(cpu, initMm, second, secondPte);
      claimGone(cpu, second);
    }),
    thread(function* (cpu) {
      if ((yield* cpu.waitFor(where, 'notEqual', NOT_YET)) !== MOVED) return;
      resumeSection(cpu);
      yield* archLeaveLazyMmuMode(cpu);
      claimGone(cpu, first);
    }),
  ],
  twins: [
    wrongHash(
      'lazy-mmu/moved/not-drained',
      'what the task has collected stays behind, and so does its section',
      { switchDrains: false },
      ['O15'],
      'MISS',
    ),
  ],
});

/** All of them. */
export const POWERPC_HASH_SWITCHES: readonly AnyScenario[] = [drained];
