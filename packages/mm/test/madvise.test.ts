/** MADV_FREE and MADV_COLD: what is flushed, and what reclaim may do afterwards. */
import {
  ACCESSED,
  DIRTY,
  finish,
  type Mm,
  type Steps,
  tlbFinishMmu,
  tlbGatherMmu,
  VM_READ,
  VM_WRITE,
  isSwapPte,
  mkMigrationPte,
} from '@mmu-gather/core/stepped';
import {
  dupMm,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  madvise,
  madviseFreePageRange,
  mmap,
  munmap,
  processMadvise,
  shrinkPages,
  tlbBatch,
  tryToUnmapOne,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

function* touched(m: FakeMachine, pages: number): Steps<Mm> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 16 * PAGE, RW);
  for (let i = 0; i < pages; i++) yield* userStore(m.cpu, mm, i * PAGE, 5 + i);
  m.takeFlushes();
  return mm;
}

test(
  'MADV_FREE flushes what was young or dirty, and once',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m, 4);
    yield* userLoad(m.cpu, mm, 8 * PAGE);
    expect(yield* madvise(m.cpu, mm, 0, 16 * PAGE, MADV_FREE)).toBe(0);
    expect(m.takeFlushes().map(({ by, local, tables }) => [by, local, tables])).toEqual([['gather', 4, false]]);
    expect(m.entry(mm, 0) & (ACCESSED | DIRTY)).toBe(0);
    expect(yield* madvise(m.cpu, mm, 0, 16 * PAGE, MADV_FREE)).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
    expect(yield* userStore(m.cpu, mm, PAGE, 9)).toBe(0);
    expect(m.entry(mm, PAGE) & DIRTY).toBe(DIRTY);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'reclaim drops what is still clean, and keeps what was written since',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m, 3);
    const pages = [0, 1, 2].map((i) => m.pageAt(mm, i * PAGE).address);
    yield* madvise(m.cpu, mm, 0, 2 * PAGE, MADV_FREE);
    yield* userStore(m.cpu, mm, PAGE, 9);
    expect(
      yield* shrinkPages(
        m.cpu,
        pages.map((page, i) => ({ page, mm, address: i * PAGE })),
      ),
    ).toBe(2);
    expect([m.entry(mm, 0), isSwapPte(m.entry(mm, PAGE)), isSwapPte(m.entry(mm, 2 * PAGE))]).toEqual([0, false, true]);
    expect(m.live.page.has(pages[0]!)).toBe(false);
    expect([yield* userLoad(m.cpu, mm, 0), yield* userLoad(m.cpu, mm, PAGE)]).toEqual([0, 9]);
    // It is an ordinary page again: the next time it is swapped out.
    expect(yield* shrinkPages(m.cpu, [{ page: pages[1]!, mm, address: PAGE }])).toBe(1);
    expect(isSwapPte(m.entry(mm, PAGE))).toBe(true);
    // What is swapped out and given up need not come back.
    yield* madvise(m.cpu, mm, 0, 16 * PAGE, MADV_FREE);
    expect([m.entry(mm, PAGE), m.entry(mm, 2 * PAGE)]).toEqual([0, 0]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a reference taken before reclaim looks keeps the page',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m, 1);
    const page = m.pageAt(mm, 0);
    yield* madvise(m.cpu, mm, 0, PAGE, MADV_FREE);
    m.words[page.refcount]!++;
    expect(yield* shrinkPages(m.cpu, [{ page: page.address, mm, address: 0 }])).toBe(0);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
  }),
);

test(
  'without the nested flush a store after MADV_FREE is lost (bug B03)',
  run(function* (): Steps<void> {
    for (const nestedFinish of ['whole-mm', 'none'] as const) {
      const m = new FakeMachine({ profile: { nestedFinish } });
      const mm = yield* touched(m, 1);
      const page = m.pageAt(mm, 0).address;
      const other = yield* tlbGatherMmu(m.cpu, mm);
      yield* madviseFreePageRange(m.cpu, other, 0, PAGE);
      expect(yield* madvise(m.cpu, mm, 0, PAGE, MADV_FREE)).toBe(0);
      yield* userStore(m.cpu, mm, 0, 9);
      yield* tlbFinishMmu(m.cpu, other, 0, PAGE);
      yield* shrinkPages(m.cpu, [{ page, mm, address: 0 }]);
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(nestedFinish === 'none' ? 0 : 9);
    }
  }),
);

