/** The end of an mm: what is flushed, who leaves first, and tables that go while the mm lives on. */
import { EVERYTHING, type Mm, type Profile, type Steps, VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  allocMapping,
  contextSwitch,
  exitMm,
  fileBacking,
  filemapAdd,
  madviseDontneed,
  mmAlloc,
  mmap,
  mmput,
  retractPageTables,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

/** Three pages, of which nothing is cached, and gathers that hold one page. */
function* threePages(profile: Partial<Profile>): Steps<{ m: FakeMachine; mm: Mm }> {
  const m = new FakeMachine({ profile: { gatherBatch: { bundle: 2, batch: 2, batches: 0, spare: 1 }, ...profile } });
  const mm = yield* mmAlloc(m.cpu);
  yield* contextSwitch(m.cpu, mm);
  yield* mmap(m.cpu, mm, 0, 3 * PAGE, RW);
  for (let i = 0; i < 3; i++) yield* userStore(m.cpu, mm, i * PAGE, i);
  m.invalidate(m.words[mm.pgd]!, 0, EVERYTHING);
  m.takeFlushes();
  return { m, mm };
}

/** Whether each flush of an exit said that tables were freed. */
function* exitFlushes(profile: Partial<Profile>): Steps<boolean[]> {
  const { m } = yield* threePages(profile);
  yield* exitMm(m.cpu);
  const flushes = m.takeFlushes().map(({ tables }) => tables);
  yield* contextSwitch(m.cpu, yield* mmAlloc(m.cpu));
  // The new mm, and its top-level table.
  expect([m.live.mm.size, m.live.vma.size, m.live.page.size, m.live.table.size]).toEqual([1, 0, 0, 1]);
  return flushes;
}

test(
  'a flush for each batch and one for the tables; for the tables only; or none',
  run(function* (): Steps<void> {
    expect(yield* exitFlushes({ fullmm: 'linux' })).toEqual([false, false, false, true]);
    expect(yield* exitFlushes({ fullmm: 'F0' })).toEqual([false, false, false, true]);
    expect(yield* exitFlushes({ fullmm: 'F1' })).toEqual([true]);
    expect(yield* exitFlushes({ fullmm: 'F2' })).toEqual([]);
    expect(yield* exitFlushes({ fullmm: 'F3' })).toEqual([]);
  }),
);

test(
  'only F2 makes every CPU leave, before the first entry goes',
  run(function* (): Steps<void> {
    const { m, mm } = yield* threePages({ fullmm: 'F2' });
    const entry = m.leaf(m.words[mm.pgd]!, 0);
    let leftBefore = false;
    m.before = (cell) => {
      if (cell === entry && !leftBefore) leftBefore = m.left.includes(mm.address);
    };
    yield* exitMm(m.cpu);
    expect(leftBefore).toBe(true);
    const other = yield* threePages({ fullmm: 'F1' });
    yield* exitMm(other.m.cpu);
    expect(other.m.left).toEqual([]);
  }),
);

test(
  'an empty table of a file is retracted with one flush of its range; one with an entry stays',
  run(function* (): Steps<void> {
    for (const retract of ['mmap-lock', 'deferred'] as const) {
      const m = new FakeMachine({ profile: { retract }, geometry: { pageShift: 12, bits: [2, 2] } });
      const mm = yield* m.newMm();
      const mapping = yield* allocMapping(m.cpu);
      const page = yield* filemapAdd(m.cpu, mapping, 0, 7);
      yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW | VM_SHARED, fileBacking(mapping.address));
      yield* userStore(m.cpu, mm, 0, 1);
      m.takeFlushes();
      yield* retractPageTables(m.cpu, mapping, 0);
      expect(m.takeFlushes()).toEqual([]);
      yield* madviseDontneed(m.cpu, mm, 0, PAGE);
      m.takeFlushes();
      const tables = m.live.table.size;
      yield* retractPageTables(m.cpu, mapping, 0);
      expect(m.takeFlushes()).toEqual([{ by: 'range', local: 4, sent: 4, tables: true }]);
      expect(m.live.table.size).toBe(tables - 1);
      yield* mmput(m.cpu, mm);
      expect([m.live.mm.size, m.live.vma.size, m.live.table.size]).toEqual([0, 0, 0]);
      expect([...m.live.page]).toEqual([page]);
    }
  }),
);
