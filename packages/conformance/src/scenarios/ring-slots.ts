/**
 * Slots of the flush ring by themselves (core's deferral/ring.ts, rules R3 to R5): what they say of a generation is what they were told of it,
 * or that they have forgotten it. No entries and no flushes: who relies on the answers is in ring.ts.
 */
import {
  type Cpu,
  deferTlbFlush,
  markMmTlbGenDone,
  type Mm,
  type Profile,
  RING_ALL,
  ringEnqueue,
  type RingFold,
  ringFold,
  ringNewestIn,
  type RingRange,
  type Steps,
} from '@mmu-gather/core/stepped';
import { mmAlloc } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE } from './stage.ts';

const LUTOMIRSKI = 'mail of A. Lutomirski, 2021-02-01';

interface Rung {
  readonly mm: Mm;
}

function ring(ringSlots: number, more: Partial<Profile> = {}): Partial<Profile> {
  return { deferral: 'ring', ringSlots, nestedFinish: 'whole-mm', changeProtection: 'gather', ...more };
}

const PAGE_0: RingRange = { start: 0, end: PAGE, shift: 12, freedTables: false };
const PAGE_2: RingRange = { start: 2 * PAGE, end: 3 * PAGE, shift: 13, freedTables: true };
const PAGE_4: RingRange = { start: 4 * PAGE, end: 5 * PAGE, shift: 14, freedTables: false };
const ALL: RingRange = { start: 0, end: RING_ALL, shift: 12, freedTables: false };

function* enqueue(cpu: Cpu, mm: Mm, range: RingRange): Steps<number> {
  const gen = yield* deferTlbFlush(cpu, mm);
  yield* ringEnqueue(cpu, mm, gen, { ...range });
  return gen;
}

/** A fold is the hull of these ranges from a base on, and in the smallest unit. */
function isHull(fold: RingFold, base: number, { start, end, shift, freedTables }: RingRange): boolean {
  const same = fold.start === start && fold.end === end && fold.shift === shift && fold.freedTables === freedTables;
  return same && fold.base === base;
}

/** What the ring says of one generation: its range, or that nothing is known. */
function* holdsOrForgot(cpu: Cpu, mm: Mm, gen: number, range: RingRange): Steps<void> {
  const fold = yield* ringFold(cpu, mm, gen - 1, gen);
  const forgot = isHull(fold, gen, { start: 0, end: RING_ALL, shift: 0, freedTables: true });
  cpu.claim.that(forgot || isHull(fold, gen - 1, range), 'O16', `the ring has another range for generation ${gen}`);
}

const atOnce = defineScenario<Rung>({
  id: 'ring-slots/filled-at-once',
  title: 'two CPUs fill one slot: it holds one of the two as a whole, and in the end the newer',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(1),
  setup: (run) => ({ mm: run(0, mmAlloc) }),
  threads: ({ mm }) =>
    [PAGE_0, PAGE_2].map((range) =>
      thread(function* (cpu) {
        const gen = yield* enqueue(cpu, mm, range);
        yield* holdsOrForgot(cpu, mm, gen, range);
        // Whoever has the newer one finds it, for nobody writes over it.
        const fold = yield* ringFold(cpu, mm, gen - 1, gen);
        cpu.claim.that(gen === 1 || fold.base < gen, 'O16', 'the newest generation is not in the ring');
      }),
    ),
  twins: [
    {
      id: 'ring-slots/filled-at-once/no-recheck',
      why: 'the reader does not look at the generation again',
      oracle: 'O16',
      property: 'SAC',
      profile: { ringRecheck: false },
    },
  ],
});

const readWhile = defineScenario<Rung>({
  id: 'ring-slots/read-while-filled',
  title: 'a slot is given to the next generation while it is read',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(1),
  setup(run) {
    const mm = run(0, mmAlloc);
    run(0, (cpu) => enqueue(cpu, mm, PAGE_0));
    return { mm };
  },
  threads: ({ mm }) => [
    thread((cpu) => enqueue(cpu, mm, PAGE_2)),
    thread(function* (cpu) {
      yield* holdsOrForgot(cpu, mm, 1, PAGE_0);
      yield* holdsOrForgot(cpu, mm, 2, PAGE_2);
    }),
  ],
  twins: [
    {
      id: 'ring-slots/read-while-filled/no-recheck',
      why: 'the reader does not look at the generation again',
      oracle: 'O16',
      property: 'SAC',
      profile: { ringRecheck: false },
    },
  ],
});

