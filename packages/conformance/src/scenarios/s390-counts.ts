/**
 * s390: counts and caches that must come back to what they were: flush_count, the debt, and the cache of a lazy MMU section.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Cpu,
  DIRTY,
  entrySet,
  type Geometry,
  type Mm,
  pteMkwrite,
  type Steps,
  VM_READ,
} from '@mmu-gather/core/stepped';
import { mprotect, userLoad } from '@mmu-gather/mm/stepped';
import { crstTableUpgrade, flushCount, flushMm, tlbFlushMm } from '@mmu-gather/s390/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { S390_ONLY } from './s390-only.ts';
import { keptPages, type Mapping, mappingOf, PAGE, RW_MEMORY, setStage, type Stage, toUser } from './stage.ts';
import { storeSoon } from './upgrades.ts';

/** A page in each of two tables, whose locks keep nobody from the other one. */
interface Apart extends Stage {
  readonly pages: readonly Mapping[];
}

function setApart(run: Run): Apart {
  const stage = setStage(run, { pages: 4, touched: [0, 2], inKernel: [1] });
  return { ...stage, pages: [0, 2].map((page) => mappingOf(run, stage.mm, page * PAGE)) };
}

/** A change of a page's entry. @param n which of the two */
type Change = (cpu: Cpu, mm: Mm, page: Mapping, address: number) => Steps<unknown>;

/** Two CPUs change entries at once; afterwards nobody is counted. @param gone whether the entries are gone then */
function counted(name: string, title: string, change: Change, gone = false): AnyScenario {
  const id = `s390/flush-count/${name}`;
  const locked = ({ mm, pages }: Apart, n: 0 | 1): ReturnType<typeof thread> =>
    thread(function* (cpu) {
      const page = pages[n]!;
      yield* cpu.spinLock(page.ptl);
      yield* change(cpu, mm, page, 2 * n * PAGE);
      yield* cpu.spinUnlock(page.ptl);
    });
  return defineScenario<Apart>({
    id,
    title: `two CPUs ${title} at once: nobody is counted afterwards, or who attaches would wait for ever`,
    source: 'arch/s390/mm/pgtable.c, asm/tlbflush.h: atomic_inc and atomic_dec of mm->context.flush_count',
    cpus: 2,
    only: S390_ONLY,
    backend: { s390: { rdp: true } },
    setup: setApart,
    threads: (env) => [locked(env, 0), locked(env, 1)],
    holds: ({ pages }) => (gone ? keptPages(pages.map(({ page }) => page)) : []),
    final: (peek, { mm }) => (peek(flushCount(mm)) === 0 ? undefined : `flush_count is ${peek(flushCount(mm))}`),
    twins: [
      {
        id: `${id}/one-more`,
        why: 'one of them does not leave the count',
        oracle: 'assert',
        property: 'LIVE',
        threads: (env) => [locked(env, 0), thread((cpu) => cpu.atomicAdd(flushCount(env.mm), 1))],
      },
    ],
  });
}

const COUNTS = [
  counted(
    'clear',
    'clear entries',
    (cpu, mm, { pte }, address) => cpu.kernel.backend.pte.ptepClearFlush!(cpu, mm, address, pte),
    true,
  ),
  counted(
    'take',
    'take entries away',
    (cpu, mm, { pte }, address) => cpu.kernel.backend.pte.ptepGetAndClear(cpu, mm, address, pte, 0),
    true,
  ),
  counted('upgrade', 'let entries be written to', function* (cpu, mm, { pte }, address) {
    const { pte: ops } = cpu.kernel.backend;
    yield* ops.ptepSetWrprotect(cpu, mm, address, pte, yield* cpu.readOnce(pte), 0);
    const old = yield* cpu.readOnce(pte);
    yield* ops.ptepSetAccessFlags(cpu, mm, address, pte, old, entrySet(pteMkwrite(old), DIRTY), 0);
  }),
  counted('collapse', 'unlink tables', (cpu, mm, { table }, address) =>
    cpu.kernel.backend.pte.pmdpCollapseFlush!(cpu, mm, address, table),
  ),
  counted('pay', 'purge the mm', (cpu, mm) => tlbFlushMm(cpu, mm)),
];

