/** Writeback, dirty tracking of mappings, and clear_refs: which entries change, and what is flushed. */
import {
  ACCESSED,
  type AddressSpace,
  type Mm,
  PG_DIRTY,
  pteDirty,
  pteWrite,
  type Steps,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  allocMapping,
  CLEAR_REFS_ALL,
  CLEAR_REFS_MM_HIWATER_RSS,
  CLEAR_REFS_SOFT_DIRTY,
  cleanRecordSharedMappingRange,
  clearRefsWrite,
  fileBacking,
  filemapAdd,
  mmap,
  munmap,
  pagemapSoftDirty,
  pageMkclean,
  remapPfnRange,
  secondaryFault,
  userLoad,
  userStore,
  vmaLookup,
  writebackPage,
  wpSharedMappingRange,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

interface Mapped {
  readonly mm: Mm;
  readonly file: AddressSpace;
}

/** A file of three pages, mapped shared, of which the first two were stored to. */
function* mapped(m: FakeMachine): Steps<Mapped> {
  const file = yield* allocMapping(m.cpu);
  for (let i = 0; i < 3; i++) yield* filemapAdd(m.cpu, file, i, 100 + i);
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 3 * PAGE, RW | VM_SHARED, fileBacking(file.address));
  for (let i = 0; i < 2; i++) yield* userStore(m.cpu, mm, i * PAGE, 1 + i);
  yield* userLoad(m.cpu, mm, 2 * PAGE);
  m.takeFlushes();
  m.claims.length = 0;
  return { mm, file };
}

function flags(m: FakeMachine, { mm }: Mapped, page: number): [boolean, boolean] {
  const entry = m.entry(mm, page * PAGE);
  return [pteWrite(entry), pteDirty(entry)];
}

test(
  'writeback cleans entries under their PTL, and the next store marks the page again',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const at = yield* mapped(m);
    const page = m.pageAt(at.mm, 0);
    expect(yield* writebackPage(m.cpu, at.file, 0)).toBe(1);
    expect(m.takeFlushes().map(({ by }) => by)).toEqual(['page']);
    expect(m.takeClaims('clean').map(({ start }) => start)).toEqual([page.address]);
    expect(flags(m, at, 0)).toEqual([false, false]);
    expect(m.words[page.flags]! & PG_DIRTY).toBe(0);
    // Clean and read-only: nothing to do, nothing to flush.
    expect(yield* writebackPage(m.cpu, at.file, 0)).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
    yield* userStore(m.cpu, at.mm, 0, 9);
    expect(flags(m, at, 0)).toEqual([true, true]);
    expect(m.words[page.flags]! & PG_DIRTY).toBe(PG_DIRTY);
    // Unmapped: only the page tells.
    yield* munmap(m.cpu, at.mm, 0, 3 * PAGE);
    m.takeFlushes();
    expect(yield* pageMkclean(m.cpu, at.file, 0, page.address)).toBe(false);
    expect(yield* writebackPage(m.cpu, at.file, 0)).toBe(1);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* writebackPage(m.cpu, at.file, 3)).toBe(0);
  }),
);

test(
  'a look at dirty bits: the pages that were written to, one flush of their range',
  run(function* (): Steps<void> {
    for (const dirtyHelpers of ['pending', 'gather', 'none'] as const) {
      const m = new FakeMachine({ profile: { dirtyHelpers } });
      const at = yield* mapped(m);
      expect(yield* cleanRecordSharedMappingRange(m.cpu, at.file, 0, 3)).toEqual([0, 1]);
      const by = { pending: 'range', gather: 'gather', none: '' }[dirtyHelpers];
      expect(m.takeFlushes().map((flush) => [flush.by, flush.local])).toEqual(by === '' ? [] : [[by, 2]]);
      expect(m.claims.filter(({ kind }) => kind === 'clean')).toHaveLength(3);
      expect([0, 1].map((page) => flags(m, at, page))).toEqual([
        [true, false],
        [true, false],
      ]);
      expect(m.words[at.mm.tlbFlushPending]).toBe(0);
      yield* userStore(m.cpu, at.mm, PAGE, 9);
      // Without the flush the store went through the old entry, and left no trace.
      expect(yield* cleanRecordSharedMappingRange(m.cpu, at.file, 0, 3)).toEqual(by === '' ? [] : [1]);
    }
  }),
);

test(
  'write protection: what is read-only already needs none; the whole range if somebody else is pending',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const at = yield* mapped(m);
    yield* writebackPage(m.cpu, at.file, 0);
    m.takeFlushes();
    // The third was only read, and is writable all the same: shared memory wants no notice of writes.
    expect(yield* wpSharedMappingRange(m.cpu, at.file, 0, 3)).toBe(2);
    expect(m.takeFlushes().map(({ by, local }) => [by, local])).toEqual([['range', 2]]);
    expect(yield* wpSharedMappingRange(m.cpu, at.file, 0, 3)).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
    m.words[at.mm.tlbFlushPending] = 1;
    expect(yield* wpSharedMappingRange(m.cpu, at.file, 0, 3)).toBe(0);
    expect(m.takeFlushes().map(({ by, local }) => [by, local])).toEqual([['range', 3]]);
    expect(m.words[at.mm.tlbFlushPending]).toBe(1);
    expect(flags(m, at, 1)).toEqual([false, true]);
  }),
);

