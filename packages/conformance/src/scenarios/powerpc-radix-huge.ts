/**
 * powerpc radix: a range that goes from base pages to a huge one, and back.
 */
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, doUserAddrFault, madviseDontneed, mmget } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { pinAndPut } from './gup-fast.ts';
import { setHugeStage } from './huge-stage.ts';
import { RADIX, radix } from './powerpc-radix-flush.ts';
import { keptPages, PAGE, setStage, type Stage, type Page0, withPage0 } from './stage.ts';

/** A table is unlinked and flushed as a collapse does it, and freed as soon as nobody may look at it with interrupts off. */
function* unlinkTable(cpu: Cpu, { mm, p0 }: Page0): Steps<void> {
  const { pmdpCollapseFlush } = cpu.kernel.backend.pte;
  yield* cpu.writeOnce(p0.pmd, 0);
  yield* pmdpCollapseFlush!(cpu, mm, 0, p0.table);
  yield* cpu.free('table', p0.table);
}

const arrival = defineScenario<Page0>({
  id: 'powerpc-radix/collapse-arrival',
  title:
    'a table is unlinked for a collapse while a CPU arrives at the mm and looks at it by GUP-fast: it is interrupted, or finds no table',
  source: 'radix__pmdp_collapse_flush, serialize_against_pte_lookup (up to 6.0)',
  cpus: 2,
  only: RADIX,
  backend: radix({ collapseSerializes: true }),
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    run(0, (cpu) => mmget(cpu, stage.mm));
    return withPage0(run, stage);
  },
  threads: (env) => [
    thread((cpu) => unlinkTable(cpu, env)),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, env.mm);
      yield* pinAndPut(cpu, env.mm, 0);
    }),
  ],
  holds: ({ p0 }) => keptPages([p0.page]),
  twins: [
    {
      id: 'powerpc-radix/collapse-arrival/broadcast-alone',
      why: 'the flush is a broadcast, which interrupts nobody: the table is freed under GUP-fast',
      oracle: 'O5',
      property: 'TUAF',
      backend: radix({ collapseSerializes: false }),
    },
  ],
});

const zapFault = defineScenario<Stage>({
  id: 'powerpc-radix/huge-zap-fault',
  title: 'a huge page is zapped, and another thread faults a base page into its place before the gather flushes',
  source: 'arch/powerpc/mm/book3s64/pgtable.c pmdp_huge_get_and_clear_full',
  cpus: 2,
  only: RADIX,
  setup: (run) => setHugeStage(run, { mapped: 'huge', inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread(function* (cpu) {
      yield* doUserAddrFault(cpu, mm, 0, false);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    {
      id: 'powerpc-radix/huge-zap-fault/late',
      why: 'the huge entry is left to the flush of the gather: the CPU may hold leaves of two sizes',
      oracle: 'O14',
      property: 'ORD',
      backend: radix({ hugeZapFlush: false }),
    },
  ],
});

/** All of them. */
export const RADIX_HUGE: readonly AnyScenario[] = [arrival, zapFault];
