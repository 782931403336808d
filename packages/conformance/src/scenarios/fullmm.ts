/**
 * fullmm: what the end of an address space may leave out (core's fullmm.ts; thread of March 2009).
 *
 * CPU 1 is lazy on the mm in most of these: no user code runs there, and its walks go on.
 */
import type { Profile } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  doUserAddrFault,
  execMmap,
  exitMm,
  gupFast,
  kthreadUnuseMm,
  kthreadUseMm,
  madviseDontneed,
  mmAlloc,
  mmap,
  mmdrop,
  mmgrab,
  tryToUnmapOne,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type Cpu, getPage, type Mm, putPage, type Steps } from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { newMm, PAGE, type Page0, RW_MEMORY, setStage, type Stage, syscall, withPage0 } from './stage.ts';

/** A gather that is full after one page: a flush for each, where there are any. */
const ONE_PAGE: Partial<Profile> = { gatherBatch: { bundle: 2, batch: 2, batches: 0, spare: 1 } };

const f0 = defineScenario<Stage>({
  id: 'fullmm/F0',
  title: 'exit by the rules of a live mm: a flush for each batch, and one for the tables',
  source: 'thread of March 2009 (Herrenschmidt, Dickins, Torvalds)',
  cpus: 2,
  profile: { fullmm: 'F0', ...ONE_PAGE },
  setup: (run) => setStage(run, { lazy: [1] }),
  threads: () => [thread((cpu) => exitMm(cpu))],
  twins: [
    {
      id: 'fullmm/F0/lazy-skipped',
      why: 'lazy CPUs, or walk caches, are left out although tables are freed',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'walks-kept',
    },
  ],
});

const f1 = defineScenario<Stage>({
  id: 'fullmm/F1',
  title: 'exit without a flush before data pages are freed, and one before tables are',
  source: 'thread of March 2009 (Dickins: "dead mm")',
  cpus: 2,
  profile: { fullmm: 'F1', ...ONE_PAGE },
  setup: (run) => setStage(run, { lazy: [1] }),
  threads: () => [thread((cpu) => exitMm(cpu))],
  twins: [
    {
      id: 'fullmm/F1/no-flush',
      why: 'no flush before tables are freed, either',
      oracle: 'O4',
      property: 'TUAF',
      profile: { fullmm: 'F3' },
    },
  ],
});

/** Reclaim has isolated the page, and looks where it is mapped. What keeps the mm is the lock of the reverse map in Linux, a reference here. */
function* reclaim(cpu: Cpu, mm: Mm, page: number): Steps<void> {
  yield* tryToUnmapOne(cpu, page, mm, 0, null);
  yield* putPage(cpu, page);
  yield* mmdrop(cpu, mm);
}

