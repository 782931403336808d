/**
 * Negative controls: what looks like a bug of the catalogue and is none. Each holds, beside the form that is only a little different and must be
 * found; a checker that reports the first cries wolf.
 */
import type { Body } from '@mmu-gather/checker';
import {
  ACCESSED,
  ALL,
  ALL_ASIDS,
  type Cell,
  type Cpu,
  DIRTY,
  entryClear,
  FAULT,
  mkEntry,
  NOTHING,
  SAVED_DIRTY,
  type Steps,
} from '@mmu-gather/core/stepped';
import { changeProtNuma, ksmMerge, ptepGet, shrinkPages } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import {
  clearEntry,
  flushHere,
  makeSpace,
  pageAt,
  READABLE,
  runs,
  shootdown,
  type Space,
  Words,
} from './bare-stage.ts';
import { BROADCAST } from './broadcast.ts';
import { GRANT, granting } from './bugs-devices.ts';
import { retractBesideGup } from './gup-fast.ts';
import { alike, demote, type Twins } from './ksm.ts';
import type { MappedStage } from './mapping-stage.ts';
import { MERGED, RECLAIMED, RETRACTED } from './outcomes.ts';
import { type Mapping, newThread, PAGE, setStage, type Stage, withPage0 } from './stage.ts';
import { emptyFileTable, RETRACT_LOCKED } from './tables.ts';

const ARM64: Only = { archs: ['arm64'], why: 'bare CPUs with tags and broadcast invalidations' };
const RISCV: Only = { archs: ['riscv'], why: 'what is not valid may be cached there, or not' };

// ---- N1: an entry that was never dirty ----

const n1 = defineScenario<Twins>({
  id: 'control:N1',
  title: 'the race of B01 with an entry that was cached clean: a store through it walks again, and faults',
  source: 'negative control N1; the objection in the thread about soft-dirty',
  cpus: 3,
  only: { archs: ['x86'], why: 'one architecture whose hardware sets dirty bits does' },
  profile: { anonReuse: 'only-reference', ksmPending: false },
  setup(run) {
    const env = alike([0, 1], [])(run);
    run(0, function* (cpu): Steps<void> {
      yield* cpu.writeOnce(env.p0.pte, entryClear(yield* ptepGet(cpu, env.p0.pte), DIRTY | SAVED_DIRTY));
    });
    run(2, (cpu) => newThread(cpu, env.mm));
    return env;
  },
  threads: (env) => [demote(env), thread((cpu) => ksmMerge(cpu, { mm: env.mm, address: 0 }, env.kpage))],
  sometimes: [MERGED],
  twins: [
    {
      id: 'control:N1/dirty',
      why: 'the thread has written through the entry before, and it is cached dirty',
      oracle: ['O9', 'O13'],
      property: 'LOSTW',
      threads: (env) => [
        demote(env),
        thread((cpu) => ksmMerge(cpu, { mm: env.mm, address: 0 }, env.kpage)),
        thread((cpu) => cpu.userWrite(0, 7)),
      ],
    },
  ],
});

// ---- N2: more than was asked for ----

const purging =
  (waits: boolean) =>
  ({ table, frames }: Space): Body[] => [
    thread(function* (cpu) {
      yield* clearEntry(cpu, table);
      yield* cpu.invalidationBarrier();
      yield* cpu.invalidate({ asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: true });
      if (waits) yield* cpu.invalidationBarrier();
      yield* cpu.free('page', frames[0]!);
    }),
  ];

const n2 = defineScenario<Space>({
  id: 'control:N2',
  abstract: true,
  title: 'an invalidation that drops more than was asked for is slow, not wrong',
  source: 'negative control N2; 634ab76159a8',
  cpus: 2,
  only: ARM64,
  setup(run) {
    const space = makeSpace(run, [1, 2]);
    runs(run, 1, space, 1);
    return space;
  },
  threads: purging(true),
  twins: [
    {
      id: 'control:N2/no-wait',
      why: 'nor does it help against not waiting',
      oracle: 'O1',
      property: 'FUAF',
      threads: purging(false),
    },
  ],
});

