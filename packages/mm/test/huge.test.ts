/** Huge pages: who makes them, what is flushed when they change, when they are split, and that nothing leaks. */
import {
  entryTarget,
  getPage,
  type Geometry,
  type Mm,
  Page,
  type Profile,
  PSE,
  pteDirty,
  pteWrite,
  putPage,
  type Steps,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  CLEAR_REFS_ALL,
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  collapseHugePage,
  dupMm,
  gupFast,
  hugepageMadvise,
  MADV_FREE,
  madvise,
  madviseDontneed,
  mmap,
  mmput,
  moveHugePmd,
  mprotect,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  mremap,
  munmap,
  pagemapSoftDirty,
  pmdOffset,
  splitHugePmd,
  tryToUnmapOne,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';
import type { Flush } from './recording-backend.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;
/** Two levels of four entries: a huge page is a row of four. */
const FOURS: Geometry = { pageShift: 12, bits: [2, 2] };
const HUGE = 4 * PAGE;

/** A machine and an mm with two ranges that may have huge pages. */
function* wanted(profile: Partial<Profile> = {}): Steps<{ m: FakeMachine; mm: Mm }> {
  const m = new FakeMachine({ geometry: FOURS, profile });
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 2 * HUGE, RW);
  yield* hugepageMadvise(m.cpu, mm, 0, 2 * HUGE);
  return { m, mm };
}

/** And a huge page in the first of them. */
function* mapped(profile: Partial<Profile> = {}): Steps<{ m: FakeMachine; mm: Mm }> {
  const { m, mm } = yield* wanted(profile);
  yield* userStore(m.cpu, mm, PAGE, 7);
  m.takeFlushes();
  return { m, mm };
}

/** A flush of one huge page: one unit, four base pages. */
function hugeFlush(by: Flush['by'], tables = by === 'range'): Flush {
  return { by, local: 1, sent: 4, tables };
}

function isHuge(m: FakeMachine, mm: Mm, address: number): boolean {
  return (m.entry(mm, address) & PSE) !== 0;
}

