/**
 * x86: a CPU that is idle, and borrows an mm, sleeps on: a flush that frees no tables leaves it alone, and it compares generations when it comes
 * back. What frees tables must wake it, for it may walk them by speculation.
 */
import type { Layout } from '@mmu-gather/checker';
import { type Cell, type Cpu, getPage, type Mm, putPage, type Steps } from '@mmu-gather/core/stepped';
import { madviseDontneed, tlbBatch, tryToUnmapFlush, tryToUnmapOne } from '@mmu-gather/mm/stepped';
import { leaveMm } from '@mmu-gather/x86/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { discardable, MASK, nobodyLeft } from './rfc-mask.ts';
import { PAGE, setStage, type Stage, toUser, type Page0, withPage0 } from './stage.ts';

const X86_ONLY: Only = { archs: ['x86'], why: 'others interrupt whoever is in the mask, or nobody' };

interface Asleep extends Stage {
  readonly done: Cell;
}

/** Reserved before any kernel exists, so where it is is the same in all runs. */
let doneCell: Cell = 0;
let turnCell: Cell = 0;

/** It takes no interrupts until somebody wakes it. */
function* sleeps(cpu: Cpu, mm: Mm, done: Cell): Steps<void> {
  yield* cpu.waitFor(done, 'equal', 1);
  yield* cpu.localIrqEnable();
  yield* toUser(cpu, mm);
}

const sleepsOn = defineScenario<Asleep>({
  id: 'idle/sleeps-on',
  title:
    'a page goes while a CPU that borrows the mm is asleep: nobody waits for it, and it flushes when it comes back',
  source: 'arch/x86/mm/tlb.c tlb_is_not_lazy, should_flush_tlb',
  cpus: 2,
  only: X86_ONLY,
  profile: { ptReclaim: false },
  sequential: 'it wakes up when all is done',
  reserve(layout: Layout) {
    doneCell = layout.reserve('done', ['']);
  },
  setup(run) {
    const stage = setStage(run, { lazy: [1] });
    run(1, (cpu) => cpu.localIrqDisable());
    return { ...stage, done: doneCell };
  },
  threads: ({ mm, done }) => [
    thread(function* (cpu) {
      yield* madviseDontneed(cpu, mm, 0, PAGE);
      yield* cpu.storeRelease(done, 1);
    }),
    thread((cpu) => sleeps(cpu, mm, done)),
  ],
  twins: [
    {
      id: 'idle/sleeps-on/woken',
      why: 'every flush says that it frees tables, and interrupts all CPUs of the mask',
      oracle: 'deadlock',
      property: 'LIVE',
      threads: ({ mm, done }, kernel) => [
        thread(function* (cpu) {
          yield* kernel.backend.flushTlbMm(cpu, mm);
          yield* cpu.storeRelease(done, 1);
        }),
        thread((cpu) => sleeps(cpu, mm, done)),
      ],
    },
    {
      id: 'idle/sleeps-on/not-compared',
      why: 'it comes back without a look at the generation',
      oracle: ['O1', 'O2', 'O11'],
      property: 'FUAF',
      backend: { x86: { lazyExitCheck: false } },
    },
  ],
});

/** Unlinks the table, which is empty, and frees it behind a flush. */
function* unlinkTable(cpu: Cpu, { mm, p0 }: Page0, flush: Steps<void>): Steps<void> {
  yield* cpu.spinLock(mm.pageTableLock);
  yield* cpu.writeOnce(p0.pmd, 0);
  yield* cpu.spinUnlock(mm.pageTableLock);
  yield* flush;
  yield* cpu.free('table', p0.table);
}

const wholeMm = defineScenario<Page0>({
  id: 'idle/flush-mm',
  title:
    'a table is unlinked and the whole mm is flushed: flush_tlb_mm always reaches CPUs that are lazy, and what they walk',
  source: 'arch/x86/include/asm/tlbflush.h flush_tlb_mm',
  cpus: 2,
  only: X86_ONLY,
  profile: { ptReclaim: false },
  sequential: 'what races are walks of a CPU that runs nothing',
  setup(run) {
    const stage = withPage0(run, setStage(run, { touched: [0], lazy: [1] }));
    run(0, (cpu) => madviseDontneed(cpu, stage.mm, 0, PAGE));
    return stage;
  },
  threads: (env, kernel) => [thread((cpu) => unlinkTable(cpu, env, kernel.backend.flushTlbMm(cpu, env.mm)))],
  twins: [
    {
      id: 'idle/flush-mm/page',
      why: 'one page is flushed, which does not say that tables go',
      oracle: 'O4',
      property: 'TUAF',
      threads: (env, kernel) => [thread((cpu) => unlinkTable(cpu, env, kernel.backend.flushTlbPage(cpu, env.mm, 0)))],
    },
  ],
});

interface LeavesMask extends Page0 {
  readonly mask: Cell;
  readonly turn: Cell;
}

/** Reclaim defers, the idle CPU leaves the mm, reclaim flushes. */
const leavesMask = ({ mm, p0, turn }: LeavesMask) => [
  thread(function* (cpu) {
    const batch = tlbBatch();
    yield* tryToUnmapOne(cpu, p0.page, mm, 0, batch);
    yield* cpu.storeRelease(turn, 1);
    yield* cpu.waitFor(turn, 'equal', 2);
    yield* tryToUnmapFlush(cpu, batch);
    yield* putPage(cpu, p0.page);
  }),
  thread(function* (cpu) {
    yield* cpu.waitFor(turn, 'equal', 1);
    yield* leaveMm(cpu);
    yield* cpu.storeRelease(turn, 2);
  }),
];

/** D9, of a CPU that runs no mm at all. */
const leftForSleep = defineScenario<LeavesMask>({
  id: 'rfc/mask-idle',
  title:
    "a CPU leaves the mm for a deep sleep between reclaim's deferral and its flush: it is interrupted, has nothing to flush, and leaves the mask",
  source: 'RFC 2021, N. Amit, patch 20; arch/x86/mm/tlb.c leave_mm',
  cpus: 2,
  only: X86_ONLY,
  where: { backend: { x86: { flushOrder: 'overlapped' } } },
  profile: MASK,
  sequential: 'each waits for the other',
  reserve(layout: Layout) {
    turnCell = layout.reserve('turn', ['']);
  },
  setup(run, kernel) {
    const stage = discardable(run, { touched: [0], lazy: [1] });
    run(0, (cpu) => getPage(cpu, stage.p0.page));
    return { ...stage, mask: kernel.batchedCpumask, turn: turnCell };
  },
  threads: leavesMask,
  final: nobodyLeft,
  twins: [
    {
      id: 'rfc/mask-idle/stays',
      why: 'as posted: only a full flush acknowledges, and a CPU that runs no mm stays in the mask',
      oracle: 'assert',
      profile: { batchedAck: 'before-full-flush' },
    },
  ],
});

/** All of them. */
export const X86_IDLE: readonly AnyScenario[] = [sleepsOn, wholeMm, leftForSleep];
