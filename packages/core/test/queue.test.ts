import { expect, test } from 'vitest';
import {
  type Backend,
  finish,
  flushToGen,
  Mm,
  type Profile,
  type PteAt,
  pteTlbFlushPending,
  queueFlush,
  type Steps,
  Vma,
  waitForPendingFlushes,
} from '../src/index.ts';
import { type FakeCpu, fakeCpu } from './fake-cpu.ts';

const PAGE = 4096;
const TABLE = 500;
const mm = Mm.at(100);

interface Queue extends FakeCpu {
  /** Ranges and generations that were flushed, in pages. */
  readonly flushed: [start: number, end: number, gen: number][];
}

function withQueue(more: Partial<Profile> = {}): Queue {
  const fake = fakeCpu({ deferral: 'queue', ...more });
  const flushed: Queue['flushed'] = [];
  (fake.cpu.kernel.backend as { -readonly [K in keyof Backend]: Backend[K] }).flushTlbGen = function* (
    _cpu,
    _mm,
    start,
    end,
    _level,
    _freedTables,
    gen,
  ): Steps<void> {
    flushed.push([start / PAGE, end / PAGE, gen]);
    fake.words[mm.tlbGenCompleted] = gen;
  };
  return { ...fake, flushed };
}

function queue({ cpu }: Queue, start: number, end: number): number {
  return finish(queueFlush(cpu, mm, TABLE, start * PAGE, end * PAGE));
}

function at(page: number): PteAt {
  return { mm, vma: Vma.at(2000), table: TABLE, pte: TABLE + page, address: page * PAGE };
}

function pendingPages({ cpu }: Queue): number[] {
  return [0, 1, 2, 3, 4, 5].filter((page) => finish(pteTlbFlushPending(cpu, at(page))));
}

test('a record is pending where it is, until its generation is completed', () => {
  const q = withQueue();
  expect(pendingPages(q)).toEqual([]);
  queue(q, 1, 3);
  expect(pendingPages(q)).toEqual([1, 2]);
  q.words[mm.tlbGenCompleted] = 1;
  expect(pendingPages(q)).toEqual([]);
});

test('records that touch become one with the newer generation; who waits for the older part flushes to it', () => {
  const q = withQueue({ queueRecords: 2 });
  queue(q, 1, 2);
  queue(q, 2, 3);
  q.words[mm.tlbGenCompleted] = 1;
  expect(pendingPages(q)).toEqual([1, 2]);
  finish(waitForPendingFlushes(q.cpu, at(1)));
  expect(q.flushed).toEqual([[1, 2, 2]]);
  expect(pendingPages(q)).toEqual([]);
});

test('with the older generation the newer part looks done too early', () => {
  const q = withQueue({ queueMerge: 'older' });
  queue(q, 1, 2);
  queue(q, 2, 3);
  q.words[mm.tlbGenCompleted] = 1;
  expect(pendingPages(q)).toEqual([]);
});

test('as many records as there are stay apart; then the last one takes in what comes, and all between', () => {
  const apart = withQueue({ queueRecords: 2 });
  queue(apart, 0, 1);
  queue(apart, 4, 5);
  expect(pendingPages(apart)).toEqual([0, 4]);
  const one = withQueue({ queueRecords: 1 });
  queue(one, 0, 1);
  queue(one, 4, 5);
  expect(pendingPages(one)).toEqual([0, 1, 2, 3, 4]);
});

test('a record that is done is written over', () => {
  const q = withQueue({ queueRecords: 1 });
  queue(q, 0, 1);
  q.words[mm.tlbGenCompleted] = 1;
  queue(q, 4, 5);
  expect(pendingPages(q)).toEqual([4]);
});

test('a flush finds itself done', () => {
  const q = withQueue();
  const gen = queue(q, 0, 1);
  finish(flushToGen(q.cpu, mm, 0, PAGE, gen));
  finish(flushToGen(q.cpu, mm, 0, PAGE, gen));
  expect(q.flushed).toEqual([[0, 1, 1]]);
});

test('a waiter that sleeps does so until somebody else has flushed', () => {
  const q = withQueue({ queueWaiter: 'sleeps' });
  queue(q, 0, 1);
  expect(() => finish(waitForPendingFlushes(q.cpu, at(0)))).toThrow('waits for ever');
});