// ---- N3: no flush where nobody could have cached the entry ----

const n3 = defineScenario<Stage & { readonly p0: Mapping }>({
  id: 'control:N3',
  title:
    'reclaim does without a flush for an entry that is not accessible, unless a change of its rights is not flushed yet',
  source: 'negative control N3; 4d4b6d66db63 (6.5)',
  cpus: 3,
  only: { archs: ['x86'], why: 'the architecture of B06' },
  setup: (run) => withPage0(run, setStage(run, { touched: [0], running: [0, 2] })),
  threads: ({ mm, p0 }) => [
    thread((cpu) => changeProtNuma(cpu, mm, 0, PAGE)),
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
  ],
  sometimes: [RECLAIMED],
  twins: [
    {
      id: 'control:N3/naive',
      why: 'what is pending is not asked for',
      oracle: ['O9', 'O3', 'O1'],
      property: 'LOSTW',
      profile: { accessiblePending: false },
    },
  ],
});

// ---- N4: a flush that is an interrupt waits for walkers ----

const n4 = defineScenario<MappedStage>({
  id: 'control:N4',
  title:
    'the race of B36 without the mend, where the flush is an interrupt: it cannot be answered before the walker is out',
  source: 'negative control N4',
  cpus: 2,
  only: { archs: ['x86'], why: 'it can do both: interrupt, and broadcast' },
  profile: { ...RETRACT_LOCKED, collapseSync: false },
  setup: emptyFileTable,
  threads: retractBesideGup,
  sometimes: [RETRACTED],
  twins: [
    {
      id: 'control:N4/broadcast',
      why: 'the flush is a broadcast, and waits for nobody',
      oracle: 'O5',
      property: 'TUAF',
      backend: BROADCAST,
    },
  ],
});

// ---- N6: from not present to present ----

const told = new Words('told', ['mapped']);

/** A page is mapped where there was none, without a flush; who is told of it uses it. */
const mapping = ({ table, frames }: Space): Body[] => [
  thread(function* (cpu) {
    yield* cpu.writeOnce(table + 1, mkEntry(frames[0]!, READABLE));
    yield* cpu.storeRelease(told.at('mapped'), 1);
  }),
  thread(function* (cpu) {
    yield* cpu.waitFor(told.at('mapped'), 'equal', 1);
    if ((yield* cpu.userRead(PAGE)) === FAULT) throw new Error('a page that is mapped faults, and nobody will flush');
  }),
];

const n6 = defineScenario<Space>({
  id: 'control:N6',
  abstract: true,
  title: 'a page is mapped where there was none, and nothing is flushed: legal where what is not valid is never cached',
  source: 'negative control N6; nanos 1966',
  cpus: 2,
  only: RISCV,
  backend: { riscv: { cachesInvalid: 'never' } },
  reserve: told.reserve,
  setup(run) {
    const space = makeSpace(run, [1]);
    runs(run, 1, space, 0);
    return space;
  },
  threads: mapping,
  twins: [
    {
      id: 'control:N6/cached',
      why: 'the hart may have cached that there is no page',
      oracle: 'assert',
      property: 'LIVE',
      backend: { riscv: { cachesInvalid: 'leaves' } },
    },
  ],
});

// ---- N7: from read-only to writable ----

const n7 = defineScenario<Space>({
  ...GRANT,
  id: 'control:N7',
  abstract: true,
  title: 'the race of B55 without the mend, where who faults walks again: one fault in vain, and no more',
  source: 'negative control N7',
  only: RISCV,
  backend: { riscv: { cachesInvalid: 'never' } },
  threads: granting(false),
  twins: [
    {
      id: 'control:N7/does-not-walk',
      why: 'who faults keeps what it has cached',
      oracle: 'assert',
      property: 'LIVE',
      backend: { riscv: { cachesInvalid: 'leaves' } },
    },
  ],
});

