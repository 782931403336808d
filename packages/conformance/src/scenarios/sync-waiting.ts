/**
 * A finish that finds another gather open waits for it or flushes everything, whichever the other one allows (core's sync-finish.ts). Nothing
 * changes here: a word says that a gather is between its opening and its flush.
 */
import type { Layout, Now } from '@mmu-gather/checker';
import {
  awaitEpoch,
  type Cell,
  type Cpu,
  decTlbFlushPending,
  epochToAwait,
  incTlbFlushPending,
  joinEpoch,
  leaveEpoch,
  type Mm,
  NO_WAIT,
  type Profile,
  type Steps,
  tlbFinishMmu,
  tlbGatherMmu,
} from '@mmu-gather/core/stepped';
import { mmAlloc } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { PAGE, setStage, type Stage } from './stage.ts';

const EPOCHS: Partial<Profile> = { finishSync: 'epoch', nestedFinish: 'whole-mm', deferral: 'counter' };

interface Waiting extends Stage {
  readonly open: Cell;
  /** The epoch of gathers, and behind it up to which one all are drained; 0 without epochs. */
  readonly epoch: Cell;
}

/** Reserved before any kernel exists, so where it is is the same in all runs. */
let openCell: Cell = 0;

/** Entries are changed, and not flushed yet, while the word is 1. */
function* change(cpu: Cpu, open: Cell): Steps<void> {
  yield* cpu.storeRelease(open, 1);
  yield* cpu.storeRelease(open, 0);
}

function* inGather(cpu: Cpu, mm: Mm, open: Cell, alone: boolean): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm, alone);
  yield* change(cpu, open);
  yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
}

function* withoutGather(cpu: Cpu, mm: Mm, open: Cell): Steps<void> {
  yield* incTlbFlushPending(cpu, mm);
  yield* change(cpu, open);
  yield* decTlbFlushPending(cpu, mm);
}

/** What it sees changed is flushed when its finish returns: by the other one, or by a flush of everything. */
function* seesAndFinishes(cpu: Cpu, mm: Mm, open: Cell): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm);
  const seen = yield* cpu.loadAcquire(open);
  yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
  if (seen === 0 || tlb.fullmm) return;
  const still = yield* cpu.readOnce(open);
  cpu.claim.that(still === 0, 'O10', 'a finish returns before what it saw is flushed');
}

/** Whoever joins the present epoch would not be waited for if it were drained already. */
function drainedLast({ peek }: Now, { epoch }: Waiting): string | undefined {
  if (epoch === 0 || peek(epoch + 1) <= peek(epoch)) return undefined;
  return `epoch ${peek(epoch + 1)} is drained, and ${peek(epoch)} is not over`;
}

function waits(
  id: string,
  title: string,
  other: (cpu: Cpu, mm: Mm, open: Cell) => Steps<void>,
  finishes: number,
  only?: Only,
): AnyScenario {
  return defineScenario<Waiting>({
    id: `sync-waiting/${id}`,
    title,
    source: 'mail of P. Zijlstra, 2019-05-09',
    cpus: 2,
    ...(only && { only }),
    profile: EPOCHS,
    reserve(layout: Layout) {
      openCell = layout.reserve('open', ['']);
    },
    setup(run, { designs, profile }) {
      const stage = setStage(run, { touched: [0], running: [0, 1], inKernel: [1] });
      return { ...stage, open: openCell, epoch: profile.finishSync === 'epoch' ? stage.mm.address + designs.sync : 0 };
    },
    threads: ({ mm, open }) => [
      thread((cpu) => other(cpu, mm, open)),
      thread(function* (cpu) {
        for (let n = 0; n < finishes; n++) yield* seesAndFinishes(cpu, mm, open);
      }),
    ],
    invariant: drainedLast,
    twins: [
      {
        id: `sync-waiting/${id}/neither`,
        why: 'the finish neither waits nor flushes',
        oracle: 'O10',
        property: 'SAC',
        profile: { finishSync: 'none', nestedFinish: 'none' },
      },
    ],
  });
}

/** It is the largest of these, and flushes of no architecture have a part in it. */
const ONE_OF_EACH_MODEL: Only = {
  archs: ['x86', 'arm64'],
  why: 'it is about words in memory: one of each memory model',
};

