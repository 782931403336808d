import { expect, test } from 'vitest';
import {
  finish,
  Mm,
  type Profile,
  RING_ALL,
  type RingFold,
  type RingRange,
  ringCollect,
  ringDone,
  ringEnqueue,
  ringFold,
  ringNewestIn,
  incMmTlbGen,
  type Steps,
} from '../src/index.ts';
import { type FakeCpu, fakeCpu } from './fake-cpu.ts';

const PAGE = 4096;
const mm = Mm.at(100);

function withRing(ringSlots: number, more: Partial<Profile> = {}): FakeCpu {
  return fakeCpu({ deferral: 'ring', ringSlots, ...more });
}

function pages(start: number, end: number, freedTables = false): RingRange {
  return { start: start * PAGE, end: end * PAGE, shift: 12, freedTables };
}

/** Queues ranges, each with a generation of its own. */
function queue({ cpu }: FakeCpu, ...ranges: readonly RingRange[]): void {
  finish(
    (function* (): Steps<void> {
      for (const range of ranges) yield* ringEnqueue(cpu, mm, yield* incMmTlbGen(cpu, mm), range);
    })(),
  );
}

function fold(fake: FakeCpu, from: number, to: number): RingFold {
  return finish(ringFold(fake.cpu, mm, from, to));
}

test('what is not completed is folded: hull, smallest unit, tables if one entry unlinked some', () => {
  const fake = withRing(4);
  queue(fake, pages(9, 10), pages(2, 3), { ...pages(4, 5, true), shift: 21 });
  fake.words[mm.tlbGenCompleted] = 1;
  expect(finish(ringCollect(fake.cpu, mm))).toEqual({
    base: 1,
    gen: 3,
    start: 2 * PAGE,
    end: 5 * PAGE,
    shift: 12,
    freedTables: true,
  });
});

test('a ring that overflowed reaches back as far as it can, and tables may have been unlinked before', () => {
  const fake = withRing(2);
  queue(fake, pages(9, 10), pages(2, 3), pages(4, 5));
  expect(fold(fake, 0, 3)).toEqual({ base: 1, gen: 3, ...pages(2, 5, true) });
});

test('a generation that nobody queued ends the fold; if it is the newest, everything is flushed', () => {
  const fake = withRing(4);
  queue(fake, pages(1, 2));
  finish(incMmTlbGen(fake.cpu, mm));
  expect(fold(fake, 0, 2)).toMatchObject({ base: 2, gen: 2, end: RING_ALL, freedTables: true });
  queue(fake, pages(3, 4));
  expect(fold(fake, 0, 3)).toMatchObject({ base: 2, gen: 3, start: 3 * PAGE, end: 4 * PAGE });
});

test('one entry for everything makes the fold one for everything', () => {
  const fake = withRing(4);
  queue(fake, pages(1, 2), { start: 0, end: RING_ALL, shift: 0, freedTables: true }, pages(3, 4));
  expect(fold(fake, 0, 3)).toMatchObject({ base: 0, start: 0, end: RING_ALL });
});

test('nothing is collected twice', () => {
  const fake = withRing(4);
  queue(fake, pages(1, 2));
  const first = finish(ringCollect(fake.cpu, mm))!;
  queue(fake, pages(5, 6));
  finish(ringDone(fake.cpu, mm, first));
  expect(fake.words[mm.tlbGenCompleted]).toBe(1);
  expect(finish(ringCollect(fake.cpu, mm))).toMatchObject({ base: 1, gen: 2, start: 5 * PAGE, end: 6 * PAGE });
  finish(ringDone(fake.cpu, mm, finish(ringCollect(fake.cpu, mm))!));
  expect(finish(ringCollect(fake.cpu, mm))).toBeNull();
});

test('a late enqueuer leaves a slot alone that serves a newer generation', () => {
  const fake = withRing(1);
  queue(fake, pages(1, 2), pages(3, 4));
  finish(ringEnqueue(fake.cpu, mm, 1, pages(1, 2)));
  expect(fold(fake, 1, 2)).toMatchObject({ base: 1, start: 3 * PAGE, end: 4 * PAGE });
});

test('pending is what touched the range and is not completed; what the ring has lost may have touched it', () => {
  const fake = withRing(2);
  queue(fake, pages(1, 2), pages(3, 4));
  const newest = (start: number, end: number): number => finish(ringNewestIn(fake.cpu, mm, start * PAGE, end * PAGE));
  expect([newest(1, 2), newest(2, 3), newest(3, 4), newest(0, 9)]).toEqual([1, 0, 2, 2]);
  queue(fake, pages(5, 6));
  expect([newest(2, 3), newest(5, 6)]).toEqual([1, 3]);
  fake.words[mm.tlbGenCompleted] = 2;
  expect([newest(3, 4), newest(5, 6)]).toEqual([0, 3]);
});

test('as posted: the completed entry is folded and the newest is not, and what came meanwhile is published', () => {
  const fake = withRing(4, { ringFold: 'off-by-one', ringPublish: 'newest' });
  queue(fake, pages(1, 2), pages(3, 4));
  const wrong = fold(fake, 1, 2);
  expect(wrong).toMatchObject({ gen: 2, start: 1 * PAGE, end: 2 * PAGE });
  queue(fake, pages(5, 6));
  finish(ringDone(fake.cpu, mm, wrong));
  expect(fake.words[mm.tlbGenCompleted]).toBe(3);
});
