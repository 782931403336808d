/**
 * powerpc's hash MMU: a task that no lock keeps on its CPU moves amid a section, or as it begins one (B50).
 */
import {
  activateLazyBatch,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cpu,
  type LazyBatch,
  preemptDisable,
  type Steps,
  thisRq,
} from '@mmu-gather/core/stepped';
import { ptepGetAndClear } from '@mmu-gather/mm/stepped';
import type { Hash } from '@mmu-gather/powerpc/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { hash, HASH_ONLY, wrongHash } from './powerpc-hash-stage.ts';
import {
  claimGone,
  type KernelPage,
  mapKernelPages,
  mayMove,
  MOVED,
  NOT_YET,
  reserveWhere,
  STAYED,
} from './moved-task.ts';

const b50 = defineScenario<KernelPage>({
  id: 'bug:B50/fixed',
  bug: 'B50',
  title:
    'a task clears an entry of the kernel in a section, without a lock, and may be moved to another CPU before it ends',
  source: 'b9ef323ea168 (6.1); mm/memory.c apply_to_page_range; bug B50',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ lazyPreemption: false }),
  reserve: reserveWhere,
  setup: mapKernelPages,
  threads: ({ initMm, first, firstPte, where }) => [
    thread(function* (cpu): Steps<void> {
      yield* archEnterLazyMmuMode(cpu);
      yield* ptepGetAndClear(cpu, initMm, first, firstPte);
      if (yield* mayMove(cpu, where)) return;
      yield* archLeaveLazyMmuMode(cpu);
      claimGone(cpu, first);
    }),
    thread(function* (cpu): Steps<void> {
      if ((yield* cpu.waitFor(where, 'notEqual', NOT_YET)) !== MOVED) return;
      cpu.write(thisRq(cpu).lazyMmu, 1);
      yield* archLeaveLazyMmuMode(cpu);
      claimGone(cpu, first);
    }),
  ],
  twins: [
    wrongHash(
      'bug:B50/buggy',
      'the task leaves what it has collected behind, and ends its section with the empty batch of the other CPU',
      { lazyPreemption: true, switchDrains: false },
      ['O15'],
      'MISS',
    ),
  ],
});

/** this_cpu_ptr(&ppc64_tlb_batch). */
function batchOf(cpu: Cpu): LazyBatch {
  return (cpu.kernel.backend as Hash).batches[cpu.id]!;
}

const b50Enter = defineScenario<KernelPage>({
  id: 'bug:B50/enter/fixed',
  bug: 'B50',
  title: 'a task looks for the batch of its CPU to begin a section, and may be moved to another CPU before it does',
  source: 'b9ef323ea168 (6.1); arch_enter_lazy_mmu_mode of 6.0',
  cpus: 2,
  only: HASH_ONLY,
  backend: hash({ lazyPreemption: false }),
  reserve: reserveWhere,
  setup: mapKernelPages,
  threads: ({ initMm, first, firstPte, where }) => [
    thread(function* (cpu): Steps<void> {
      if (!(cpu.kernel.backend as Hash).switches.lazyPreemption) preemptDisable(cpu);
      const batch = batchOf(cpu);
      if (!(yield* mayMove(cpu, where))) {
        activateLazyBatch(cpu, batch);
        cpu.write(thisRq(cpu).lazyMmu, 1);
        yield* archLeaveLazyMmuMode(cpu);
      } else {
        yield* cpu.waitFor(where, 'equal', STAYED);
      }
      // Another task on this CPU, in no section: its change is done at once.
      yield* ptepGetAndClear(cpu, initMm, first, firstPte);
      claimGone(cpu, first);
    }),
    thread(function* (cpu): Steps<void> {
      if ((yield* cpu.waitFor(where, 'notEqual', NOT_YET)) !== MOVED) return;
      const batch = (cpu.kernel.backend as Hash).batches[0]!;
      yield* cpu.writeOnce(batch.active, 1);
      cpu.write(thisRq(cpu).lazyMmu, 1);
      yield* archLeaveLazyMmuMode(cpu);
      yield* cpu.storeRelease(where, STAYED);
    }),
  ],
  twins: [
    wrongHash(
      'bug:B50/enter/buggy',
      "the task begins the section of the CPU where it was: whoever runs there collects from now on, and nobody ends it (also with __switch_to's drain)",
      { lazyPreemption: true },
      ['O15'],
      'MISS',
    ),
  ],
});

/** All of them. */
export const POWERPC_HASH_MOVED: readonly AnyScenario[] = [b50, b50Enter];
