/** Which range a munmap flushes: hulls that a 6.18 kernel was seen to flush. */
import {
  FOUR_LEVELS,
  LINUX_6_1,
  LINUX_6_18,
  mkEntry,
  type Mm,
  type Steps,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import { madviseDontneed, mmap, mmPopulate, munmap, userLoad, userStore } from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';
import type { Flush } from './recording-backend.ts';

const PAGE = 4096;
const TABLE = 512 * PAGE;
const REGION = 2 ** 39;
const RW = VM_READ | VM_WRITE;

/** Maps `pages` pages at an address and stores to some of them. */
function* mapped(m: FakeMachine, mm: Mm, start: number, pages: number, touched: readonly number[]): Steps<void> {
  expect(yield* mmap(m.cpu, mm, start, pages * PAGE, RW)).toBe(start);
  for (const page of touched) expect(yield* userStore(m.cpu, mm, start + page * PAGE, 7)).toBe(0);
  m.takeFlushes();
}

/** What a munmap flushes. */
function* unmapped(m: FakeMachine, mm: Mm, start: number, pages: number): Steps<Flush[]> {
  expect(yield* munmap(m.cpu, mm, start, pages * PAGE)).toBe(0);
  return m.takeFlushes();
}

const gather = (local: number, sent: number, tables: boolean): Flush => ({ by: 'gather', local, sent, tables });

test(
  'alone in its 512 GiB: the hull begins at the region, where the last table that goes begins',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mapped(m, mm, REGION, 64, [5]);
    expect(yield* unmapped(m, mm, REGION, 64)).toEqual([gather(6, 6, true)]);
    yield* mapped(m, mm, REGION, 64, [50]);
    expect(yield* unmapped(m, mm, REGION, 64)).toEqual([gather(-1, -1, true)]);
    yield* mapped(m, mm, REGION + 3 * TABLE, 64, [2]);
    expect(yield* unmapped(m, mm, REGION + 3 * TABLE, 64)).toEqual([gather(-1, -1, true)]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a PTE table goes and its PMD table stays',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mapped(m, mm, REGION + 100 * TABLE, 1, [0]);
    yield* mapped(m, mm, REGION + 3 * TABLE, 64, [5]);
    expect(yield* unmapped(m, mm, REGION + 3 * TABLE, 64)).toEqual([gather(6, 6, true)]);
    expect(m.live.table.size).toBe(4);
  }),
);

test(
  'a neighbour in the same table keeps it',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    const start = REGION + 3 * TABLE;
    yield* mapped(m, mm, start + 100 * PAGE, 1, [0]);
    yield* mapped(m, mm, start, 64, [5, 9]);
    expect(yield* unmapped(m, mm, start, 64)).toEqual([gather(5, 5, false)]);
    yield* mapped(m, mm, start + 200 * PAGE, 10, [0, 9]);
    expect(yield* unmapped(m, mm, start + 200 * PAGE, 10)).toEqual([gather(10, 10, false)]);
    expect(m.live.table.size).toBe(4);
  }),
);

test(
  'the floor is the end of the VMA below, also where a table is only half empty',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    const start = REGION + 3 * TABLE;
    yield* mapped(m, mm, start - PAGE, 2, [0, 1]);
    yield* mapped(m, mm, start + PAGE, 1022, [0, 1021]);
    // The first table still holds a page of the VMA below; the second one goes.
    expect(yield* unmapped(m, mm, start + PAGE, 1022)).toEqual([gather(-1, -1, true)]);
    expect(m.live.table.size).toBe(5);
    expect(yield* userLoad(m.cpu, mm, start)).toBe(7);
  }),
);

