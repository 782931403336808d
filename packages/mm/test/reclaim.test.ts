/** Reclaim's deferred flushes: who sees that one is pending, and what happens if nobody can. */
import {
  finish,
  getPage,
  type Mm,
  putPage,
  type Steps,
  VM_READ,
  VM_WRITE,
  Page,
  PG_DIRTY,
  isSwapPte,
} from '@mmu-gather/core/stepped';
import {
  allocFilePage,
  flushTlbBatchedPending,
  madviseDontneed,
  mmap,
  mprotect,
  munmap,
  type PageCache,
  shrinkPages,
  tlbBatch,
  tryGetPage,
  tryToUnmapFlush,
  tryToUnmapFlushDirty,
  tryToUnmapOne,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;
const EFAULT = -14;

/** An mm with a page that was stored to, and the page. */
function* touched(m: FakeMachine, pages = 1): Steps<{ mm: Mm; page: number }> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
  for (let i = 0; i < pages; i++) yield* userStore(m.cpu, mm, i * PAGE, 5 + i);
  m.takeFlushes();
  return { mm, page: m.pageAt(mm, 0).address };
}

test(
  'a batch is flushed once; what else looks under the PTL flushes before',
  run(function* (): Steps<void> {
    for (const batchedPending of ['counters', 'flag', 'none'] as const) {
      const m = new FakeMachine({ profile: { batchedPending } });
      const { mm, page } = yield* touched(m);
      const batch = tlbBatch();
      yield* getPage(m.cpu, page);
      expect(yield* tryToUnmapOne(m.cpu, page, mm, 0, batch)).toBe(true);
      expect(m.takeFlushes()).toEqual([]);
      expect(isSwapPte(m.entry(mm, 0))).toBe(true);
      expect(batch).toMatchObject({ flushRequired: true, writable: true });
      expect(m.words[mm.tlbFlushBatched]).toBe(batchedPending === 'none' ? 0 : 1);

      // Bug B02: mprotect finds nothing to change, and returns while a CPU can still write.
      yield* mprotect(m.cpu, mm, 0, PAGE, VM_READ);
      const known = batchedPending !== 'none';
      expect(m.takeFlushes().map((flush) => flush.by)).toEqual(known ? ['mm'] : []);
      expect(yield* userStore(m.cpu, mm, 0, 9)).toBe(known ? EFAULT : 0);
      expect(m.words[mm.tlbFlushBatched]).toBe({ counters: 1 + (1 << 16), flag: 0, none: 0 }[batchedPending]);
      // Settled: nobody flushes again.
      yield* mprotect(m.cpu, mm, 0, PAGE, RW);
      expect(m.takeFlushes()).toEqual([]);

      yield* tryToUnmapFlush(m.cpu, batch);
      expect(m.takeFlushes().map((flush) => flush.by)).toEqual(['batch']);
      yield* putPage(m.cpu, page);
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(known ? 5 : 9);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
    }
  }),
);

test(
  'zap, like mprotect, asks before it takes "none" for "not cached"',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { mm, page } = yield* touched(m, 2);
    yield* getPage(m.cpu, page);
    yield* tryToUnmapOne(m.cpu, page, mm, 0, tlbBatch());
    yield* madviseDontneed(m.cpu, mm, 0, PAGE);
    expect(m.takeFlushes().map((flush) => flush.by)).toEqual(['mm']);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(0);
    yield* munmap(m.cpu, mm, 0, 4 * PAGE);
    expect(m.takeFlushes().map((flush) => flush.by)).toEqual(['gather']);
    yield* putPage(m.cpu, page);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'what reclaim adds during the flush: the flag forgets it (trace T7), the counters do not',
  run(function* (): Steps<void> {
    for (const batchedPending of ['flag', 'counters'] as const) {
      const m = new FakeMachine({ profile: { batchedPending } });
      const { mm, page } = yield* touched(m, 2);
      const second = m.pageAt(mm, PAGE).address;
      yield* tryToUnmapOne(m.cpu, page, mm, 0, tlbBatch());
      // Under another PTL in truth; here it comes between the flush and what follows it.
      m.before = (cell) => {
        if (cell !== mm.tlbFlushBatched || m.flushes.length === 0) return;
        m.before = undefined;
        finish(tryToUnmapOne(m.cpu, second, mm, PAGE, tlbBatch()));
      };
      yield* flushTlbBatchedPending(m.cpu, mm);
      expect(m.takeFlushes()).toHaveLength(1);
      yield* flushTlbBatchedPending(m.cpu, mm);
      expect(m.takeFlushes()).toHaveLength(batchedPending === 'flag' ? 0 : 1);
    }
  }),
);

