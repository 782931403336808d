/** Reclaim writes pages out and frees them: what is flushed before. */
import { type Mm, PG_DIRTY, Page, type Steps, VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  allocMapping,
  fileBacking,
  filemapAdd,
  flushTlbBatchedPending,
  mmap,
  shrinkPages,
  tlbBatch,
  tryToUnmapOne,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

test(
  'a dirty page is flushed before it is written out; a clean one need not be',
  run(function* (): Steps<void> {
    for (const pageoutFlush of ['dirty', 'none'] as const) {
      const m = new FakeMachine({ profile: { pageoutFlush } });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
      yield* userStore(m.cpu, mm, 0, 5);
      const { address, flags } = m.pageAt(mm, 0);
      m.takeFlushes();
      m.claims.length = 0;
      yield* shrinkPages(m.cpu, [{ page: address, mm, address: 0 }]);
      expect(m.takeClaims('clean').map(({ end }) => end)).toEqual([pageoutFlush === 'dirty' ? 1 : 0]);
      expect(m.takeFlushes().map(({ by }) => by)).toEqual(['batch']);
      expect(m.words[flags]! & PG_DIRTY).toBe(0);
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
    }
  }),
);

/** A page of a file, mapped and read or written. */
function* filePage(m: FakeMachine, flags: number): Steps<{ mm: Mm; file: number; page: number }> {
  const mapping = yield* allocMapping(m.cpu);
  const page = yield* filemapAdd(m.cpu, mapping, 0, 100);
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, PAGE, flags, fileBacking(mapping.address));
  if ((flags & VM_WRITE) !== 0) yield* userStore(m.cpu, mm, 0, 7);
  else yield* userLoad(m.cpu, mm, 0);
  m.takeFlushes();
  return { mm, file: mapping.address, page };
}

test(
  'a page leaves its file clean, and is freed after the flush',
  run(function* (): Steps<void> {
    for (const flags of [VM_READ, RW | VM_SHARED]) {
      const m = new FakeMachine();
      const mapping = yield* allocMapping(m.cpu);
      const page = yield* filemapAdd(m.cpu, mapping, 0, 100);
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, PAGE, flags, fileBacking(mapping.address));
      if ((flags & VM_WRITE) !== 0) yield* userStore(m.cpu, mm, 0, 7);
      else yield* userLoad(m.cpu, mm, 0);
      m.takeFlushes();
      m.claims.length = 0;
      yield* shrinkPages(m.cpu, [{ page, mm, address: 0 }], mapping);
      // Flushed, written out, and given up; or given up at once, and flushed before it is freed.
      expect(m.takeClaims('clean').map(({ end }) => end)).toEqual((flags & VM_WRITE) !== 0 ? [1, 1] : [0]);
      expect(m.takeFlushes().map(({ by }) => by)).toEqual(['batch']);
      expect(m.live.page.has(page)).toBe(false);
      expect(m.words[mapping.pages]).toBe(0);
      // There is nothing behind the mapping any more.
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(-14);
    }
  }),
);

test(
  'a page that somebody else holds stays in its file',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { mm, page } = yield* filePage(m, VM_READ);
    m.words[Page.at(page).refcount]!++;
    expect(yield* shrinkPages(m.cpu, [{ page, mm, address: 0 }])).toBe(1);
    expect(m.live.page.has(page)).toBe(true);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(100);
  }),
);

test(
  'counts in two words: each settlement is noted once, and never starts anew',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { batchedPending: 'two-words', batchedLarge: 0 } });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
    for (const at of [0, PAGE]) yield* userStore(m.cpu, mm, at, 1);
    for (const at of [0, PAGE]) yield* tryToUnmapOne(m.cpu, m.pageAt(mm, at).address, mm, at, tlbBatch());
    m.takeFlushes();
    yield* flushTlbBatchedPending(m.cpu, mm);
    yield* flushTlbBatchedPending(m.cpu, mm);
    expect(m.takeFlushes().map(({ by }) => by)).toEqual(['mm']);
    expect([m.words[mm.tlbFlushBatched], m.words[mm.tlbFlushBatchedDone]]).toEqual([2, 2]);
  }),
);