function expectHull(cpu: Cpu, fold: RingFold, base: number, range: RingRange): void {
  cpu.claim.that(isHull(fold, base, range), 'O16', `the fold of (${base}, ${fold.gen}] is not the hull of its parts`);
}

/** Nothing races, so who reads need not look twice: what a slot says first is what counts. */
const hull = defineScenario<Rung>({
  id: 'ring-slots/hull',
  title: 'generations are folded: the hull of all, in the smallest unit, with tables if one of them freed some',
  source: LUTOMIRSKI,
  cpus: 1,
  profile: ring(4, { ringRecheck: false }),
  sequential: 'it is about what a fold says',
  setup: (run) => ({ mm: run(0, mmAlloc) }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* enqueue(cpu, mm, PAGE_2);
      yield* enqueue(cpu, mm, PAGE_0);
      // The older one widens it upwards, and then one widens it downwards.
      expectHull(cpu, yield* ringFold(cpu, mm, 0, 2), 0, { start: 0, end: 3 * PAGE, shift: 12, freedTables: true });
      yield* enqueue(cpu, mm, PAGE_4);
      expectHull(cpu, yield* ringFold(cpu, mm, 1, 3), 1, { start: 0, end: 5 * PAGE, shift: 12, freedTables: false });
      yield* enqueue(cpu, mm, ALL);
      expectHull(cpu, yield* ringFold(cpu, mm, 2, 4), 2, ALL);
      yield* enqueue(cpu, mm, PAGE_0);
      expectHull(cpu, yield* ringFold(cpu, mm, 3, 5), 3, ALL);
      // The first one is forgotten: whoever needs it needs everything, and tables may have gone with it.
      expectHull(cpu, yield* ringFold(cpu, mm, 0, 5), 1, { ...ALL, freedTables: true });
      expectHull(cpu, yield* ringFold(cpu, mm, 0, 1), 1, { start: 0, end: RING_ALL, shift: 0, freedTables: true });
    }),
  ],
  twins: [
    {
      id: 'ring-slots/hull/off-by-one',
      why: 'the fold leaves out the newest',
      oracle: 'O16',
      property: 'SAC',
      profile: { ringFold: 'off-by-one' },
    },
  ],
});

function* expectNewest(cpu: Cpu, mm: Mm, { start, end }: RingRange, gen: number): Steps<void> {
  const found = yield* ringNewestIn(cpu, mm, start, end);
  cpu.claim.that(found === gen, 'O16', `generation ${found} is the newest in a range, and not ${gen}`);
}

const newest = defineScenario<Rung>({
  id: 'ring-slots/newest',
  title: 'the newest generation that touched a range; of what the ring has forgotten, any may have',
  source: LUTOMIRSKI,
  cpus: 1,
  profile: ring(2, { ringRecheck: false }),
  sequential: 'it is about what a scan says',
  setup: (run) => ({ mm: run(0, mmAlloc) }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* enqueue(cpu, mm, PAGE_0);
      yield* enqueue(cpu, mm, PAGE_2);
      yield* expectNewest(cpu, mm, PAGE_0, 1);
      yield* expectNewest(cpu, mm, PAGE_4, 0);
      yield* enqueue(cpu, mm, PAGE_4);
      yield* expectNewest(cpu, mm, PAGE_4, 3);
      yield* expectNewest(cpu, mm, PAGE_2, 2);
      yield* expectNewest(cpu, mm, PAGE_0, 1);
      yield* markMmTlbGenDone(cpu, mm, 2);
      yield* expectNewest(cpu, mm, PAGE_0, 0);
    }),
  ],
  twins: [
    {
      id: 'ring-slots/newest/one-slot',
      why: 'with one slot, the second generation is forgotten when the third comes: the scan ends there',
      oracle: 'O16',
      profile: { ringSlots: 1 },
    },
  ],
});

/** All of them. */
export const RING_SLOTS: readonly AnyScenario[] = [atOnce, readWhile, hull, newest];