// ---- N8: aging without waiting ----

/** The accessed bit goes, and nobody waits for the invalidation. */
function* ageUnawaited(cpu: Cpu, pte: Cell): Steps<void> {
  const entry = yield* cpu.readOnce(pte);
  yield* cpu.xchg(pte, entryClear(entry, ACCESSED));
  yield* cpu.invalidationBarrier();
  yield* cpu.invalidate({ asid: ALL_ASIDS, leaves: pageAt(0), walks: NOTHING, globals: false, broadcast: true });
}

/** Then the page is unmapped. @param oldIsUncached an entry without the bit is taken for one that no TLB holds (B81) */
const agingThenUnmap =
  (oldIsUncached: boolean) =>
  ({ table, frames }: Space): Body[] => [
    thread(function* (cpu) {
      yield* ageUnawaited(cpu, table);
      const entry = yield* clearEntry(cpu, table);
      if ((entry & ACCESSED) !== 0 || !oldIsUncached) yield* shootdown(cpu, { leaves: pageAt(0) });
      yield* cpu.free('page', frames[0]!);
    }),
  ];

const n8 = defineScenario<Space>({
  id: 'control:N8',
  abstract: true,
  title: 'the accessed bit is cleared and nobody waits for the flush of that: fine, if unmapping flushes all the same',
  source: 'negative control N8',
  cpus: 2,
  only: ARM64,
  setup(run) {
    const space = makeSpace(run, [1]);
    runs(run, 1, space, 1);
    return space;
  },
  threads: agingThenUnmap(false),
  twins: [
    {
      id: 'control:N8/old-is-uncached',
      why: 'beside a rule that an old entry is cached nowhere it is not (B81)',
      oracle: 'O1',
      property: 'FUAF',
      threads: agingThenUnmap(true),
    },
  ],
});

// ---- N9: lazy designs ----

const sweep = new Words('sweep', ['swept']);

/** munmap of a lazy design: the page is held until every CPU has swept its TLB. @param returns early: when it says that it is done */
const lazily =
  (returns: 'early' | 'swept') =>
  ({ root, table, frames }: Space): Body[] => [
    thread(function* (cpu) {
      yield* clearEntry(cpu, table);
      if (returns === 'early') cpu.claim.limit(root, pageAt(0), 'none');
      yield* cpu.waitFor(sweep.at('swept'), 'equal', 1);
      if (returns === 'swept') cpu.claim.limit(root, pageAt(0), 'none');
      yield* cpu.free('page', frames[0]!);
    }),
    thread(function* (cpu) {
      // A tick, once the entry is gone.
      yield* cpu.waitFor(table, 'equal', 0);
      yield* cpu.enterKernel();
      yield* flushHere(cpu);
      yield* cpu.storeRelease(sweep.at('swept'), 1);
      yield* cpu.enterUser();
    }),
  ];

const n9 = defineScenario<Space>({
  id: 'control:N9',
  abstract: true,
  title: 'munmap frees once every CPU has swept its TLB at a tick, and is done by then',
  source: 'negative control N9; LATR (ASPLOS 2018)',
  cpus: 2,
  only: { archs: ['x86'], why: 'bare CPUs under TSO' },
  reserve: sweep.reserve,
  setup(run) {
    const space = makeSpace(run, [1]);
    runs(run, 1, space, 0);
    return space;
  },
  threads: lazily('swept'),
  twins: [
    {
      id: 'control:N9/returns-early',
      why: 'it returns before: the page is safe, and who has called it may still use what it has unmapped',
      oracle: 'O2',
      property: 'SAC',
      threads: lazily('early'),
    },
  ],
});

/** All of them. */
export const CONTROLS: readonly AnyScenario[] = [n1, n2, n3, n4, n6, n7, n8, n9];