test(
  'a write fault maps the whole row at once, where it is wanted and fits',
  run(function* (): Steps<void> {
    const { m, mm } = yield* wanted();
    expect(yield* userStore(m.cpu, mm, 2 * PAGE, 5)).toBe(0);
    expect(isHuge(m, mm, 0)).toBe(true);
    expect(m.live.page.size).toBe(4);
    expect(yield* userLoad(m.cpu, mm, 2 * PAGE)).toBe(5);
    expect(yield* userLoad(m.cpu, mm, 3 * PAGE)).toBe(0);
    // The pgd, and the table that was deposited.
    expect(m.live.table.size).toBe(2);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a read fault, or a VMA that nobody asked for, gets small pages',
  run(function* (): Steps<void> {
    const { m, mm } = yield* wanted();
    yield* userLoad(m.cpu, mm, 0);
    expect(isHuge(m, mm, 0)).toBe(false);
    yield* mmap(m.cpu, mm, 2 * HUGE, HUGE, RW);
    yield* userStore(m.cpu, mm, 2 * HUGE, 1);
    expect(isHuge(m, mm, 2 * HUGE)).toBe(false);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'munmap flushes one unit of the upper level, then frees the row; the deposited table needs no flush',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    yield* munmap(m.cpu, mm, 0, HUGE);
    expect(m.takeFlushes()).toEqual([hugeFlush('gather', false)]);
    expect(m.live.page.size).toBe(0);
    expect(m.live.table.size).toBe(1);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a part of a huge page is split off before it is zapped; the rest stays as it was',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    yield* madviseDontneed(m.cpu, mm, 0, PAGE);
    expect(m.takeFlushes()).toEqual([hugeFlush('range'), { by: 'gather', local: 1, sent: 1, tables: false }]);
    expect(m.entry(mm, 0)).toBe(0);
    expect(isHuge(m, mm, PAGE)).toBe(false);
    expect(pteDirty(m.entry(mm, PAGE))).toBe(true);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(7);
    expect(m.live.page.size).toBe(3);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'mprotect flushes once: at the exchange, or with its gather',
  run(function* (): Steps<void> {
    for (const hugeProtect of ['flush', 'gather'] as const) {
      const { m, mm } = yield* mapped({ hugeProtect });
      yield* mprotect(m.cpu, mm, 0, HUGE, VM_READ);
      const flushes = m.takeFlushes();
      expect(flushes[0]).toEqual(hugeFlush(hugeProtect === 'flush' ? 'range' : 'gather', hugeProtect === 'flush'));
      expect(isHuge(m, mm, 0)).toBe(true);
      expect(pteWrite(m.entry(mm, 0))).toBe(false);
      expect(yield* userStore(m.cpu, mm, 0, 1)).not.toBe(0);
      yield* mprotect(m.cpu, mm, 0, HUGE, RW);
      expect(yield* userStore(m.cpu, mm, 0, 1)).toBe(0);
      expect(isHuge(m, mm, 0)).toBe(true);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
    }
  }),
);

test(
  'whether the gather must flush a huge page, the rule for huge pages says',
  run(function* (): Steps<void> {
    for (const needs of [true, false]) {
      const { m, mm } = yield* mapped({ hugeProtect: 'gather' });
      m.kernel.backend.hugePmdNeedsFlush = () => needs;
      m.kernel.backend.pteNeedsFlush = () => !needs;
      yield* mprotect(m.cpu, mm, 0, HUGE, VM_READ);
      expect(m.takeFlushes()).toEqual(needs ? [hugeFlush('gather')] : []);
    }
    const { m, mm } = yield* mapped({ hugeProtect: 'gather', needsFlush: 'always' });
    m.kernel.backend.hugePmdNeedsFlush = () => false;
    yield* mprotect(m.cpu, mm, 0, HUGE, VM_READ);
    expect(m.takeFlushes()).toEqual([hugeFlush('gather')]);
  }),
);

test(
  'fork shares the row; the first store splits it and copies one page',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    const child = yield* dupMm(m.cpu, mm);
    expect(m.takeFlushes()).toEqual([{ by: 'mm', local: -1, sent: -1, tables: true }]);
    expect(isHuge(m, child, 0)).toBe(true);
    expect(m.live.page.size).toBe(4);
    yield* userStore(m.cpu, mm, PAGE, 8);
    expect(isHuge(m, mm, 0)).toBe(false);
    expect(isHuge(m, child, 0)).toBe(true);
    expect(m.live.page.size).toBe(5);
    yield* mmput(m.cpu, child);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(8);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a row that is nobody elses any more becomes writable as a whole',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    yield* mmput(m.cpu, yield* dupMm(m.cpu, mm));
    m.takeFlushes();
    yield* userStore(m.cpu, mm, 0, 8);
    expect(isHuge(m, mm, 0)).toBe(true);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'MADV_FREE of the whole leaves it huge and clean, of a part splits it',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    m.takeFlushes();
    yield* madvise(m.cpu, mm, 0, HUGE, MADV_FREE);
    expect(m.takeFlushes()).not.toEqual([]);
    expect(isHuge(m, mm, 0)).toBe(true);
    expect(pteDirty(m.entry(mm, 0))).toBe(false);
    // Once more: it is neither young nor dirty.
    yield* madvise(m.cpu, mm, 0, HUGE, MADV_FREE);
    expect(m.takeFlushes()).toEqual([]);
    yield* userStore(m.cpu, mm, 0, 3);
    yield* madvise(m.cpu, mm, PAGE, PAGE, MADV_FREE);
    expect(isHuge(m, mm, 0)).toBe(false);
    expect([0, 1, 2, 3].map((i) => pteDirty(m.entry(mm, i * PAGE)))).toEqual([true, false, true, true]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'the dirty bit that the hardware sets while a huge page is split is kept',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    yield* madvise(m.cpu, mm, 0, HUGE, MADV_FREE);
    const pmd = yield* pmdOffset(m.cpu, mm, 0);
    let looks = 0;
    m.before = (cell) => {
      // Behind the read, ahead of the exchange.
      if (cell !== pmd || ++looks !== 2) return;
      m.before = undefined;
      m.words[pmd] = m.words[pmd]! | 64;
    };
    yield* splitHugePmd(m.cpu, mm, pmd, 0);
    expect(looks).toBe(2);
    expect(pteDirty(m.entry(mm, 0))).toBe(true);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'hinting takes a huge page away, and the next access brings it back',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    expect(yield* changeProtNuma(m.cpu, mm, 0, HUGE)).toBe(4);
    expect(m.entry(mm, 0)).toBe(0);
    m.takeFlushes();
    expect(yield* changeProtNuma(m.cpu, mm, 0, HUGE)).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(7);
    expect(yield* userStore(m.cpu, mm, PAGE, 9)).toBe(0);
    expect(isHuge(m, mm, 0)).toBe(true);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a huge entry moves with its table, and the old place is flushed',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    const from = yield* pmdOffset(m.cpu, mm, 0);
    const to = yield* pmdOffset(m.cpu, mm, HUGE);
    m.takeClaims('moved');
    expect(yield* moveHugePmd(m.cpu, mm, 0, HUGE, from, to)).toBe(true);
    expect(m.takeFlushes()).toEqual([hugeFlush('range')]);
    expect(m.takeClaims('moved')).toEqual([{ kind: 'moved', start: 0, end: HUGE }]);
    expect(isHuge(m, mm, HUGE)).toBe(true);
    expect(yield* userLoad(m.cpu, mm, HUGE + PAGE)).toBe(7);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'mremap moves a huge page as a whole, or splits it if only a part moves',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    yield* mremap(m.cpu, mm, 0, HUGE, HUGE, fixed, 2 * HUGE);
    expect(m.takeFlushes()).toEqual([hugeFlush('range')]);
    expect(isHuge(m, mm, 2 * HUGE)).toBe(true);
    yield* mremap(m.cpu, mm, 2 * HUGE, 2 * PAGE, 2 * PAGE, fixed, 0);
    expect(m.takeFlushes()[0]).toEqual(hugeFlush('range'));
    expect(isHuge(m, mm, 2 * HUGE + 2 * PAGE)).toBe(false);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(7);
    expect(yield* userLoad(m.cpu, mm, 2 * HUGE + 3 * PAGE)).toBe(0);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a huge page that moved is soft-dirty, though nobody wrote to it since clear_refs',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_SOFT_DIRTY);
    expect(yield* pagemapSoftDirty(m.cpu, mm, PAGE)).toBe(false);
    yield* mremap(m.cpu, mm, 0, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, 2 * HUGE);
    expect(isHuge(m, mm, 2 * HUGE)).toBe(true);
    expect(yield* pagemapSoftDirty(m.cpu, mm, 2 * HUGE + PAGE)).toBe(true);
  }),
);

test(
  'collapse flushes base pages of the whole range, then copies; holes become zeroes',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: FOURS });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, HUGE, RW);
    yield* userStore(m.cpu, mm, 0, 5);
    yield* userStore(m.cpu, mm, 2 * PAGE, 6);
    yield* hugepageMadvise(m.cpu, mm, 0, HUGE);
    m.takeFlushes();
    expect(yield* collapseHugePage(m.cpu, mm, PAGE)).toBe(true);
    expect(m.takeFlushes()).toEqual([{ by: 'range', local: 4, sent: 4, tables: true }]);
    expect(isHuge(m, mm, 0)).toBe(true);
    expect(m.live.page.size).toBe(4);
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) seen.push(yield* userLoad(m.cpu, mm, i * PAGE));
    expect(seen).toEqual([5, 0, 6, 0]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'who looks for one page splits: reclaim leaves a swap entry, the others stay mapped',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    const page = entryTarget(m.entry(mm, 0)) + Page.words;
    yield* getPage(m.cpu, page);
    expect(yield* tryToUnmapOne(m.cpu, page, mm, PAGE, null)).toBe(true);
    expect(m.takeFlushes()).toEqual([hugeFlush('range'), { by: 'page', local: 1, sent: 1, tables: false }]);
    expect(isHuge(m, mm, 0)).toBe(false);
    yield* putPage(m.cpu, page);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(7);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'where locks are not split, tables of huge pages know the one of their mm, too',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped({ splitPtl: false });
    const child = yield* dupMm(m.cpu, mm);
    for (const each of [mm, child]) {
      yield* splitHugePmd(m.cpu, each, yield* pmdOffset(m.cpu, each, 0), 0);
      yield* userStore(m.cpu, each, PAGE, 9);
    }
    yield* mmput(m.cpu, child);
    for (let i = 0; i < 4; i++) yield* userStore(m.cpu, mm, i * PAGE, i);
    expect(yield* collapseHugePage(m.cpu, mm, 0)).toBe(true);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'clear_refs of accessed bits flushes nothing for a huge page',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    m.takeFlushes();
    yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_ALL);
    expect(isHuge(m, mm, 0)).toBe(true);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'clear_refs takes the right to write from a huge page; a write marks it again',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_SOFT_DIRTY);
    expect(m.takeFlushes()[0]).toEqual(hugeFlush('range'));
    expect(pteWrite(m.entry(mm, 0))).toBe(false);
    expect(yield* pagemapSoftDirty(m.cpu, mm, 0)).toBe(false);
    yield* userStore(m.cpu, mm, 0, 1);
    expect(isHuge(m, mm, 0)).toBe(true);
    expect(yield* pagemapSoftDirty(m.cpu, mm, 0)).toBe(true);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'collapse leaves a range alone of which somebody holds a page',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: FOURS });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, HUGE, RW);
    yield* userStore(m.cpu, mm, 0, 5);
    yield* hugepageMadvise(m.cpu, mm, 0, HUGE);
    const page = yield* gupFast(m.cpu, mm, 0, true);
    expect(page).toBe(entryTarget(m.entry(mm, 0)));
    expect(m.words[Page.at(page).refcount]).toBe(2);
    expect(yield* collapseHugePage(m.cpu, mm, 0)).toBe(false);
    expect(isHuge(m, mm, 0)).toBe(false);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
    m.words[Page.at(page).refcount] = 1;
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'GUP-fast finds the page within a huge one, and nothing where a store would have to copy',
  run(function* (): Steps<void> {
    const { m, mm } = yield* mapped();
    const page = yield* gupFast(m.cpu, mm, 2 * PAGE, true);
    expect(page).toBe(entryTarget(m.entry(mm, 0)) + 2 * Page.words);
    m.words[Page.at(page).refcount] = 1;
    yield* mmput(m.cpu, yield* dupMm(m.cpu, mm));
    expect(yield* gupFast(m.cpu, mm, 2 * PAGE, true)).toBe(0);
    expect(yield* gupFast(m.cpu, mm, HUGE, false)).toBe(0);
    expect(m.cpu.irqsOff).toBe(0);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);
