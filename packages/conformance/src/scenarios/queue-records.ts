/**
 * Records of pending flushes by themselves (core's deferral/queue.ts): an entry is pending as long as a record covers it whose generation is not
 * completed, and no other entry is. No entries change here, and who relies on the answers is in queue.ts.
 */
import type { Body } from '@mmu-gather/checker';
import {
  type Cpu,
  entryCell,
  type Geometry,
  markMmTlbGenDone,
  PAGE_SHIFT,
  type Profile,
  type PteAt,
  pteTlbFlushPending,
  queueFlush,
  type Steps,
  waitForPendingFlushes,
} from '@mmu-gather/core/stepped';
import { vmaLookup } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { PAGE, setStage, type Page0, withPage0 } from './stage.ts';

const LUTOMIRSKI = 'mail of A. Lutomirski, 2020-12-23';

/** One table of four pages. */
const GEOMETRY: Geometry = { pageShift: PAGE_SHIFT, bits: [2, 1] };
const PAGES = [0, 1, 2, 3];

function at({ mm, p0 }: Page0, cpu: Cpu, page: number): PteAt {
  const address = page * PAGE;
  const { table } = p0;
  return { mm, vma: vmaLookup(cpu, mm, 0)!, table, pte: entryCell(GEOMETRY, table, 0, address), address };
}

/** Records pages `[first, last]`. */
function record(cpu: Cpu, { mm, p0 }: Page0, first: number, last: number): Steps<number> {
  return queueFlush(cpu, mm, p0.table, first * PAGE, (last + 1) * PAGE);
}

/** These pages are pending, and the others are not. */
function* expectPending(cpu: Cpu, env: Page0, ...pages: readonly number[]): Steps<void> {
  for (const page of PAGES) {
    const pending = yield* pteTlbFlushPending(cpu, at(env, cpu, page));
    const what = pending ? 'pending, and was not recorded' : 'recorded, and not pending';
    cpu.claim.that(pending === pages.includes(page), 'O9', `page ${page} is ${what}`);
  }
}

function records(
  id: string,
  title: string,
  queueRecords: number,
  steps: (cpu: Cpu, env: Page0) => Steps<void>,
  twin: {
    readonly name: string;
    readonly why: string;
    readonly profile?: Partial<Profile>;
    readonly steps?: (cpu: Cpu, env: Page0) => Steps<void>;
  },
  only?: Only,
): AnyScenario {
  return defineScenario<Page0>({
    id: `queue-records/${id}`,
    title,
    source: LUTOMIRSKI,
    cpus: 1,
    geometry: GEOMETRY,
    profile: { deferral: 'queue', nestedFinish: 'whole-mm', changeProtection: 'gather', queueRecords },
    backend: { x86: { completedGen: 'after-flush' } },
    sequential: 'it is about what records say',
    ...(only && { only }),
    setup: (run) => withPage0(run, setStage(run, { pages: 4, running: [0] })),
    threads: locked(steps),
    twins: [
      {
        id: `queue-records/${id}/${twin.name}`,
        why: twin.why,
        oracle: 'O9',
        property: 'LOSTW',
        ...(twin.profile && { profile: twin.profile }),
        ...(twin.steps && { threads: locked(twin.steps) }),
      },
    ],
  });
}

/** Under the table's PTL. */
function locked(steps: (cpu: Cpu, env: Page0) => Steps<void>): (env: Page0) => readonly Body[] {
  return (env) => [
    thread(function* (cpu) {
      yield* cpu.spinLock(env.p0.ptl);
      yield* steps(cpu, env);
      yield* cpu.spinUnlock(env.p0.ptl);
    }),
  ];
}

const hull = records(
  'hull',
  'one record takes in what comes below and above it, with the newest generation',
  1,
  function* (cpu, env) {
    const first = yield* record(cpu, env, 1, 1);
    yield* expectPending(cpu, env, 1);
    const second = yield* record(cpu, env, 0, 0);
    yield* expectPending(cpu, env, 0, 1);
    yield* markMmTlbGenDone(cpu, env.mm, first);
    yield* expectPending(cpu, env, 0, 1);
    yield* markMmTlbGenDone(cpu, env.mm, second);
    yield* expectPending(cpu, env);
    yield* record(cpu, env, 2, 2);
    yield* expectPending(cpu, env, 2);
    yield* record(cpu, env, 3, 3);
    yield* expectPending(cpu, env, 2, 3);
  },
  {
    name: 'older-generation',
    why: 'the record keeps its own generation, and the newer part looks done when the older one is',
    profile: { queueMerge: 'older' },
  },
);

const apart = records(
  'apart',
  'what touches a record goes into it, what does not gets another one',
  2,
  function* (cpu, env) {
    yield* record(cpu, env, 0, 0);
    yield* record(cpu, env, 1, 1);
    yield* record(cpu, env, 3, 3);
    yield* expectPending(cpu, env, 0, 1, 3);
  },
  {
    name: 'one-record',
    why: 'a single record is the hull of both, and says more than it was told',
    profile: { queueRecords: 1 },
  },
);

const newest = records(
  'newest',
  'a page that two records cover waits for the newer of them',
  2,
  function* (cpu, env) {
    yield* record(cpu, env, 0, 0);
    yield* record(cpu, env, 3, 3);
    yield* record(cpu, env, 0, 3);
    yield* waitForPendingFlushes(cpu, at(env, cpu, 3));
    yield* expectPending(cpu, env);
  },
  {
    name: 'not-waited',
    why: 'nobody waits',
    *steps(cpu, env) {
      yield* record(cpu, env, 0, 0);
      yield* expectPending(cpu, env);
    },
  },
  { archs: ['x86'], why: 'a flush says there alone what is completed' },
);

/** All of them. */
export const QUEUE_RECORDS: readonly AnyScenario[] = [hull, apart, newest];
