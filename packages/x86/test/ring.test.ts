import { incMmTlbGen, Mm, type Profile, ringEnqueue, type Steps } from '@mmu-gather/core/stepped';
import { flushTlbGen, flushTlbMm, flushTlbPage, tlbbatchAddPending } from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 0x1000;

/** Two CPUs that run one mm with a ring, and nothing is logged yet. */
function machine(profile: Partial<Profile> = {}): FakeMachine {
  return new FakeMachine({}, 2, { deferral: 'ring', ringSlots: 4, ...profile });
}

function* running(m: FakeMachine): Steps<Mm> {
  const mm = yield* m.mm('a');
  for (const cpu of [0, 1]) yield* m.switchTo(cpu, mm);
  forget(m);
  return mm;
}

function forget(m: FakeMachine): void {
  m.takeEvents();
  for (const cpu of [0, 1]) m.takeInvalidations(cpu);
}

/** A deferral of one page on CPU 0. @returns its generation */
function* defer(m: FakeMachine, mm: Mm, page: number): Steps<number> {
  const cpu = m.cpus[0]!;
  const gen = yield* incMmTlbGen(cpu, mm);
  yield* ringEnqueue(cpu, mm, gen, { start: page * PAGE, end: (page + 1) * PAGE, shift: 12, freedTables: false });
  return gen;
}

test(
  'several deferrals are one ranged flush, and done for good',
  run(function* (): Steps<void> {
    const m = machine();
    const a = yield* running(m);
    yield* defer(m, a, 5);
    yield* defer(m, a, 8);
    const gen = yield* defer(m, a, 6);
    yield* flushTlbGen(m.cpus[0]!, a, 0, PAGE, 0, false, gen);
    expect(m.takeEvents()).toEqual(['0:4/4', '1:1/4', '0:3/4']);
    expect(m.takeInvalidations(1)).toEqual({ pages: [5, 6, 7, 8].map((page) => page * PAGE), full: 0 });
    expect(m.words[a.tlbGenCompleted]).toBe(3);
    yield* flushTlbGen(m.cpus[0]!, a, 0, PAGE, 0, false, gen);
    expect(m.takeEvents()).toEqual([]);
  }),
);

test(
  'a flush of its own takes along what others have deferred',
  run(function* (): Steps<void> {
    const m = machine();
    const a = yield* running(m);
    yield* defer(m, a, 5);
    yield* flushTlbPage(m.cpus[0]!, a, 6 * PAGE);
    expect(m.takeInvalidations(1).pages).toEqual([5 * PAGE, 6 * PAGE]);
    yield* flushTlbMm(m.cpus[0]!, a);
    expect(m.takeInvalidations(1)).toEqual({ pages: [], full: 1 });
  }),
);

test(
  'what does not fit any more: CPUs behind the reach of the ring flush everything',
  run(function* (): Steps<void> {
    const m = machine({ ringSlots: 1 });
    const a = yield* running(m);
    yield* defer(m, a, 5);
    const gen = yield* defer(m, a, 8);
    yield* flushTlbGen(m.cpus[0]!, a, 0, PAGE, 0, false, gen);
    expect(m.takeInvalidations(1)).toEqual({ pages: [], full: 1 });
  }),
);

test(
  'a CPU that was away since needs less than the initiator folds: only its own handler knows',
  run(function* (): Steps<void> {
    for (const [ringReader, pages] of [
      ['initiator', [5, 6, 7, 8]],
      ['handler', [8]],
    ] as const) {
      const m = machine({ ringReader });
      const a = yield* running(m);
      const b = yield* m.mm('b');
      yield* defer(m, a, 5);
      yield* m.switchTo(1, b);
      yield* m.switchTo(1, a);
      const gen = yield* defer(m, a, 8);
      forget(m);
      yield* flushTlbGen(m.cpus[0]!, a, 0, PAGE, 0, false, gen);
      expect(m.takeInvalidations(1)).toEqual({ pages: pages.map((page) => page * PAGE), full: 0 });
    }
  }),
);

test(
  'a newer deferral does not make a ranged flush full',
  run(function* (): Steps<void> {
    const m = machine();
    const a = yield* running(m);
    const gen = yield* defer(m, a, 5);
    m.before = (cpu, access) => {
      if (cpu.id !== 0 || access !== 'sendIpi') return;
      m.before = undefined;
      m.words[a.tlbGen] = gen + 1;
    };
    yield* flushTlbGen(m.cpus[0]!, a, 0, PAGE, 0, false, gen);
    expect(m.takeInvalidations(1)).toEqual({ pages: [5 * PAGE], full: 0 });
    expect(m.words[a.tlbGenCompleted]).toBe(gen);
  }),
);

test(
  "reclaim's deferrals are in the ring, too",
  run(function* (): Steps<void> {
    const m = machine();
    const a = yield* running(m);
    const batch = { cpumask: 0, writable: false, flushRequired: false, gens: new Map<number, number>() };
    yield* tlbbatchAddPending(m.cpus[0]!, batch, a, 7 * PAGE);
    yield* flushTlbGen(m.cpus[0]!, a, 0, PAGE, 0, false, 1);
    expect(m.takeInvalidations(1)).toEqual({ pages: [7 * PAGE], full: 0 });
  }),
);
