/**
 * Lazy MMU mode: what an architecture collects while entries change is done before their lock is dropped. x86 collects nothing; the
 * contract is the same, and is checked on every architecture.
 */
import { VM_READ } from '@mmu-gather/core/stepped';
import { madviseDontneed, mprotect } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage, syscall } from './stage.ts';

const sections = defineScenario<Stage>({
  id: 'lazy-mmu/sections',
  title: 'two system calls that change the entries of a table, each in a section under its lock',
  source: 'include/linux/pgtable.h arch_enter_lazy_mmu_mode; N. Piggin, 2021-02-02',
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => mprotect(cpu, mm, 0, PAGE, VM_READ)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'lazy-mmu/sections/after-unlock',
      why: 'the section ends after the lock is dropped: who takes it next may set an entry that is still in the hash table',
      oracle: 'O16',
      property: 'ORD',
      profile: { leaveLazyMmu: 'after-unlock' },
    },
  ],
});

/** All of them. */
export const LAZY_MMU: readonly AnyScenario[] = [sections];