test(
  'empty tables: the unit is what a table maps, so a range can be 0 units long',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { ptReclaim: false } });
    const mm = yield* m.newMm();
    const start = REGION + 8 * TABLE;
    yield* mapped(m, mm, REGION, 1, [0]);
    yield* mapped(m, mm, start, 1024, [7, 600]);
    yield* madviseDontneed(m.cpu, mm, start, 1024 * PAGE);
    m.takeFlushes();
    expect(yield* unmapped(m, mm, start, 1024)).toEqual([gather(1, 513, true)]);
    yield* mapped(m, mm, start, 512, [7]);
    yield* madviseDontneed(m.cpu, mm, start, 512 * PAGE);
    m.takeFlushes();
    expect(yield* unmapped(m, mm, start, 512)).toEqual([gather(0, 1, true)]);
  }),
);

test(
  'never touched: nothing, unless a level is folded at run time and its span is free',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mapped(m, mm, REGION, 64, []);
    expect(yield* unmapped(m, mm, REGION, 64)).toEqual([gather(1, 1, true)]);
    yield* mapped(m, mm, REGION, 1, []);
    yield* mapped(m, mm, REGION + 1000 * TABLE, 64, []);
    expect(yield* unmapped(m, mm, REGION + 1000 * TABLE, 64)).toEqual([]);

    const other = new FakeMachine({ geometry: FOUR_LEVELS });
    const mm2 = yield* other.newMm();
    yield* mapped(other, mm2, REGION, 64, []);
    expect(yield* unmapped(other, mm2, REGION, 64)).toEqual([]);
  }),
);

test(
  'several VMAs: one gather, and runs of near ones are torn down together',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    const start = REGION + 3 * TABLE;
    yield* mapped(m, mm, REGION, 1, [0]);
    yield* mapped(m, mm, start, 4, [0]);
    yield* mapped(m, mm, start + 8 * PAGE, 4, [0]);
    yield* mapped(m, mm, start + 16 * PAGE, 4, [3]);
    expect(yield* unmapped(m, mm, start, 20)).toEqual([gather(20, 20, true)]);
    // Two tables apart: two runs. The first may not free the table at its end, which the second one shares; that one does.
    yield* mapped(m, mm, start, 4, [0]);
    yield* mapped(m, mm, start + 2 * TABLE, 4, [0]);
    expect(yield* unmapped(m, mm, start, 2048)).toEqual([gather(-1, -1, true)]);
    expect(m.live.table.size).toBe(4);
    expect(m.live.vma.size).toBe(1);
  }),
);

test(
  'munmap of a part splits, and takes only what it covers',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mapped(m, mm, REGION, 10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(yield* unmapped(m, mm, REGION + 3 * PAGE, 4)).toEqual([gather(4, 4, false)]);
    expect(m.live.vma.size).toBe(2);
    expect(m.live.page.size).toBe(6);
    expect(yield* userLoad(m.cpu, mm, REGION + 2 * PAGE)).toBe(7);
    expect(yield* userLoad(m.cpu, mm, REGION + 3 * PAGE)).toBe(-14);
    expect(yield* userStore(m.cpu, mm, REGION + 6 * PAGE, 1)).toBe(-14);
    expect(yield* userLoad(m.cpu, mm, REGION + 7 * PAGE)).toBe(7);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a gather holds 9,678 pages, before 6.9 20 more: with fewer one flush, from there on more',
  run(function* (): Steps<void> {
    const flushes: number[] = [];
    for (const [pages, gatherBatch] of [
      [9677, LINUX_6_18.gatherBatch],
      [9678, LINUX_6_18.gatherBatch],
      [20000, LINUX_6_18.gatherBatch],
      [9697, LINUX_6_1.gatherBatch],
      [9698, LINUX_6_1.gatherBatch],
    ] as const) {
      const m = new FakeMachine({ profile: { gatherBatch } });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, REGION, pages * PAGE, RW);
      expect(yield* mmPopulate(m.cpu, mm, REGION, REGION + pages * PAGE)).toBe(0);
      expect(m.live.page.size).toBe(pages);
      m.takeFlushes();
      flushes.push((yield* unmapped(m, mm, REGION, pages)).length);
      expect(m.live.page.size).toBe(0);
    }
    expect(flushes).toEqual([1, 2, 3, 1, 2]);
  }),
);

