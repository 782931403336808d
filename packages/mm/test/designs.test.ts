/** What designs and the aggressive profile change in operations: what is flushed, and what is not. */
import { entryTarget, getPage, type Mm, type Profile, type Steps, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  dupMm,
  flushTlbBatchedPending,
  MADV_COLD,
  MADV_FREE,
  madvise,
  mmap,
  mmput,
  munmap,
  pmdOffset,
  ptlPtr,
  tlbBatch,
  tryToUnmapFlush,
  tryToUnmapOne,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

function machine(profile: Partial<Profile>): FakeMachine {
  return new FakeMachine({ profile });
}

/** An mm with some pages that were stored to. */
function* touched(m: FakeMachine, pages: number): Steps<Mm> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 8 * PAGE, RW);
  for (let i = 0; i < pages; i++) yield* userStore(m.cpu, mm, i * PAGE, 5 + i);
  m.takeFlushes();
  return mm;
}

test(
  'aging: MADV_COLD needs no flush, MADV_FREE one for what was dirty',
  run(function* (): Steps<void> {
    for (const [agingFlush, cold, free] of [
      ['always', 1, 1],
      ['dirty', 0, 1],
      ['none', 0, 0],
    ] as const) {
      const m = machine({ agingFlush });
      const mm = yield* touched(m, 2);
      yield* madvise(m.cpu, mm, 0, PAGE, MADV_COLD);
      expect(m.takeFlushes()).toHaveLength(cold);
      yield* madvise(m.cpu, mm, PAGE, PAGE, MADV_FREE);
      expect(m.takeFlushes()).toHaveLength(free);
      // The page is clean and young: nothing that a CPU may hold lets it write without a trace.
      yield* userLoad(m.cpu, mm, PAGE);
      yield* madvise(m.cpu, mm, PAGE, PAGE, MADV_FREE);
      expect(m.takeFlushes()).toHaveLength(agingFlush === 'always' ? 1 : 0);
      yield* munmap(m.cpu, mm, 0, 8 * PAGE);
    }
  }),
);

test(
  'fork flushes the range that lost the right to write',
  run(function* (): Steps<void> {
    const m = machine({ forkFlush: 'protected' });
    const mm = yield* touched(m, 3);
    const child = yield* dupMm(m.cpu, mm);
    expect(m.takeFlushes()).toMatchObject([{ by: 'range', local: 3 }]);
    // Nothing is writable any more, and nobody has deferred anything.
    const second = yield* dupMm(m.cpu, mm);
    expect(m.takeFlushes()).toEqual([]);
    for (const each of [second, child]) yield* mmput(m.cpu, each);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'reclaim by generations: others flush what is pending and not completed, and the batch completes it',
  run(function* (): Steps<void> {
    const m = machine({ batchedPending: 'generation' });
    const mm = yield* touched(m, 1);
    const page = m.pageAt(mm, 0).address;
    m.words[mm.tlbGen] = 7;
    const batch = tlbBatch();
    yield* getPage(m.cpu, page);
    const refs = m.words[mm.mmCount]!;
    expect(yield* tryToUnmapOne(m.cpu, page, mm, 0, batch)).toBe(true);
    expect(m.words[mm.tlbFlushBatched]).toBe(7);
    expect([...batch.gens]).toEqual([[mm.address, 7]]);
    expect(m.words[mm.mmCount]).toBe(refs + 1);
    yield* tryToUnmapFlush(m.cpu, batch);
    expect(m.takeFlushes()).toMatchObject([{ by: 'batch' }]);
    expect(m.words[mm.tlbGenCompleted]).toBe(7);
    expect(m.words[mm.mmCount]).toBe(refs);
    yield* flushTlbBatchedPending(m.cpu, mm);
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'locks that are not split: all tables of an mm share one, and those of another mm have another',
  run(function* (): Steps<void> {
    for (const splitPtl of [false, true]) {
      const m = machine({ splitPtl });
      const locks: number[] = [];
      for (let i = 0; i < 2; i++) {
        const mm = yield* m.newMm();
        for (const address of [0, 2 ** 21]) {
          yield* mmap(m.cpu, mm, address, PAGE, RW);
          yield* userStore(m.cpu, mm, address, 1);
          locks.push(ptlPtr(m.cpu, entryTarget(m.words[yield* pmdOffset(m.cpu, mm, address)]!)));
        }
      }
      expect(new Set(locks).size).toBe(splitPtl ? 4 : 2);
    }
  }),
);
