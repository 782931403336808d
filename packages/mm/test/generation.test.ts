/** Operations under generations: which brackets they have, what is on record, and what is flushed to which generation. */
import {
  entryTarget,
  finish,
  type Mm,
  PG_LARGE,
  PG_LAZYFREE,
  type Profile,
  type Steps,
  tableDeferredTlbGen,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  dupMm,
  MADV_FREE,
  madvise,
  mmap,
  mprotect,
  munmap,
  pmdOffset,
  ptepGet,
  userStore,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine } from './fake-machine.ts';

const PAGE = 4096;
const TABLE = 2 ** 21;
const RW = VM_READ | VM_WRITE;
const GENERATIONS: Partial<Profile> = { deferral: 'table-gen', changeProtection: 'gather', ptReclaim: false };

/** Two pages in one table, and one in the next. */
function* touched(m: FakeMachine): Steps<Mm> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, TABLE - 2 * PAGE, 4 * PAGE, RW);
  for (const at of [TABLE - 2 * PAGE, TABLE - PAGE, TABLE]) yield* userStore(m.cpu, mm, at, 5);
  m.takeFlushes();
  return mm;
}

/** The generation on record for the table of an address. */
function* recorded(m: FakeMachine, mm: Mm, address: number): Steps<number> {
  const table = entryTarget(yield* ptepGet(m.cpu, yield* pmdOffset(m.cpu, mm, address)));
  return m.words[tableDeferredTlbGen(m.options.geometry, table)]!;
}

/** Runs a test body in either build. */
function run(profile: Partial<Profile>, body: (m: FakeMachine) => Steps<void>): () => void {
  return () => finish(body(new FakeMachine({ profile: { ...GENERATIONS, ...profile } })));
}

test(
  'mprotect over two tables: a generation for each, one flush to the newer',
  run({}, function* (m): Steps<void> {
    const mm = yield* touched(m);
    yield* mprotect(m.cpu, mm, TABLE - 2 * PAGE, 4 * PAGE, VM_READ);
    expect(m.takeFlushes()).toEqual([{ by: 'gen', local: 3, sent: 3, tables: false }]);
    expect([yield* recorded(m, mm, 0), yield* recorded(m, mm, TABLE)]).toEqual([1, 2]);
    expect([m.words[mm.tlbGen], m.words[mm.tlbGenCompleted]]).toEqual([2, 2]);
  }),
);

test(
  'munmap: the tables are flushed with a generation of their own',
  run({}, function* (m): Steps<void> {
    const mm = yield* touched(m);
    yield* munmap(m.cpu, mm, TABLE - 2 * PAGE, 4 * PAGE);
    expect(m.takeFlushes().map(({ by, tables }) => [by, tables])).toEqual([['gather', true]]);
  }),
);

test('MADV_FREE that drops the PTL to split a large folio: a bracket for each part, or (as posted) one', () => {
  for (const [madviseRelock, generations] of [
    ['ends-bracket', 2],
    ['stays-open', 1],
  ] as const) {
    run({ madviseSplits: true, madviseRelock }, function* (m): Steps<void> {
      const mm = yield* touched(m);
      const { flags } = m.pageAt(mm, TABLE - PAGE);
      m.words[flags] = PG_LARGE;
      yield* madvise(m.cpu, mm, TABLE - 2 * PAGE, 2 * PAGE, MADV_FREE);
      expect(m.words[flags]).toBe(PG_LAZYFREE);
      expect(m.words[mm.tlbGen]).toBe(generations);
      expect(m.takeFlushes().map(({ by, local }) => [by, local])).toEqual([['gen', 2]]);
    })();
  }
});

test(
  'in VMAs: neither a split nor fork copies the generation',
  run({ deferral: 'vma-gen' }, function* (m): Steps<void> {
    const mm = yield* touched(m);
    yield* mprotect(m.cpu, mm, TABLE - 2 * PAGE, 4 * PAGE, VM_READ);
    yield* mprotect(m.cpu, mm, TABLE - 2 * PAGE, PAGE, RW);
    const of = (address: number, in_: Mm): number => m.words[vmaLookup(m.cpu, in_, address)!.deferTlbGen]!;
    expect([of(TABLE - 2 * PAGE, mm), of(TABLE, mm)]).toEqual([3, 0]);
    const child = yield* dupMm(m.cpu, mm);
    expect([of(TABLE - 2 * PAGE, child), of(TABLE, child)]).toEqual([0, 0]);
  }),
);

test('what fork copies with the mm is a switch', () => {
  for (const [forkMmGens, deferred, completed] of [
    ['none', 0, 0],
    ['deferred', 2, 0],
    ['completed', 0, 2],
  ] as const) {
    run({ forkMmGens, completedUpdate: 'conditional', forkFlush: 'none' }, function* (m): Steps<void> {
      const mm = yield* touched(m);
      yield* mprotect(m.cpu, mm, TABLE - 2 * PAGE, 4 * PAGE, VM_READ);
      const child = yield* dupMm(m.cpu, mm);
      expect([m.words[child.tlbGenDeferred], m.words[child.tlbGenCompleted]]).toEqual([deferred, completed]);
    })();
  }
});
