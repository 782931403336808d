/**
 * ptep_clear_flush: whoever clears an entry and relies on it asks about what stood there, not about what stands there now.
 */
import { dupMm, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { setStage, type Stage } from './stage.ts';

const t13 = defineScenario<Stage>({
  id: 'T13/fixed',
  title:
    'a copy-on-write fault clears and flushes an entry that another thread uses: pte_accessible is asked about the old entry',
  source: 'RFC 2021 patch 9; mm/pgtable-generic.c ptep_clear_flush',
  cpus: 2,
  setup(run) {
    const stage = setStage(run, { pages: 1 });
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'T13/naive',
      why: 'the slot is asked, which is clear by then: nothing is flushed, and two threads use two pages (RFC 09, defect D2)',
      oracle: ['O9', 'O6'],
      property: 'LOSTW',
      profile: { accessibleEntry: 'slot' },
    },
  ],
});

/** All of them. */
export const CLEAR_FLUSH: readonly AnyScenario[] = [t13];
