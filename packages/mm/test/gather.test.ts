/** Gathers that meet: nested finish in its forms, one gather per call or per VMA, pages that must outlive the flush. */
import {
  type Steps,
  taskSize,
  tlbFinishMmu,
  tlbGatherMmu,
  TINY,
  VM_PFNMAP,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  findVma,
  madviseDontneed,
  mmap,
  mmPopulate,
  mprotect,
  munmap,
  unmapPageRange,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

test(
  'the second of two MADV_DONTNEED finds nothing and must flush all the same',
  run(function* (): Steps<void> {
    for (const nestedFinish of ['whole-mm', 'range-all-levels', 'range-reset', 'none'] as const) {
      const m = new FakeMachine({ geometry: TINY, profile: { nestedFinish } });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
      yield* userStore(m.cpu, mm, 0, 5);
      // The other call has cleared the entry, and is not done.
      const other = yield* tlbGatherMmu(m.cpu, mm);
      yield* unmapPageRange(m.cpu, other, findVma(m.cpu, mm, 0)!, 0, PAGE, true);
      expect(m.takeFlushes()).toEqual([]);
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);

      yield* madviseDontneed(m.cpu, mm, 0, PAGE);
      const [flush] = m.takeFlushes();
      switch (nestedFinish) {
        case 'whole-mm':
          expect(flush).toEqual({ by: 'gather', local: -1, sent: -1, tables: true });
          break;
        case 'range-all-levels':
          expect(flush).toEqual({ by: 'gather', local: 1, sent: 1, tables: true });
          break;
        case 'range-reset':
          expect(flush).toEqual({ by: 'gather', local: 1, sent: 1, tables: false });
          break;
        case 'none':
          expect(flush).toBeUndefined();
      }
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(nestedFinish === 'none' ? 5 : 0);
      yield* tlbFinishMmu(m.cpu, other, 0, PAGE);
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(0);
      expect(m.words[mm.tlbFlushPending]).toBe(0);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
    }
  }),
);

test(
  'madvise: one gather for all VMAs of a call, or one for each',
  run(function* (): Steps<void> {
    for (const madviseGather of ['per-call', 'per-vma'] as const) {
      const m = new FakeMachine({ profile: { madviseGather } });
      const mm = yield* m.newMm();
      const start = 2 ** 39;
      for (let i = 0; i < 3; i++) yield* mmap(m.cpu, mm, start + 4 * i * PAGE, 4 * PAGE, RW);
      yield* mmPopulate(m.cpu, mm, start + PAGE, start + 10 * PAGE);
      expect(yield* madviseDontneed(m.cpu, mm, start, 12 * PAGE)).toBe(0);
      expect(m.takeFlushes().map((flush) => flush.local)).toEqual(madviseGather === 'per-call' ? [9] : [3, 4, 2]);
      expect(m.live.page.size).toBe(0);
    }
  }),
);

test(
  'madvise over a hole does what is mapped and says so',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, PAGE, RW);
    yield* mmap(m.cpu, mm, 2 * PAGE, PAGE, RW);
    yield* userStore(m.cpu, mm, 0, 1);
    yield* userStore(m.cpu, mm, 2 * PAGE, 1);
    expect(yield* madviseDontneed(m.cpu, mm, 0, 3 * PAGE)).toBe(-12);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([3]);
    expect(yield* madviseDontneed(m.cpu, mm, 2 * PAGE, 2 * PAGE)).toBe(-12);
    expect(yield* madviseDontneed(m.cpu, mm, 1, PAGE)).toBe(-22);
    expect(yield* userLoad(m.cpu, mm, 2 * PAGE)).toBe(0);
  }),
);

test(
  'pages are freed after the flush, and a machine that checks says so if not',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY, profile: { freePages: 'before-flush' } });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, PAGE, RW);
    yield* userStore(m.cpu, mm, 0, 1);
    let message = '';
    try {
      yield* munmap(m.cpu, mm, 0, PAGE);
    } catch (e) {
      message = (e as Error).message;
    }
    expect(message).toMatch(/page \d+ is cached/);
  }),
);

