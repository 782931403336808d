/**
 * s390: what CPUs hold of a top-level table by its address (ASCE), when the mm gets a larger one, or the table is that of the next mm.
 */
import type { Geometry, Mm, Profile } from '@mmu-gather/core/stepped';
import { contextSwitch, exitMm, mmAlloc, mmap, munmap, userStore } from '@mmu-gather/mm/stepped';
import { crstTableUpgrade } from '@mmu-gather/s390/stepped';
import { type AnyScenario, defineScenario, type Scenario, thread } from '../scenario.ts';
import { S390_ONLY } from './s390-only.ts';
import { PAGE, RW_MEMORY, setStage, type Stage, toUser } from './stage.ts';

interface Replaced extends Stage {
  readonly other: Mm;
}

const asceReuse = defineScenario<Replaced>({
  id: 's390/asce-reused',
  title:
    'a process ends, and the page of its top-level table is that of the next one: a CPU that ran the first runs the second',
  source: 'arch/s390/include/asm/pgalloc.h; asm/tlb.h: a full flush by the debt of the tables',
  cpus: 2,
  only: S390_ONLY,
  pools: { mm: 5, table: 10 },
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    const other = run(1, mmAlloc);
    run(1, (cpu) => contextSwitch(cpu, stage.mm));
    run(1, (cpu) => contextSwitch(cpu, other));
    return { ...stage, other };
  },
  threads: ({ other }) => [
    thread(function* (cpu) {
      yield* exitMm(cpu);
      yield* contextSwitch(cpu, other);
      const next = yield* mmAlloc(cpu);
      yield* contextSwitch(cpu, next);
      yield* mmap(cpu, next, 0, PAGE, RW_MEMORY);
      yield* userStore(cpu, next, 0, 5);
    }),
    thread((cpu) => toUser(cpu, other)),
  ],
  twins: [
    {
      id: 's390/asce-reused/no-debt',
      why: 'nothing is purged at the end: exit clears entries by stores, and what was cached answers the next process',
      oracle: ['O8', 'O4'],
      property: 'ALIAS',
      backend: { s390: { tableDebt: false } },
    },
  ],
});

/** Two tables of each level, so that the one below the top stays. */
const THREE_LEVELS: Geometry = { pageShift: 12, bits: [1, 1, 1] };

const oldAsceReuse = defineScenario<Replaced>({
  id: 's390/old-asce-reused',
  title: 'an mm gets a new top-level table, and ends; the next one that its CPU runs has the ASCE of the old table',
  source: 'arch/s390/mm/pgalloc.c __crst_table_upgrade',
  cpus: 1,
  only: S390_ONLY,
  sequential: 'what was formed from the old table is on the CPU that was told of the new one',
  geometry: THREE_LEVELS,
  pools: { mm: 4, table: 12, page: 6 },
  setup: (run) => ({ ...setStage(run, { touched: [0], running: [0] }), other: run(0, mmAlloc) }),
  threads: ({ mm, other }) => [
    thread(function* (cpu) {
      yield* crstTableUpgrade(cpu, mm);
      yield* exitMm(cpu);
      yield* contextSwitch(cpu, other);
      const next = yield* mmAlloc(cpu);
      yield* contextSwitch(cpu, next);
      yield* mmap(cpu, next, 0, PAGE, RW_MEMORY);
      yield* userStore(cpu, next, 0, 5);
    }),
  ],
  // The old top-level table.
  holds: ({ mm }, peek) => [{ object: peek(mm.pgd) }],
  twins: [
    {
      id: 's390/old-asce-reused/kept',
      why: 'the CPU keeps what it formed from the old table, and the purge at the end is one by the new ASCE',
      oracle: ['O8', 'O4'],
      property: 'ALIAS',
      backend: { s390: { upgradePtlb: false } },
    },
  ],
});

/** A larger address space while another thread runs, and then a table of it is freed. */
function upgraded(
  id: string,
  title: string,
  profile: Partial<Profile>,
  upgradeWaits: boolean,
  twin: Scenario<Stage>['twins'][number],
): AnyScenario {
  return defineScenario<Stage>({
    id,
    title: `a thread gets a new top-level table for its mm, and frees a page table, while another CPU may not have the new ASCE yet: ${title}`,
    source: 'arch/s390/mm/pgalloc.c crst_table_upgrade',
    cpus: 2,
    only: S390_ONLY,
    geometry: THREE_LEVELS,
    pools: { table: 10, page: 6 },
    profile,
    backend: { s390: { upgradeWaits } },
    setup: (run) => setStage(run, { pages: 4, touched: [0, 2] }),
    threads: ({ mm }) => [
      thread(function* (cpu) {
        yield* crstTableUpgrade(cpu, mm);
        yield* munmap(cpu, mm, 0, 2 * PAGE);
      }),
    ],
    // The old top-level table.
    holds: ({ mm }, peek) => [{ object: peek(mm.pgd) }],
    twins: [twin],
  });
}

const D5 = [
  upgraded('s390/D5-waited', 'the call is waited for', {}, true, {
    id: 's390/D5-waited/as-in-linux',
    why: 'IDTE by the new ASCE leaves what was formed from the old one, and a grace period does not wait for a CPU in user mode',
    oracle: 'O4',
    property: 'TUAF',
    backend: { s390: { upgradeWaits: false } },
  }),
  upgraded(
    's390/D5-interrupt',
    'tables are freed after an interrupt, which comes behind the call',
    { tableFree: 'ipi-sync' },
    false,
    {
      id: 's390/D5-interrupt/none',
      why: 'tables are freed after the flush',
      oracle: 'O4',
      property: 'TUAF',
      profile: { tableFree: 'batched' },
    },
  ),
];

/** All of them. */
export const S390_ASCE: readonly AnyScenario[] = [asceReuse, oldAsceReuse, ...D5];