test(
  'counters start anew before they could wrap',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { mm, page } = yield* touched(m);
    m.words[mm.tlbFlushBatched] = 0x4000 + 0x3ffe * 65536;
    yield* tryToUnmapOne(m.cpu, page, mm, 0, tlbBatch());
    expect(m.words[mm.tlbFlushBatched]).toBe(1);
    m.words[mm.tlbFlushBatched] = 0x4000 + 0x4000 * 65536;
    yield* flushTlbBatchedPending(m.cpu, mm);
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'shrinking a list: one flush for all, pages of files go after it',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const pages: number[] = [];
    for (let i = 0; i < 3; i++) pages.push(yield* allocFilePage(m.cpu, 1, 100 + i));
    const files: PageCache = {
      faultAround: 1,
      *fault(_cpu, _file, index): Steps<number> {
        return pages[index]!;
      },
      *cached(): Steps<number> {
        return 0;
      },
    };
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 3 * PAGE, VM_READ, { file: 1, pgoff: 0 });
    yield* mmap(m.cpu, mm, 8 * PAGE, PAGE, RW);
    for (let i = 0; i < 3; i++) expect(yield* userLoad(m.cpu, mm, i * PAGE, files)).toBe(100 + i);
    yield* userStore(m.cpu, mm, 8 * PAGE, 1);
    const list = pages.map((page, i) => ({ page, mm, address: i * PAGE }));
    list.push({ page: m.pageAt(mm, 8 * PAGE).address, mm, address: 8 * PAGE });
    // The cache lets go of the first page, as invalidation would: the mapping holds it until it is flushed.
    yield* putPage(m.cpu, pages[0]!);
    m.takeFlushes();
    expect(yield* shrinkPages(m.cpu, list)).toBe(4);
    expect(m.takeFlushes().map((flush) => flush.by)).toEqual(['batch']);
    expect(m.live.page.has(pages[0]!)).toBe(false);
    expect(m.entry(mm, 0)).toBe(0);
    expect(yield* userLoad(m.cpu, mm, 8 * PAGE)).toBe(1);
    // A page that is gone, and one that is not mapped any more.
    expect(yield* shrinkPages(m.cpu, [{ page: pages[1]!, mm, address: PAGE }])).toBe(0);
  }),
);

test(
  'without batching each page is flushed under its PTL',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { reclaimBatch: false } });
    const { mm, page } = yield* touched(m);
    const batch = tlbBatch();
    yield* tryToUnmapOne(m.cpu, page, mm, 0, batch);
    expect(m.takeFlushes().map((flush) => flush.by)).toEqual(['page']);
    yield* tryToUnmapFlush(m.cpu, batch);
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'before writing out only dirty deferrals are flushed',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { mm, page } = yield* touched(m);
    const batch = { ...tlbBatch(), flushRequired: true };
    yield* tryToUnmapFlushDirty(m.cpu, batch);
    expect(m.takeFlushes()).toEqual([]);
    yield* tryToUnmapOne(m.cpu, page, mm, 0, batch);
    yield* tryToUnmapFlushDirty(m.cpu, batch);
    expect(m.takeFlushes()).toHaveLength(1);
    expect(batch).toMatchObject({ flushRequired: false, writable: false });
  }),
);

test(
  'an entry that no TLB can hold needs no deferral, and that is claimed',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { mm, page } = yield* touched(m);
    yield* mprotect(m.cpu, mm, 0, PAGE, 0);
    m.takeFlushes();
    m.claims.length = 0;
    const batch = tlbBatch();
    expect(yield* tryToUnmapOne(m.cpu, page, mm, 0, batch)).toBe(true);
    expect(batch.flushRequired).toBe(false);
    expect(m.takeClaims('settled')).toEqual([{ kind: 'settled', start: 0, end: PAGE }]);
    expect(m.words[mm.tlbFlushBatched]).toBe(0);
    // A dirty entry tells the page.
    expect(m.words[Page.at(page).flags]! & PG_DIRTY).toBe(PG_DIRTY);
    expect(yield* tryToUnmapOne(m.cpu, page, mm, PAGE, batch)).toBe(false);
    expect(yield* tryToUnmapOne(m.cpu, page, mm, 2 ** 40, batch)).toBe(false);
    expect(yield* tryToUnmapOne(m.cpu, page, mm, 0, batch)).toBe(false);
  }),
);

test(
  'a reference is taken only while there is one',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { page } = yield* touched(m);
    const { refcount } = Page.at(page);
    m.before = (cell) => {
      // Somebody else takes one in between: try again.
      if (cell === refcount && m.words[refcount] === 1) m.words[refcount] = 2;
    };
    expect(yield* tryGetPage(m.cpu, page)).toBe(true);
    m.before = undefined;
    expect(m.words[refcount]).toBe(3);
    m.words[refcount] = 0;
    expect(yield* tryGetPage(m.cpu, page)).toBe(false);
    expect(m.words[refcount]).toBe(0);
  }),
);