test(
  'secondary MMUs are let go after the flush, or before it',
  run(function* (): Steps<void> {
    for (const notifierEnd of ['after-flush', 'before-flush'] as const) {
      const m = new FakeMachine({ profile: { notifierEnd } });
      const at = yield* mapped(m);
      let flushed = -1;
      m.before = (cell) => {
        if (cell === at.mm.notifierCount) flushed = m.flushes.length;
      };
      yield* wpSharedMappingRange(m.cpu, at.file, 0, 3);
      m.before = undefined;
      expect(flushed).toBe(notifierEnd === 'after-flush' ? 1 : 0);
      expect(m.words[at.mm.notifierCount]).toBe(0);
      expect(yield* secondaryFault(m.cpu, at.mm, 0)).toBe(m.entry(at.mm, 0));
      expect(yield* secondaryFault(m.cpu, at.mm, 2 ** 40)).toBe(0);
    }
  }),
);

test(
  'clear_refs: the next write marks its page',
  run(function* (): Steps<void> {
    for (const clearRefs of ['pending-mm', 'gather', 'flush-if-nested'] as const) {
      const m = new FakeMachine({ profile: { clearRefs } });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
      for (const at of [0, PAGE]) yield* userStore(m.cpu, mm, at, 5);
      m.takeFlushes();
      expect(yield* pagemapSoftDirty(m.cpu, mm, 0)).toBe(true);
      expect(yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_SOFT_DIRTY)).toBe(0);
      const by = { 'pending-mm': ['mm'], gather: ['gather'], 'flush-if-nested': [] }[clearRefs];
      expect(m.takeFlushes().map((flush) => flush.by)).toEqual(by);
      expect([0, PAGE].map((at) => pteWrite(m.entry(mm, at)))).toEqual([false, false]);
      expect(yield* pagemapSoftDirty(m.cpu, mm, 0)).toBe(false);
      yield* userStore(m.cpu, mm, 0, 6);
      // Nothing was flushed: the store went through the old entry.
      expect(yield* pagemapSoftDirty(m.cpu, mm, 0)).toBe(clearRefs !== 'flush-if-nested');
      expect(m.words[mm.tlbFlushPending]).toBe(0);
    }
  }),
);

test(
  'clear_refs of other types',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, PAGE, RW);
    yield* userStore(m.cpu, mm, 0, 5);
    m.takeFlushes();
    const before = m.entry(mm, 0);
    expect(yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_MM_HIWATER_RSS)).toBe(0);
    expect(m.entry(mm, 0)).toBe(before);
    expect(yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_ALL)).toBe(0);
    expect(pteWrite(m.entry(mm, 0))).toBe(true);
    expect(m.entry(mm, 0)).not.toBe(before);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* clearRefsWrite(m.cpu, mm, 9)).toBe(-22);
    expect(yield* pagemapSoftDirty(m.cpu, mm, 2 ** 40)).toBe(false);
  }),
);

test(
  'clear_refs leaves frames without struct page alone, whatever its type and form',
  run(function* (): Steps<void> {
    for (const clearRefs of ['pending-mm', 'gather'] as const) {
      const m = new FakeMachine({ profile: { clearRefs } });
      const mm = yield* m.newMm();
      const frame = yield* m.cpu.alloc('page', 1);
      // Frames that a driver mapped, beside ordinary memory in which one entry is special.
      yield* mmap(m.cpu, mm, 0, PAGE, RW | VM_PFNMAP);
      yield* remapPfnRange(m.cpu, mm, vmaLookup(m.cpu, mm, 0)!, 0, frame, 1);
      yield* mmap(m.cpu, mm, 2 * PAGE, 2 * PAGE, RW);
      yield* remapPfnRange(m.cpu, mm, vmaLookup(m.cpu, mm, 2 * PAGE)!, 2 * PAGE, frame, 1);
      yield* userStore(m.cpu, mm, 3 * PAGE, 5);
      const entries = (): number[] => [0, 2 * PAGE, 3 * PAGE].map((at) => m.entry(mm, at));
      const [driver, special, normal] = entries();
      yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_ALL);
      expect(entries()).toEqual([driver, special, normal! - ACCESSED]);
      yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_SOFT_DIRTY);
      expect(m.entry(mm, 0)).toBe(driver);
      expect([2 * PAGE, 3 * PAGE].map((at) => pteWrite(m.entry(mm, at)))).toEqual([false, false]);
    }
  }),
);
