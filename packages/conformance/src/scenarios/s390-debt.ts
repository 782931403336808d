/**
 * s390: what is owed: entries that were cleared and not purged, until somebody flushes the mm, or attaches to it.
 */
import { madviseDontneed, munmap } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { S390_ONLY } from './s390-only.ts';
import { PAGE, setStage, type Stage, syscall, toUser } from './stage.ts';

const paidByAnother = defineScenario<Stage>({
  id: 's390/paid-by-another',
  title:
    'a page is unmapped lazily while a kernel thread that is attached to nothing zaps another page of the mm, and pays what is owed',
  source: 'arch/s390/mm/pgtable.c ptep_flush_lazy; mm/oom_kill.c oom_reap_task_mm',
  cpus: 2,
  only: S390_ONLY,
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], running: [0] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* madviseDontneed(cpu, mm, 0, PAGE);
      yield* cpu.enterUser(0);
    }),
    thread((cpu) => madviseDontneed(cpu, mm, 2 * PAGE, PAGE)),
  ],
  twins: [
    {
      id: 's390/paid-by-another/early',
      why: 'the debt is made before the entry is invalid, and paid in between: the entry stays',
      oracle: ['O1', 'O2', 'O10'],
      property: 'MISS',
      backend: { s390: { debtOrder: 'before-entry' } },
    },
  ],
});

const debt = defineScenario<Stage>({
  id: 'bug:B44/fixed',
  bug: 'B44',
  title: 'a thread that is switched in pays what is owed, while the other CPU unlinks a table, which is owed too',
  source: '60f07c8ec5fa (s390/mm: fix race on mm->context.flush_mm)',
  cpus: 2,
  only: S390_ONLY,
  pools: { table: 8 },
  setup: (run) => setStage(run, { pages: 2, running: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'bug:B44/buggy',
      why: 'the flag is cleared after the purge: what was owed in between is forgotten',
      oracle: ['O1', 'O4', 'O10', 'O12'],
      property: 'MISS',
      backend: { s390: { debtClear: 'purge-first' } },
    },
    {
      id: 'bug:B44/rung-flag-first',
      why: 'the flag is cleared before the purge, without a lock: who finds it clear goes on before the purge',
      oracle: ['O1', 'O4', 'O10'],
      property: 'MISS',
      backend: { s390: { debtClear: 'flag-first' } },
    },
  ],
});

const tables = defineScenario<Stage>({
  id: 's390/table-debt',
  title: 'a table is unlinked by a store while another thread runs: all of the mm is purged before the table is freed',
  source: 'arch/s390/include/asm/tlb.h pte_free_tlb; 36409f6353 (reverted in 3.0)',
  cpus: 2,
  only: S390_ONLY,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 's390/table-debt/none',
      why: 'entries are purged, and pointers to the table stay',
      oracle: 'O4',
      property: 'TUAF',
      backend: { s390: { tableDebt: false } },
    },
  ],
});

const ownEntries = defineScenario<Stage>({
  id: 's390/D4-direct',
  title:
    'a page is freed, and no CPU holds an entry for it, the one in the kernel that has unmapped it included (entries are purged at once)',
  source: 'arch/s390/mm/pgtable.c ptep_flush_lazy with MMU_GATHER_NO_GATHER',
  cpus: 1,
  only: S390_ONLY,
  strict: true,
  backend: { s390: { lazyFlush: false } },
  setup: (run) => setStage(run, { running: [0] }),
  threads: ({ mm }) => [thread((cpu) => syscall(cpu, () => munmap(cpu, mm, 0, PAGE)))],
  twins: [
    {
      id: 's390/D4-direct/as-in-linux',
      why: 'lazily, the page is freed while this CPU still holds it: an interrupt that reads user memory (perf callchains) finds what is there now',
      oracle: 'O1s',
      property: 'FUAF',
      backend: { s390: { lazyFlush: true } },
    },
  ],
});

/** All of them. */
export const S390_DEBT: readonly AnyScenario[] = [paidByAnother, debt, tables, ownEntries];