/** Nobody waits for either of them, and when both are done nobody counts as open. */
const twoAlone = defineScenario<Stage>({
  id: 'sync-waiting/two-alone',
  title: 'two that may not be waited for open and close at once',
  source: 'mail of P. Zijlstra, 2019-05-09',
  cpus: 2,
  only: ONE_OF_EACH_MODEL,
  profile: EPOCHS,
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) =>
    [0, 1].map(() =>
      thread(function* (cpu) {
        yield* incTlbFlushPending(cpu, mm);
        yield* decTlbFlushPending(cpu, mm);
      }),
    ),
  twins: [
    {
      id: 'sync-waiting/two-alone/one-stays',
      why: 'one of them does not close',
      oracle: 'O16',
      property: 'LIVE',
      threads: ({ mm }) => [
        thread((cpu) => incTlbFlushPending(cpu, mm)),
        thread(function* (cpu) {
          yield* incTlbFlushPending(cpu, mm);
          yield* decTlbFlushPending(cpu, mm);
        }),
      ],
    },
  ],
});

/** How far the gather of {@link joins} is that opens meanwhile. */
const CHANGED = 1;
const FLUSHED = 2;
let farCell: Cell = 0;

interface Joining {
  readonly mm: Mm;
  readonly far: Cell;
  /** The epoch of a gather of CPU 0 that is open when it begins. */
  readonly opened: number;
}

/** A finish, as far as epochs go: it ends one, leaves what the gather has joined, and waits. @returns whether it could wait */
function* endsEpoch(cpu: Cpu, mm: Mm, joined: number): Steps<boolean> {
  const awaited = yield* epochToAwait(cpu, mm, joined);
  yield* leaveEpoch(cpu, mm, joined);
  yield* awaitEpoch(cpu, mm, awaited);
  return awaited !== NO_WAIT;
}

/** @param joinsFirst whether the other gather joins an epoch before it changes entries */
const joining =
  (joinsFirst: boolean) =>
  ({ mm, far, opened }: Joining) => [
    thread(function* (cpu): Steps<void> {
      yield* endsEpoch(cpu, mm, opened);
      const joined = yield* joinEpoch(cpu, mm);
      const seen = yield* cpu.loadAcquire(far);
      const waited = yield* endsEpoch(cpu, mm, joined);
      if (seen !== CHANGED || !waited) return;
      const now = yield* cpu.readOnce(far);
      cpu.claim.that(now === FLUSHED, 'O10', 'a finish returns before what it saw is flushed');
    }),
    thread(function* (cpu): Steps<void> {
      if (!joinsFirst) yield* cpu.storeRelease(far, CHANGED);
      const joined = yield* joinEpoch(cpu, mm);
      if (joinsFirst) yield* cpu.storeRelease(far, CHANGED);
      yield* cpu.storeRelease(far, FLUSHED);
      yield* leaveEpoch(cpu, mm, joined);
    }),
  ];

const joins = defineScenario<Joining>({
  id: 'sync-waiting/joins-as-it-ends',
  title:
    'a gather opens while a finish ends the epoch: it joins the next one, where the next finish finds it, and is counted in no other',
  source: 'mail of P. Zijlstra, 2019-05-09',
  cpus: 2,
  only: ONE_OF_EACH_MODEL,
  profile: EPOCHS,
  reserve(layout: Layout) {
    farCell = layout.reserve('far', ['']);
  },
  setup(run) {
    const mm = run(0, mmAlloc);
    return { mm, far: farCell, opened: run(0, (cpu) => joinEpoch(cpu, mm)) };
  },
  threads: joining(true),
  twins: [
    {
      id: 'sync-waiting/joins-as-it-ends/too-late',
      why: 'it does not join before it changes entries: a finish that begins in between does not know of it',
      oracle: 'O10',
      property: 'SAC',
      threads: joining(false),
    },
  ],
});

/** All of them. */
export const SYNC_WAITING: readonly AnyScenario[] = [
  waits('gather', 'a gather that may be waited for', (cpu, mm, open) => inGather(cpu, mm, open, false), 1),
  waits(
    'gather-twice',
    'the same, and two finishes end two epochs',
    (cpu, mm, open) => inGather(cpu, mm, open, false),
    2,
    ONE_OF_EACH_MODEL,
  ),
  waits('alone', 'a gather that may not be waited for', (cpu, mm, open) => inGather(cpu, mm, open, true), 1),
  waits('no-gather', 'somebody who defers without a gather', withoutGather, 1),
  twoAlone,
  joins,
];