const keep = defineScenario<Page0>({
  id: 'fullmm/F1-zeroed',
  title: 'reclaim looks at an entry of a dying mm: it was zeroed, or is still mapped',
  source: 'thread of March 2009 (Fitzhardinge: entries need not be zeroed)',
  cpus: 2,
  profile: { fullmm: 'F1', ...ONE_PAGE },
  setup(run) {
    const stage = withPage0(run, setStage(run, { touched: [0], running: [0] }));
    run(0, (cpu) => getPage(cpu, stage.p0.page));
    run(1, (cpu) => mmgrab(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm, p0 }) => [thread((cpu) => exitMm(cpu)), thread((cpu) => reclaim(cpu, mm, p0.page))],
  twins: [
    {
      id: 'fullmm/F1-zeroed/kept',
      why: 'entries are left as they are: reclaim unmaps a second time what exit has unmapped',
      oracle: ['O16', 'O1'],
      property: 'FUAF',
      profile: { exitZeroes: false },
    },
  ],
});

const keepAlone = defineScenario<Stage>({
  id: 'fullmm/F1-kept',
  title: 'entries of a dying mm are not zeroed, and nobody but a lazy CPU can find them',
  source: 'thread of March 2009 (Fitzhardinge)',
  cpus: 2,
  profile: { fullmm: 'F1', exitZeroes: false, ...ONE_PAGE },
  setup: (run) => setStage(run, { lazy: [1] }),
  threads: () => [thread((cpu) => exitMm(cpu))],
  twins: [
    {
      id: 'fullmm/F1-kept/no-flush',
      why: 'no flush before tables are freed',
      oracle: 'O4',
      property: 'TUAF',
      profile: { fullmm: 'F3' },
    },
  ],
});

const f2 = defineScenario<Stage>({
  id: 'fullmm/F2',
  title: 'exit after every CPU has left the mm: no flush at all',
  source: 'J. Fitzhardinge, March 2009',
  cpus: 2,
  profile: { fullmm: 'F2', ...ONE_PAGE },
  setup: (run) => setStage(run, { lazy: [1] }),
  threads: () => [thread((cpu) => exitMm(cpu))],
  sequential: 'all CPUs have left before an entry changes',
  twins: [
    {
      id: 'fullmm/F2/lazy-skipped',
      why: 'lazy CPUs are not told to leave: at the end of an mm there are no others',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'leave-skips-lazy',
    },
    {
      id: 'fullmm/F2/nobody-leaves',
      why: 'nobody leaves',
      oracle: 'O4',
      property: 'TUAF',
      profile: { fullmm: 'F3' },
    },
    {
      id: 'fullmm/F2/adopted',
      why: 'a kernel thread works in the mm without being a user of it, and loads it again',
      oracle: ['O4', 'O5', 'O16'],
      property: 'TUAF',
      threads: ({ mm }) => [
        thread((cpu) => exitMm(cpu)),
        thread(function* (cpu) {
          yield* kthreadUseMm(cpu, mm);
          yield* kthreadUnuseMm(cpu, mm);
        }),
      ],
    },
  ],
});

const f2Last = defineScenario<Stage>({
  id: 'fullmm/F2-other-thread',
  title: 'two threads exit; the last one makes every CPU leave, while the other may be anywhere on its way out',
  source: 'J. Fitzhardinge, March 2009',
  cpus: 2,
  profile: { fullmm: 'F2' },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: () => [thread((cpu) => exitMm(cpu)), thread((cpu) => exitMm(cpu))],
  twins: [
    {
      id: 'fullmm/F2-other-thread/no-wait',
      why: 'the tables are freed before the other CPU has left',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'leave-no-wait',
    },
  ],
});

const f2Gup = defineScenario<Stage>({
  id: 'fullmm/F2-gup-fast',
  title: 'GUP-fast loses no interrupt to F2: it walks the mm of its own task, and the last task of an mm is none',
  source: 'core.md 8.5',
  cpus: 2,
  profile: { fullmm: 'F2', tableFree: 'batched', ptReclaim: false },
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => exitMm(cpu)),
    thread(function* (cpu) {
      const page = yield* gupFast(cpu, mm, 0, false);
      if (page !== 0) yield* putPage(cpu, page);
      yield* exitMm(cpu);
    }),
  ],
  twins: [
    {
      id: 'fullmm/F2-gup-fast/after-exit',
      why: 'the task walks the mm once more after it has given it up',
      oracle: 'O5',
      property: 'TUAF',
      threads: ({ mm }) => [
        thread((cpu) => exitMm(cpu)),
        thread(function* (cpu) {
          yield* exitMm(cpu);
          const page = yield* gupFast(cpu, mm, 0, false);
          if (page !== 0) yield* putPage(cpu, page);
        }),
      ],
    },
  ],
});

const f2Elsewhere = defineScenario<Stage & { readonly other: Mm }>({
  id: 'fullmm/F2-elsewhere',
  title:
    'an mm ends while the CPU that borrows it begins to run another one: told to leave when it has left, it keeps that',
  source: 'J. Fitzhardinge, March 2009 (drop_other_mm_ref of Xen: "if (active_mm == mm)")',
  cpus: 2,
  profile: { fullmm: 'F2', tableFree: 'batched', ptReclaim: false, ...ONE_PAGE },
  backend: { x86: { clearPrevBit: false }, riscv: { asidAllocator: true } },
  setup(run) {
    const stage = setStage(run, { touched: [0], lazy: [1] });
    const other = newMm(run);
    run(0, (cpu) => doUserAddrFault(cpu, other, 0, true));
    return { ...stage, other };
  },
  threads: ({ other }) => [
    thread((cpu) => exitMm(cpu)),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, other);
      yield* userStore(cpu, other, 0, 1);
    }),
  ],
  twins: [
    {
      id: 'fullmm/F2-elsewhere/bit-cleared',
      why: 'a CPU leaves the mask before it loads other tables, as on x86 up to 6.12, and on riscv without ASIDs: it is not told',
      oracle: 'O4',
      property: 'TUAF',
      backend: { x86: { clearPrevBit: true }, riscv: { stickyMask: false } },
    },
    {
      id: 'fullmm/F2-elsewhere/nobody-leaves',
      why: 'nobody leaves: the CPU that borrows the mm may walk its tables while they are freed',
      oracle: 'O4',
      property: 'TUAF',
      profile: { fullmm: 'F3' },
    },
  ],
});

