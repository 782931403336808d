/** mprotect: which entries change and which need a flush, by the rules of 6.18. */
import {
  pteWrite,
  SAVED_DIRTY,
  DIRTY,
  type Steps,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
  pteProtnone,
} from '@mmu-gather/core/stepped';
import {
  allocFilePage,
  dupMm,
  mmap,
  mprotect,
  type PageCache,
  userLoad,
  userStore,
  vmasOf,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const R = VM_READ;
const RW = VM_READ | VM_WRITE;
const RX = VM_READ | VM_EXEC;
const EFAULT = -14;

/** Pages flushed by each step of a sequence of protections; 0 for none. */
function* flushed(m: FakeMachine, change: (prot: number) => Steps<number>, prots: readonly number[]): Steps<number[]> {
  const pages: number[] = [];
  for (const prot of prots) {
    m.takeFlushes();
    expect(yield* change(prot)).toBe(0);
    const flushes = m.takeFlushes();
    expect(flushes.length).toBeLessThan(2);
    pages.push(flushes[0]?.local ?? 0);
  }
  return pages;
}

test(
  'exclusive anonymous page: a flush both ways, and no fault after the promotion',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    yield* userStore(m.cpu, mm, PAGE, 5);
    yield* userStore(m.cpu, mm, 2 * PAGE, 5);
    const change = (prot: number): Steps<number> => mprotect(m.cpu, mm, 0, 4 * PAGE, prot);
    expect(yield* flushed(m, change, [R, R, RW, RX, RW, 0, RW, 0, R])).toEqual([2, 0, 2, 2, 2, 2, 0, 2, 0]);
    expect(pteWrite(m.entry(mm, PAGE))).toBe(false);
    expect(m.entry(mm, PAGE) & (DIRTY | SAVED_DIRTY)).toBe(SAVED_DIRTY);
    expect(yield* change(RW)).toBe(0);
    expect(pteWrite(m.entry(mm, PAGE))).toBe(true);
    expect(m.entry(mm, PAGE) & (DIRTY | SAVED_DIRTY)).toBe(DIRTY);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'zero page and shared page: read-only either way, so nothing to flush, and the next write faults',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(0);
    const zero = (prot: number): Steps<number> => mprotect(m.cpu, mm, 0, PAGE, prot);
    expect(yield* flushed(m, zero, [R, RW, 0, RW])).toEqual([0, 0, 1, 0]);
    yield* userStore(m.cpu, mm, PAGE, 5);
    yield* dupMm(m.cpu, mm);
    const shared = (prot: number): Steps<number> => mprotect(m.cpu, mm, PAGE, PAGE, prot);
    expect(yield* flushed(m, shared, [R, RW])).toEqual([0, 0]);
    expect(pteWrite(m.entry(mm, PAGE))).toBe(false);
  }),
);

test(
  'shared file page: writable at once only if it is dirty',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const page = yield* allocFilePage(m.cpu, 1, 9);
    const files: PageCache = {
      faultAround: 1,
      *fault(): Steps<number> {
        return page;
      },
      *cached(): Steps<number> {
        return page;
      },
    };
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, PAGE, RW | VM_SHARED | VM_WRITENOTIFY, { file: 1, pgoff: 0 });
    const change = (prot: number): Steps<number> => mprotect(m.cpu, mm, 0, PAGE, prot);
    expect(yield* userLoad(m.cpu, mm, 0, files)).toBe(9);
    expect(yield* flushed(m, change, [R, RW])).toEqual([0, 0]);
    expect(yield* userStore(m.cpu, mm, 0, 10, files)).toBe(0);
    expect(yield* flushed(m, change, [R, RW])).toEqual([1, 1]);
    expect(pteWrite(m.entry(mm, 0))).toBe(true);
  }),
);

