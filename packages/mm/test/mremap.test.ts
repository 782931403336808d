/** mremap: what moves, what is flushed and when, and what the call refuses. */
import { type Profile, type Steps, taskSize, TINY, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  EFAULT,
  EINVAL,
  ENOMEM,
  mmap,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  pagemapSoftDirty,
  userLoad,
  userStore,
  vmasOf,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const TABLE = 512 * PAGE;
const RW = VM_READ | VM_WRITE;
const MOVE = MREMAP_MAYMOVE | MREMAP_FIXED;

test(
  'pages of one table: flushed at the old place under the locks, and found at the new one',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 3 * PAGE, RW);
    yield* userStore(m.cpu, mm, PAGE, 5);
    m.takeClaims('moved');
    expect(yield* mremap(m.cpu, mm, 0, 3 * PAGE, 3 * PAGE, MOVE, 8 * PAGE)).toBe(8 * PAGE);
    // The range of the call, not only what was there; then the unmapping of the old range finds its table in use.
    expect(m.takeFlushes()).toEqual([{ by: 'range', local: 3, sent: 3, tables: true }]);
    expect(m.takeClaims('moved')).toEqual([{ kind: 'moved', start: PAGE, end: 2 * PAGE }]);
    expect(yield* userLoad(m.cpu, mm, 9 * PAGE)).toBe(5);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(-EFAULT);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'what moved is soft-dirty, though nobody wrote to it since clear_refs',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
    yield* userStore(m.cpu, mm, 0, 5);
    yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_SOFT_DIRTY);
    expect(yield* pagemapSoftDirty(m.cpu, mm, 0)).toBe(false);
    yield* mremap(m.cpu, mm, 0, 2 * PAGE, 2 * PAGE, MOVE, 8 * PAGE);
    expect(yield* pagemapSoftDirty(m.cpu, mm, 8 * PAGE)).toBe(true);
    expect(yield* pagemapSoftDirty(m.cpu, mm, 9 * PAGE)).toBe(false);
  }),
);

test(
  'nothing is mapped: nothing is flushed',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, PAGE, RW);
    yield* mmap(m.cpu, mm, 4 * PAGE, PAGE, RW);
    yield* userStore(m.cpu, mm, 4 * PAGE, 1);
    yield* mremap(m.cpu, mm, 0, PAGE, PAGE, MOVE, 8 * PAGE);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

/** The table that maps an address. */
function tableOf(m: FakeMachine, mm: Parameters<FakeMachine['entry']>[0], address: number): number {
  return m.leaf(m.words[mm.pgd]!, address - (address % TABLE));
}

test(
  'a whole table: it moves itself, with one flush of its block; or its entries do, and it is freed',
  run(function* (): Steps<void> {
    for (const movePmd of ['table', 'entries'] as const) {
      const m = new FakeMachine({ profile: { movePmd } });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, TABLE, RW);
      yield* userStore(m.cpu, mm, PAGE, 5);
      const before = tableOf(m, mm, 0);
      yield* mremap(m.cpu, mm, 0, TABLE, TABLE, MOVE, 4 * TABLE);
      const after = tableOf(m, mm, 4 * TABLE);
      const [flush, unmap] = m.takeFlushes();
      expect(flush).toEqual({ by: 'range', local: -1, sent: -1, tables: true });
      if (movePmd === 'table') expect([after, unmap]).toEqual([before, undefined]);
      else expect([after === before, unmap?.tables]).toEqual([false, true]);
      expect(yield* userLoad(m.cpu, mm, 4 * TABLE + PAGE)).toBe(5);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
    }
  }),
);

