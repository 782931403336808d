/**
 * powerpc's hash MMU: what a section of lazy MMU mode collects is done before its PTL is dropped.
 */
import type { Steps } from '@mmu-gather/core/stepped';
import { madviseDontneed, mmPopulate } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { nestedSections, type TwoTables, twoTables } from './nested-sections.ts';
import { PAGE, setStage, type Stage, syscall } from './stage.ts';
import { hash, HASH_ONLY, wrongHash } from './powerpc-hash-stage.ts';

const b49 = defineScenario<Stage>({
  id: 'bug:B49/fixed',
  bug: 'B49',
  title: 'a page is zapped, and another CPU maps it anew (MADV_POPULATE_WRITE) as soon as the PTL is dropped',
  source: 'a741e6796957 ([POWERPC] Make tlb flush batch use lazy MMU mode), 2007; bug B49',
  cpus: 2,
  only: HASH_ONLY,
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    thread(function* (cpu): Steps<void> {
      yield* mmPopulate(cpu, mm, 0, PAGE);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    wrongHash(
      'bug:B49/buggy',
      "the batch is drained with the gather's flush, after the PTL was dropped: another page is hashed for the address meanwhile",
      { drainAt: 'gather' },
      ['O14', 'O10'],
    ),
    wrongHash(
      'bug:B49/tlbie-first',
      'tlbie before the entry leaves the table: it is cached anew',
      {
        tlbieOrder: 'before-hpte',
      },
      ['O1', 'O9', 'O10'],
    ),
  ],
});

const nested = defineScenario<TwoTables>({
  id: 'lazy-mmu/nested',
  title: 'a section in a section: who ends the inner one drops his PTL, with his changes done',
  source: 'K. Brodsky, 2025-12-15, v6 07 to 09/14; 9fee28baa601 and 47b8def9358c',
  cpus: 2,
  only: HASH_ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: hash({ batch: 3 }),
  setup: twoTables,
  threads: (env) => [thread((cpu) => nestedSections(cpu, env))],
  twins: [
    {
      id: 'lazy-mmu/nested/refcount',
      why: 'sections are counted, and only the end of the outermost one does what was collected (2023-10, dropped)',
      oracle: 'O1',
      property: 'FUAF',
      profile: { lazyMmuNesting: 'refcount' },
    },
    {
      id: 'lazy-mmu/nested/flag',
      why: 'the mode is a flag: the end of the inner section ends the outer one (set_ptes, 9fee28baa601)',
      oracle: 'O16',
      property: 'ORD',
      profile: { lazyMmuNesting: 'none' },
    },
  ],
});

/** Of all pages of a table, which goes. */
export const ptReclaim: AnyScenario = defineScenario<Stage>({
  id: 'powerpc-hash/pt-reclaim',
  title:
    'two threads zap all of a table where that frees it: the one that finds no table any more has nothing to wait for',
  source:
    'mm/memory.c zap_pte_range, mm/pt_reclaim.c try_get_and_clear_pmd (6.14), were they on an architecture that collects',
  cpus: 2,
  only: HASH_ONLY,
  profile: {
    ptReclaim: true,
    pteMap: 'rcu',
    tableFree: 'rcu',
    tableRemoveOne: 'rcu',
    ptReclaimUnlink: 'after-section',
  },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [0, 1].map(() => thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, 2 * PAGE)))),
  twins: [
    {
      id: 'powerpc-hash/pt-reclaim/in-section',
      why: 'the table is unlinked before the section ends: who finds it gone is back in user mode while the page is still in the hash page table',
      oracle: ['O1', 'O10'],
      property: 'SAC',
      profile: { ptReclaimUnlink: 'in-section' },
      // Where a finish waits for the gathers that are open, the section has ended by then.
      where: { profile: { finishSync: 'none' } },
    },
  ],
});

/** All but {@link ptReclaim}, which has another place in tables. */
export const POWERPC_HASH_COLLECTED: readonly AnyScenario[] = [b49, nested];