test(
  'MADV_COLD flushes what was young, VMA by VMA, and leaves dirty pages dirty',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m, 8);
    yield* mmap(m.cpu, mm, 16 * PAGE, 4 * PAGE, RW);
    yield* userStore(m.cpu, mm, 17 * PAGE, 1);
    expect(yield* madvise(m.cpu, mm, 0, 20 * PAGE, MADV_COLD)).toBe(0);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([8, 1]);
    expect(m.entry(mm, 0) & (ACCESSED | DIRTY)).toBe(DIRTY);
    expect(yield* madvise(m.cpu, mm, 0, 20 * PAGE, MADV_COLD)).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'pages that somebody else maps are left alone',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m, 2);
    finish(dupMm(m.cpu, mm));
    yield* userStore(m.cpu, mm, 0, 6);
    m.takeFlushes();
    expect(yield* madvise(m.cpu, mm, 0, 2 * PAGE, MADV_FREE)).toBe(0);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([1]);
  }),
);

test(
  'a vector is one gather, and each range counts',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m, 13);
    const ranges = [0, 4, 8].map((page) => ({ start: page * PAGE, end: (page + 2) * PAGE }));
    expect(yield* processMadvise(m.cpu, mm, ranges, MADV_DONTNEED)).toBe(0);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([10]);
    expect(m.live.page.size).toBe(7);
    expect(yield* processMadvise(m.cpu, mm, [], MADV_DONTNEED)).toBe(0);
    expect(yield* madvise(m.cpu, mm, 0, PAGE, 99)).toBe(-22);
    yield* mmap(m.cpu, mm, 16 * PAGE, PAGE, VM_READ, { file: 1, pgoff: 0 });
    expect(yield* madvise(m.cpu, mm, 0, 17 * PAGE, MADV_FREE)).toBe(-22);
    expect(m.words[mm.mmapLock]).toBe(0);
    expect(m.words[mm.tlbFlushPending]).toBe(0);
  }),
);

test(
  'MADV_FREE asks reclaim first, claims what it saw, and leaves what is on its way',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m, 3);
    yield* tryToUnmapOne(m.cpu, m.pageAt(mm, 0).address, mm, 0, tlbBatch());
    const swapped = m.entry(mm, 0);
    yield* madvise(m.cpu, mm, 0, PAGE, MADV_COLD);
    expect(m.entry(mm, 0)).toBe(swapped);
    expect(m.takeFlushes().map((flush) => flush.by)).toEqual(['mm']);
    const leaf = m.leaf(m.words[mm.pgd]!, 2 * PAGE);
    const entry = m.words[leaf]!;
    m.words[leaf] = mkMigrationPte(m.pageAt(mm, 2 * PAGE).address);
    m.claims.length = 0;
    yield* madvise(m.cpu, mm, 0, 3 * PAGE, MADV_FREE);
    expect(m.claims.map((claim) => claim.kind)).toEqual(['observed', 'finished']);
    expect([m.entry(mm, 0), isSwapPte(m.entry(mm, 2 * PAGE))]).toEqual([0, true]);
    m.words[leaf] = entry;
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a hole in one range of a vector keeps it from the ranges after it',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m, 4);
    const ranges = [
      { start: 16 * PAGE, end: 18 * PAGE },
      { start: 0, end: 2 * PAGE },
    ];
    expect(yield* processMadvise(m.cpu, mm, ranges, MADV_DONTNEED)).toBe(-12);
    expect(m.live.page.size).toBe(4);
    expect(yield* processMadvise(m.cpu, mm, ranges.toReversed(), MADV_DONTNEED)).toBe(-12);
    expect(m.live.page.size).toBe(2);
    m.claims.length = 0;
    // Nothing there: no gather is opened.
    expect(yield* munmap(m.cpu, mm, 20 * PAGE, PAGE)).toBe(0);
    expect(m.claims.map((claim) => claim.kind)).toEqual(['limit']);
  }),
);