test(
  'PT_RECLAIM: a range that covers a table takes it along',
  run(function* (): Steps<void> {
    for (const ptReclaim of [true, false]) {
      const m = new FakeMachine({ profile: { ptReclaim } });
      const mm = yield* m.newMm();
      yield* mapped(m, mm, REGION, 512, [7]);
      expect(yield* madviseDontneed(m.cpu, mm, REGION, TABLE)).toBe(0);
      expect(m.takeFlushes()).toEqual(ptReclaim ? [gather(8, 8, true)] : [gather(1, 1, false)]);
      expect(m.live.table.size).toBe(ptReclaim ? 3 : 4);
      // Less than the table's span: it stays.
      yield* userStore(m.cpu, mm, REGION + 7 * PAGE, 1);
      yield* madviseDontneed(m.cpu, mm, REGION + PAGE, TABLE - PAGE);
      expect(m.takeFlushes()).toEqual([gather(1, 1, false)]);
      expect(m.live.table.size).toBe(4);
      // An empty table, as a whole.
      yield* madviseDontneed(m.cpu, mm, REGION, TABLE);
      expect(m.takeFlushes()).toEqual(ptReclaim ? [gather(0, 1, true)] : []);
      yield* userStore(m.cpu, mm, REGION, 1);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
    }
  }),
);

test(
  'PT_RECLAIM after a full queue: the table is looked through again',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { gatherBatch: { bundle: 3, batch: 3, batches: 1, spare: 1 } } });
    const mm = yield* m.newMm();
    yield* mapped(m, mm, REGION, 512, [0, 1, 2, 3, 4, 5]);
    // Between the first flush and the rest, a fault brings page 0 back: the table is not empty any more.
    const flushed = m.flushes.length;
    m.before = () => {
      if (m.flushes.length === flushed || m.words[mm.mmapLock] === 0) return;
      m.before = undefined;
      const leaf = m.leaf(m.words[mm.pgd]!, REGION);
      m.words[leaf] = mkEntry(m.kernel.zeroPage, 0x825);
    };
    yield* madviseDontneed(m.cpu, mm, REGION, TABLE);
    expect(m.before).toBeUndefined();
    expect(m.live.table.size).toBe(4);
    expect(yield* userLoad(m.cpu, mm, REGION)).toBe(0);
    yield* madviseDontneed(m.cpu, mm, REGION, TABLE);
    expect(m.live.table.size).toBe(3);
  }),
);

test(
  'neighbours that begin and end exactly where tables do leave them free to go',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    const gigabyte = 2 ** 30;
    const start = REGION + 4 * gigabyte;
    yield* mapped(m, mm, start - PAGE, 1, [0]);
    yield* mapped(m, mm, start + gigabyte, 1, [0]);
    // Three tables each for the neighbours, of which they share the upper two.
    expect(m.live.table.size).toBe(6);
    yield* mapped(m, mm, start, gigabyte / PAGE, [0, 1]);
    expect(m.live.table.size).toBe(8);
    expect(yield* unmapped(m, mm, start, gigabyte / PAGE)).toEqual([gather(2, 2, true)]);
    expect(m.live.table.size).toBe(6);
    // One page less at either end, and the PMD table stays; at the lower end the PTE table, too.
    for (const [from, pages] of [
      [start, gigabyte / PAGE - 1],
      [start + PAGE, gigabyte / PAGE - 1],
    ] as const) {
      yield* mapped(m, mm, start, gigabyte / PAGE, [0, 1]);
      yield* unmapped(m, mm, from, pages);
      expect(m.live.table.size).toBe(from === start ? 7 : 8);
      yield* unmapped(m, mm, start, gigabyte / PAGE);
      expect(m.live.table.size).toBe(6);
    }
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);
