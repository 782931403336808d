/**
 * sparc64's TSB: a table in memory that TLBs are filled from, between the page table and the TLB. What a flush forgets there comes back.
 *
 * Two of these races are in every kernel (D-S1, D-S2): found by reading, not reported from practice.
 */
import { tsbGrow } from '@mmu-gather/sparc/stepped';
import { munmap, userLoad } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { noWait, PAGE, setStage, type Stage } from './stage.ts';

const ONLY = { archs: ['sparc64'], why: 'it is about the TSB' };

const order = defineScenario<Stage>({
  id: 'sparc64/tsb-order',
  title: 'a page is unmapped while another thread uses it: the TSB loses it before the TLBs do',
  source: 'arch/sparc/mm/tlb.c flush_tlb_pending; sheet T2',
  cpus: 2,
  only: ONLY,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
  twins: [
    {
      id: 'sparc64/tsb-order/tlb-first',
      why: 'the TLB is demapped first, and filled again from the TSB',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { flushOrder: 'tlb-first' } },
    },
    {
      id: 'sparc64/tsb-order/self-only',
      why: 'the TSB is clean, and the other CPU keeps what it has in its TLB',
      oracle: 'O1',
      property: 'FUAF',
      wrong: 'self-only',
    },
  ],
});

const reload = defineScenario<Stage>({
  id: 'sparc64/tsb-reload',
  title: 'a miss has read the entry when the page is unmapped, and writes it into the TSB afterwards',
  source: 'arch/sparc/kernel/tsb.S tsb_reload; D-S1, sheet T3',
  cpus: 2,
  only: ONLY,
  // The second page takes the place of the first, so that CPU 1 misses.
  backend: { sparc64: { tsbEntries: 1, tsbMaxEntries: 1 } },
  setup: (run) => setStage(run, { touched: [0, 1], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => munmap(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* userLoad(cpu, mm, 0);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    {
      id: 'sparc64/tsb-reload/as-in-linux',
      why: 'the handler does not look at the entry again: the TSB keeps it, and TLBs are filled from there after the flush',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { recheckPte: false } },
    },
    noWait('sparc64/tsb-reload'),
  ],
});

const grow = defineScenario<Stage>({
  id: 'sparc64/tsb-grow',
  title: 'a page is unmapped while another CPU replaces the TSB by a larger one',
  source: 'arch/sparc/mm/tsb.c tsb_grow; D-S2, sheet T4',
  cpus: 3,
  only: ONLY,
  backend: { sparc64: { tsbEntries: 1, tsbMaxEntries: 2 } },
  setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2], inKernel: [2] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), undefined, thread((cpu) => tsbGrow(cpu, mm))],
  twins: [
    {
      id: 'sparc64/tsb-grow/as-in-linux',
      why: 'the flush looks into the new TSB only, and a CPU that has not left the old one is filled from there',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { growFlush: 'new-only' } },
    },
    {
      id: 'sparc64/tsb-grow/freed-early',
      why: 'the old TSB is freed while a CPU still has it in its register',
      oracle: 'O5',
      property: 'TUAF',
      backend: { sparc64: { oldTsbFree: 'before-sync' } },
    },
  ],
});

const missTable = defineScenario<Stage>({
  id: 'sparc64/miss-table',
  title: 'a miss walks the page table while its PTE table is unlinked and freed',
  source: 'arch/sparc/Kconfig MMU_GATHER_RCU_TABLE_FREE',
  cpus: 2,
  only: ONLY,
  backend: { sparc64: { tsbEntries: 1, tsbMaxEntries: 1 } },
  setup: (run) => setStage(run, { touched: [0, 1], inKernel: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => userLoad(cpu, mm, 0))],
  twins: [
    {
      id: 'sparc64/miss-table/with-the-flush',
      why: 'the table is freed when the flush returns, which does not wait for a miss handler',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableFree: 'batched' },
    },
    {
      id: 'sparc64/miss-table/at-once',
      why: 'the table is freed as soon as it is unlinked',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableFree: 'no-sync' },
    },
  ],
});

/** All of them. */
export const SPARC64_TSB: readonly AnyScenario[] = [order, reload, grow, missTable];