/** One mm after another on CPU 0; each is gone when the next begins. */
function* oneAfterTheOther(cpu: Cpu): Steps<void> {
  for (let i = 0; i < 2; i++) {
    const mm = yield* mmAlloc(cpu);
    yield* mmap(cpu, mm, 0, PAGE, RW_MEMORY);
    yield* contextSwitch(cpu, mm);
    yield* userStore(cpu, mm, 0, 1);
    yield* exitMm(cpu);
  }
}

const reuse = defineScenario<Record<string, never>>({
  id: 'T28/no-flush-teardown',
  title: 'an mm ends without a flush, and its entries stay under their ASID: no later mm has its ctx_id',
  source: 'core.md T28; arch/x86/mm/tlb.c last_mm_ctx_id',
  cpus: 1,
  profile: { fullmm: 'F2' },
  setup: () => ({}),
  threads: () => [thread((cpu) => oneAfterTheOther(cpu))],
  twins: [
    {
      id: 'T28/no-flush-teardown/naive',
      why: 'ctx_ids come round, and the next mm gets the one of the last: its slot looks clean',
      oracle: ['O8', 'O4'],
      property: 'ALIAS',
      wrong: 'tag-comes-round',
    },
  ],
});

const f3 = defineScenario<{ mm: Mm; next: Mm }>({
  id: 'fullmm/F3-exec',
  title:
    'exec leaves the old mm, and nobody else has it loaded: neither flush nor interrupt, the ASID slot is abandoned',
  source: 'thread of March 2009; core.md 8.5 F3',
  cpus: 2,
  profile: { fullmm: 'F3' },
  setup(run) {
    const { mm } = setStage(run, { touched: [0], running: [0] });
    const next = newMm(run);
    return { mm, next };
  },
  threads: ({ next }) => [
    thread(function* (cpu) {
      yield* execMmap(cpu, next);
      yield* userStore(cpu, next, 0, 1);
    }),
  ],
  twins: [
    {
      id: 'fullmm/F3-exec/exit',
      why: 'exit instead of exec: the CPU itself stays on the mm, lazily, and walks its tables',
      oracle: 'O4',
      property: 'TUAF',
      threads: () => [thread((cpu) => exitMm(cpu))],
    },
    {
      id: 'fullmm/F3-exec/ctx-id-reused',
      why: 'the new mm has the ctx_id of the old one: abandoning is no longer enough',
      oracle: 'O8',
      property: 'ALIAS',
      wrong: 'tag-comes-round',
    },
  ],
});

/** Two threads zap the same page of a live mm; a nested finish, as in Linux, sets fullmm. */
function nested(
  id: string,
  title: string,
  profile: Partial<Profile>,
  why: string,
  wrong: Partial<Profile>,
): AnyScenario {
  return defineScenario<Stage>({
    id: `${id}/fixed`,
    title,
    source: 'core.md 2.4, 8.5, T17',
    cpus: 2,
    profile: { ...profile, nestedFinish: 'whole-mm', finishSync: 'none', deferral: 'counter', ringSlots: 0 },
    backend: { x86: { completedGen: 'none' } },
    setup: (run) => setStage(run, { touched: [0] }),
    threads: ({ mm }) => [
      thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
      thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
    ],
    twins: [{ id: `${id}/naive`, why, oracle: ['O10', 'O1', 'O12'], property: 'SAC', profile: wrong }],
  });
}

const t17 = nested(
  'T17',
  'a shortcut for dead mms that goes by fullmm meets a nested finish of a live one: freed_tables, set last, keeps the flush',
  { fullmm: 'F1', deadMeans: 'fullmm' },
  'freed_tables is set before the reset, which clears it: the whole-mm flush is skipped',
  { nestedFinish: 'whole-mm-reset-last' },
);

const nestedF2 = nested(
  'fullmm/F2-nested',
  'no flush at all for dead mms, beside a nested finish of a live one: the shortcut goes by who tears down, not by fullmm',
  { fullmm: 'F2' },
  'the shortcut goes by fullmm, which the nested finish sets on a live mm',
  { deadMeans: 'fullmm' },
);

/** All of them. */
export const FULLMM: readonly AnyScenario[] = [
  f0,
  f1,
  keep,
  keepAlone,
  f2,
  f2Last,
  f2Gup,
  f2Elsewhere,
  reuse,
  f3,
  t17,
  nestedF2,
];
