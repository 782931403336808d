/** The huge page of zeroes: who maps it, what a write puts in its place, and that it is flushed like any other, and freed by nobody. */
import {
  entryTarget,
  type Geometry,
  type Mm,
  PSE,
  pteWrite,
  type Steps,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  dupMm,
  hugepageMadvise,
  MADV_FREE,
  madvise,
  mmap,
  mmput,
  mprotect,
  munmap,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;
/** Two levels of four entries: a huge page is a row of four. */
const FOURS: Geometry = { pageShift: 12, bits: [2, 2] };
const HUGE = 4 * PAGE;

/** An mm that has read where it may have huge pages. */
function* read(hugeZeroPage: 'split' | 'huge'): Steps<{ m: FakeMachine; mm: Mm }> {
  const m = new FakeMachine({ geometry: FOURS, hugeZeroPage });
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 2 * HUGE, RW);
  yield* hugepageMadvise(m.cpu, mm, 0, 2 * HUGE);
  expect(yield* userLoad(m.cpu, mm, 2 * PAGE)).toBe(0);
  m.takeFlushes();
  return { m, mm };
}

function isZero(m: FakeMachine, mm: Mm, address: number): boolean {
  const entry = m.entry(mm, address);
  return (entry & PSE) !== 0 && entryTarget(entry) === m.kernel.hugeZeroPage && !pteWrite(entry);
}

const HUGE_FLUSH = { by: 'range', local: 1, sent: 4, tables: true };

test(
  'a read maps it, and no page of its own; munmap flushes it, and frees the table under it alone',
  run(function* (): Steps<void> {
    const { m, mm } = yield* read('split');
    expect(isZero(m, mm, 0)).toBe(true);
    expect(m.live.page.size).toBe(0);
    yield* munmap(m.cpu, mm, 0, HUGE);
    expect(m.takeFlushes()).toEqual([{ by: 'gather', local: 1, sent: 4, tables: false }]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'up to 6.12 a write splits it, flushed before small entries appear, and copies one page',
  run(function* (): Steps<void> {
    const { m, mm } = yield* read('split');
    yield* userStore(m.cpu, mm, PAGE, 7);
    expect(m.takeFlushes()).toEqual([HUGE_FLUSH, { by: 'page', local: 1, sent: 1, tables: false }]);
    expect(m.live.page.size).toBe(1);
    expect(entryTarget(m.entry(mm, 0))).toBe(m.kernel.zeroPage);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(7);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(0);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'since 6.13 a write puts a huge page in its place, after a flush',
  run(function* (): Steps<void> {
    const { m, mm } = yield* read('huge');
    yield* userStore(m.cpu, mm, PAGE, 7);
    expect(m.takeFlushes()).toEqual([HUGE_FLUSH]);
    expect(m.entry(mm, 0) & PSE).not.toBe(0);
    expect(m.live.page.size).toBe(4);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(7);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(0);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'fork shares it as it is, mprotect leaves it without write permission, and MADV_FREE has nothing to give up',
  run(function* (): Steps<void> {
    const { m, mm } = yield* read('split');
    // Only what was written to is copied at all.
    yield* userStore(m.cpu, mm, HUGE, 1);
    const child = yield* dupMm(m.cpu, mm);
    expect(isZero(m, child, 0)).toBe(true);
    yield* mprotect(m.cpu, mm, 0, HUGE, VM_READ);
    yield* mprotect(m.cpu, mm, 0, HUGE, RW);
    expect(isZero(m, mm, 0)).toBe(true);
    m.takeFlushes();
    yield* madvise(m.cpu, mm, 0, PAGE, MADV_FREE);
    expect(m.takeFlushes()).toEqual([]);
    expect(isZero(m, mm, 0)).toBe(true);
    yield* mmput(m.cpu, child);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);