test(
  'VMAs without struct page are flushed one by one, or together before they are unlinked, or with the rest',
  run(function* (): Steps<void> {
    for (const pfnmapFlush of ['vma-end', 'unlink', 'none'] as const) {
      const m = new FakeMachine({ profile: { pfnmapFlush } });
      const mm = yield* m.newMm();
      const start = 2 ** 39;
      yield* mmap(m.cpu, mm, start, 2 * PAGE, RW | VM_PFNMAP);
      yield* mmap(m.cpu, mm, start + 2 * PAGE, 2 * PAGE, RW);
      yield* mmap(m.cpu, mm, start + 16 * PAGE, PAGE, RW);
      yield* mmPopulate(m.cpu, mm, start + PAGE, start + 4 * PAGE);
      yield* munmap(m.cpu, mm, start, 4 * PAGE);
      // Each VMA at its end; both before they are unlinked; both at the end.
      expect(m.takeFlushes().map((flush) => flush.local)).toEqual(pfnmapFlush === 'vma-end' ? [1, 2] : [3]);
    }
    const m = new FakeMachine({ profile: { mergeVmas: false } });
    const mm = yield* m.newMm();
    for (let i = 0; i < 3; i++) yield* mmap(m.cpu, mm, i * PAGE, PAGE, RW);
    yield* mmPopulate(m.cpu, mm, 0, 3 * PAGE);
    yield* mprotect(m.cpu, mm, 2 * PAGE, PAGE, VM_READ);
    m.takeFlushes();
    yield* munmap(m.cpu, mm, 0, 2 * PAGE);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([1, 1]);
  }),
);

test(
  'claims: what a gather saw, what munmap leaves, what mmap grants',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    expect(m.takeClaims('limit')).toEqual([{ kind: 'limit', start: 0, end: 4 * PAGE, access: 'write' }]);
    yield* userStore(m.cpu, mm, PAGE, 1);
    m.claims.length = 0;
    yield* munmap(m.cpu, mm, PAGE, 2 * PAGE);
    expect(m.claims.map((claim) => claim.kind)).toEqual(['observed', 'finished', 'limit']);
    expect(m.takeClaims('limit')).toEqual([{ kind: 'limit', start: PAGE, end: 3 * PAGE, access: 'none' }]);
    yield* mmap(m.cpu, mm, 0, 2 * PAGE, VM_READ);
    expect(m.takeClaims('limit').map((claim) => claim.access)).toEqual(['none', 'read']);
    yield* madviseDontneed(m.cpu, mm, 0, PAGE);
    expect(m.claims.map((claim) => claim.kind)).toEqual(['begins', 'observed', 'finished', 'ends']);
    m.claims.length = 0;
    yield* mprotect(m.cpu, mm, 0, PAGE, 0);
    expect(m.claims).toEqual([
      { kind: 'observed', start: 0, end: PAGE },
      { kind: 'finished', start: 0, end: 0 },
      { kind: 'limit', start: 0, end: PAGE, access: 'none' },
    ]);
    m.claims.length = 0;
    yield* mprotect(m.cpu, mm, 0, PAGE, VM_READ);
    expect(m.takeClaims('limit').map((claim) => claim.access)).toEqual(['read', 'read']);
    yield* mprotect(m.cpu, mm, 0, PAGE, RW);
    expect(m.takeClaims('limit').map((claim) => claim.access)).toEqual(['write', 'write']);
    expect(taskSize(TINY)).toBe(4 * PAGE);
  }),
);

test(
  'munmap lets readers in while it zaps, where the profile says so',
  run(function* (): Steps<void> {
    for (const munmapDowngrade of [true, false]) {
      const m = new FakeMachine({ profile: { munmapDowngrade } });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
      yield* mmPopulate(m.cpu, mm, 0, 4 * PAGE);
      const seen: number[] = [];
      const leaf = m.leaf(m.words[mm.pgd]!, 0);
      m.before = (cell) => {
        if (cell === leaf) seen.push(m.words[mm.mmapLock]!);
      };
      yield* munmap(m.cpu, mm, 0, 4 * PAGE);
      expect(new Set(seen)).toEqual(new Set([munmapDowngrade ? 1 : 1000]));
      expect(m.words[mm.mmapLock]).toBe(0);
    }
  }),
);