const inTurn = defineScenario<Stage>({
  id: 's390/sections-in-turn',
  title: 'a section that caches changes of one table, one of another table, and then a change outside of any',
  source: 's390/mm: Batch PTE updates in lazy MMU mode, v6 (V. Gordeev, 2026-07-15)',
  cpus: 2,
  only: S390_ONLY,
  profile: { lazyMmuNesting: 'counts' },
  backend: { s390: { lazyMmu: 'v6', gather: 'generic' } },
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2, 3] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* mprotect(cpu, mm, 0, PAGE, VM_READ);
      yield* mprotect(cpu, mm, 2 * PAGE, 2 * PAGE, VM_READ);
      yield* mprotect(cpu, mm, 0, PAGE, RW_MEMORY);
      yield* storeSoon(cpu, mm);
    }),
  ],
  final: (peek, { mm }) => (peek(flushMm(mm)) === 0 ? undefined : 'a debt is left'),
  twins: [
    {
      id: 's390/sections-in-turn/here',
      why: 'at their ends sections purge on this CPU alone',
      oracle: ['O2', 'O10', 'O12'],
      property: 'MISS',
      backend: { s390: { globalPurge: 'here' } },
    },
  ],
});

/** Two tables of each level. */
const THREE_LEVELS: Geometry = { pageShift: 12, bits: [1, 1, 1] };

/** A table is unlinked, purged and freed by the only CPU that is attached, perhaps there alone. */
function* freeTable(cpu: Cpu, { mm, at0 }: Stage & { readonly at0: Mapping }): Steps<void> {
  yield* cpu.writeOnce(at0.pmd, 0);
  yield* cpu.kernel.backend.pte.pmdpCollapseFlush!(cpu, mm, 0, at0.table);
  yield* cpu.free('table', at0.table);
}

const collapseBesideArrival = defineScenario<Stage & { readonly at0: Mapping }>({
  id: 's390/collapse-beside-arrival',
  title: 'a table is unlinked and purged while a thread is switched in elsewhere: it waits until the purge is done',
  source: 'arch/s390/include/asm/pgtable.h pmdp_collapse_flush; asm/mmu_context.h finish_arch_post_lock_switch',
  cpus: 2,
  only: S390_ONLY,
  backend: { s390: { attachRepair: 'test-attach' } },
  setup(run) {
    const stage = setStage(run, { running: [0], touched: [0] });
    return { ...stage, at0: mappingOf(run, stage.mm, 0) };
  },
  threads: (env) => [thread((cpu) => freeTable(cpu, env)), thread((cpu) => toUser(cpu, env.mm))],
  holds: ({ at0 }) => keptPages([at0.page]),
  twins: [
    {
      id: 's390/collapse-beside-arrival/leaves',
      why: 'the purge drops leaves, and the ways to the table stay',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'range-keeps-walks',
    },
  ],
});

/** What a page holds, as user code finds it. */
function* finds(cpu: Cpu, mm: Mm, address: number, value: number): Steps<void> {
  const found = yield* userLoad(cpu, mm, address);
  cpu.claim.that(found === value, 'O16', `user code finds ${found} where ${value} was stored`);
}

const upgraded = defineScenario<Stage>({
  id: 's390/upgrade-keeps',
  title: 'an mm gets a new top-level table: what was mapped is mapped',
  source: 'arch/s390/mm/pgalloc.c crst_table_upgrade',
  cpus: 1,
  only: S390_ONLY,
  geometry: THREE_LEVELS,
  pools: { table: 10, page: 8 },
  setup: (run) => setStage(run, { pages: 8, touched: [0, 2, 4], running: [0] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* crstTableUpgrade(cpu, mm);
      for (const page of [0, 2, 4]) yield* finds(cpu, mm, page * PAGE, 1 + page);
    }),
  ],
  // The old one is never freed here.
  holds: ({ mm }, peek) => [{ object: peek(mm.pgd) }],
  sequential: 'what is mapped is asked of one CPU',
  twins: [
    {
      id: 's390/upgrade-keeps/other',
      why: 'another page is there',
      oracle: 'O16',
      property: 'LOSTW',
      threads: ({ mm }) => [thread((cpu) => finds(cpu, mm, 0, 3))],
    },
  ],
});

/** All of them. */
export const S390_COUNTS: readonly AnyScenario[] = [...COUNTS, inTurn, collapseBesideArrival, upgraded];