test(
  'two tables: a flush for each, or one gather for both',
  run(function* (): Steps<void> {
    const flushes = function* (profile: Partial<Profile>): Steps<readonly string[]> {
      const m = new FakeMachine({
        geometry: { pageShift: 12, bits: [1, 2] },
        profile: { movePmd: 'entries', ...profile },
      });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
      yield* userStore(m.cpu, mm, 0, 5);
      yield* userStore(m.cpu, mm, 3 * PAGE, 6);
      yield* mremap(m.cpu, mm, 0, 4 * PAGE, 4 * PAGE, MOVE, 4 * PAGE);
      // The last one is that of the unmapping, which frees the tables.
      const taken = m.takeFlushes().slice(0, -1);
      expect(yield* userLoad(m.cpu, mm, 7 * PAGE)).toBe(6);
      expect(m.words[mm.tlbFlushPending]).toBe(0);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
      return taken.map(({ by, local }) => `${by} ${local}`);
    };
    expect(yield* flushes({ movePtes: 'range' })).toEqual(['range 2', 'range 2']);
    expect(yield* flushes({ movePtes: 'gather' })).toEqual(['gather 4']);
    expect(yield* flushes({ movePtes: 'after-unlock' })).toEqual(['range 2', 'range 2']);
    expect(yield* flushes({ movePtes: 'none' })).toEqual([]);
  }),
);

test(
  'smaller, larger in place, larger elsewhere',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    yield* userStore(m.cpu, mm, 3 * PAGE, 5);
    expect(yield* mremap(m.cpu, mm, 0, 4 * PAGE, 2 * PAGE, 0)).toBe(0);
    expect(m.takeFlushes()).toEqual([{ by: 'gather', local: 1, sent: 1, tables: false }]);
    expect(yield* mremap(m.cpu, mm, 0, 2 * PAGE, 3 * PAGE, 0)).toBe(0);
    expect(vmasOf(m.cpu, mm).map((vma) => m.words[vma.end])).toEqual([3 * PAGE]);
    yield* mmap(m.cpu, mm, 3 * PAGE, PAGE, VM_READ);
    expect(yield* mremap(m.cpu, mm, 0, 3 * PAGE, 4 * PAGE, 0)).toBe(-ENOMEM);
    expect(yield* mremap(m.cpu, mm, 0, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE, 8 * PAGE)).toBe(8 * PAGE);
    expect(vmasOf(m.cpu, mm).map((vma) => m.words[vma.start])).toEqual([3 * PAGE, 8 * PAGE]);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'part of a VMA moves, over what was mapped at the target',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
    yield* mmap(m.cpu, mm, 3 * PAGE, PAGE, RW);
    yield* userStore(m.cpu, mm, 0, 1);
    yield* userStore(m.cpu, mm, PAGE, 2);
    yield* userStore(m.cpu, mm, 3 * PAGE, 3);
    expect(yield* mremap(m.cpu, mm, PAGE, PAGE, PAGE, MOVE, 3 * PAGE)).toBe(3 * PAGE);
    expect(yield* userLoad(m.cpu, mm, 3 * PAGE)).toBe(2);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(1);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(-EFAULT);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'what it refuses leaves the lock free',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
    expect(yield* mremap(m.cpu, mm, 1, PAGE, PAGE, 0)).toBe(-EINVAL);
    expect(yield* mremap(m.cpu, mm, 0, PAGE, PAGE, MREMAP_FIXED, 8 * PAGE)).toBe(-EINVAL);
    expect(yield* mremap(m.cpu, mm, 0, 2 * PAGE, 2 * PAGE, MOVE, PAGE)).toBe(-EINVAL);
    const end = taskSize(m.options.geometry);
    expect(yield* mremap(m.cpu, mm, 0, PAGE, 2 * PAGE, MOVE, end - PAGE)).toBe(-EINVAL);
    expect(yield* mremap(m.cpu, mm, 8 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE)).toBe(-EFAULT);
    expect(yield* mremap(m.cpu, mm, PAGE, 2 * PAGE, PAGE, 0)).toBe(-EFAULT);
    expect(m.words[mm.mmapLock]).toBe(0);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);