test(
  'what it takes away is gone when it returns; without a flush it is not',
  run(function* (): Steps<void> {
    for (const changeProtection of ['gather', 'range', 'none'] as const) {
      const m = new FakeMachine({ profile: { changeProtection } });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, PAGE, RW);
      yield* userStore(m.cpu, mm, 0, 5);
      yield* mprotect(m.cpu, mm, 0, PAGE, R);
      expect(yield* userStore(m.cpu, mm, 0, 6)).toBe(changeProtection === 'none' ? 0 : EFAULT);
      yield* mprotect(m.cpu, mm, 0, PAGE, 0);
      expect(pteProtnone(m.entry(mm, 0))).toBe(true);
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(changeProtection === 'none' ? 6 : EFAULT);
      expect(m.words[mm.tlbFlushPending]).toBe(0);
    }
  }),
);

test(
  '5.11: each VMA flushes its whole range if an entry was present, and promotion waits for a fault',
  run(function* (): Steps<void> {
    const m = new FakeMachine({
      profile: { changeProtection: 'range', needsFlush: 'always', mprotectWritable: false },
    });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    yield* mmap(m.cpu, mm, 4 * PAGE, 4 * PAGE, RW);
    yield* mmap(m.cpu, mm, 8 * PAGE, 4 * PAGE, RW);
    yield* userStore(m.cpu, mm, PAGE, 5);
    yield* userStore(m.cpu, mm, 9 * PAGE, 5);
    yield* mprotect(m.cpu, mm, 0, 10 * PAGE, R);
    expect(m.takeFlushes()).toEqual([
      { by: 'range', local: 4, sent: 4, tables: true },
      { by: 'range', local: 2, sent: 2, tables: true },
    ]);
    yield* mprotect(m.cpu, mm, 0, 12 * PAGE, RW);
    expect(pteWrite(m.entry(mm, PAGE))).toBe(false);
    expect(yield* userStore(m.cpu, mm, PAGE, 6)).toBe(0);
  }),
);

test(
  'one gather over several VMAs, with splits at both ends',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    for (let i = 0; i < 3; i++) yield* mmap(m.cpu, mm, 4 * i * PAGE, 4 * PAGE, RW);
    for (let i = 0; i < 12; i++) yield* userStore(m.cpu, mm, i * PAGE, i);
    m.claims.length = 0;
    expect(yield* mprotect(m.cpu, mm, 2 * PAGE, 7 * PAGE, R)).toBe(0);
    expect(m.takeFlushes()).toEqual([{ by: 'gather', local: 7, sent: 7, tables: false }]);
    expect(m.takeClaims('limit')).toEqual([{ kind: 'limit', start: 2 * PAGE, end: 9 * PAGE, access: 'read' }]);
    const ranges = vmasOf(m.cpu, mm).map((vma) => [vma.start, vma.end, vma.flags].map((cell) => m.words[cell]!));
    expect(ranges.map(([start, end, flags]) => [start! / PAGE, end! / PAGE, flags])).toEqual([
      [0, 2, RW],
      [2, 4, R],
      [4, 8, R],
      [8, 9, R],
      [9, 12, RW],
    ]);
    expect(yield* userStore(m.cpu, mm, 9 * PAGE, 1)).toBe(0);
    expect(yield* userStore(m.cpu, mm, 8 * PAGE, 1)).toBe(EFAULT);
  }),
);

test(
  'a hole ends it, what lies before is done',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
    yield* mmap(m.cpu, mm, 3 * PAGE, PAGE, RW);
    yield* userStore(m.cpu, mm, PAGE, 1);
    yield* userStore(m.cpu, mm, 3 * PAGE, 1);
    expect(yield* mprotect(m.cpu, mm, 0, 4 * PAGE, R)).toBe(-12);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([1]);
    expect(yield* userStore(m.cpu, mm, PAGE, 1)).toBe(EFAULT);
    expect(yield* userStore(m.cpu, mm, 3 * PAGE, 1)).toBe(0);
    expect(yield* mprotect(m.cpu, mm, 2 * PAGE, PAGE, R)).toBe(-12);
  }),
);

test(
  'always: every present entry counts, changed or not',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { needsFlush: 'always' } });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    yield* userLoad(m.cpu, mm, 0);
    yield* userLoad(m.cpu, mm, 2 * PAGE);
    yield* mprotect(m.cpu, mm, 0, 4 * PAGE, R);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([3]);
  }),
);
