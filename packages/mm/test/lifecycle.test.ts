/** Who holds an mm: switches, kernel threads, exec, exit; and the stack that exec moves. */
import { Mm, type Steps, VM_GROWSDOWN, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  activeMm,
  contextSwitch,
  currentMm,
  dupMm,
  execMmap,
  exitMm,
  findVma,
  kthreadUnuseMm,
  kthreadUseMm,
  mmAlloc,
  mmap,
  mmget,
  mmput,
  relocateVmaDown,
  tlbBatch,
  tryToUnmapOne,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

/** mm_users and mm_count. */
function refs(m: FakeMachine, mm: Mm): [number, number] {
  return [m.words[mm.mmUsers]!, m.words[mm.mmCount]!];
}

function* withPages(m: FakeMachine): Steps<Mm> {
  const mm = yield* mmAlloc(m.cpu);
  yield* contextSwitch(m.cpu, mm);
  for (let i = 0; i < 3; i++) {
    yield* mmap(m.cpu, mm, 2 ** (30 + 4 * i), 4 * PAGE, RW);
    yield* userStore(m.cpu, mm, 2 ** (30 + 4 * i), i);
  }
  m.takeFlushes();
  return mm;
}

test(
  'a kernel thread borrows the mm of the task before it, with a reference',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    expect(activeMm(m.cpu).address).toBe(m.kernel.initMm);
    expect(currentMm(m.cpu)).toBeNull();
    const a = yield* withPages(m);
    const b = yield* mmAlloc(m.cpu);
    expect(refs(m, a)).toEqual([1, 1]);
    yield* contextSwitch(m.cpu, null);
    expect(m.cpu.lazy).toBe(true);
    expect(currentMm(m.cpu)).toBeNull();
    expect(activeMm(m.cpu).address).toBe(a.address);
    expect(refs(m, a)).toEqual([1, 2]);
    yield* contextSwitch(m.cpu, null);
    expect(refs(m, a)).toEqual([1, 2]);
    yield* contextSwitch(m.cpu, b);
    expect(refs(m, a)).toEqual([1, 1]);
    yield* contextSwitch(m.cpu, a);
    expect(currentMm(m.cpu)?.address).toBe(a.address);
    expect([refs(m, a), refs(m, b)]).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(m.cpu.irqsOff).toBe(0);
  }),
);

test(
  'kthread_use_mm, and lazily on after it',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* withPages(m);
    const other = m.cpus[1]!;
    const before = yield* mmAlloc(other);
    yield* contextSwitch(other, before);
    yield* contextSwitch(other, null);
    yield* kthreadUseMm(other, mm);
    expect(refs(m, mm)).toEqual([1, 2]);
    expect(refs(m, before)).toEqual([1, 1]);
    expect([currentMm(other)?.address, activeMm(other).address]).toEqual([mm.address, mm.address]);
    expect([currentMm(m.cpu)?.address, other.irqsOff, other.lazy]).toEqual([mm.address, 0, false]);
    yield* mmput(other, before);
    expect(other.root).toBe(m.words[mm.pgd]);
    yield* kthreadUnuseMm(other, mm);
    expect([currentMm(other), activeMm(other).address, other.irqsOff]).toEqual([null, mm.address, 0]);
    expect(other.lazy).toBe(true);
    expect(refs(m, mm)).toEqual([1, 2]);
    yield* contextSwitch(m.cpu, null);
    yield* mmput(m.cpu, mm);
    expect(m.live.mm.size).toBe(1);
    yield* contextSwitch(other, yield* mmAlloc(other));
    expect(m.live.mm.size).toBe(2);
  }),
);

test(
  'exit frees all but what a lazy CPU still stands on',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* withPages(m);
    yield* exitMm(m.cpu);
    expect(m.takeFlushes()).toEqual([{ by: 'gather', local: -1, sent: -1, tables: true }]);
    expect(currentMm(m.cpu)).toBeNull();
    expect(refs(m, mm)).toEqual([0, 1]);
    expect(m.cpu.lazy).toBe(true);
    expect(m.cpu.irqsOff).toBe(0);
    expect([m.live.page.size, m.live.vma.size, m.live.table.size]).toEqual([0, 0, 1]);
    const next = yield* mmAlloc(m.cpu);
    yield* contextSwitch(m.cpu, next);
    expect([m.live.mm.size, m.live.table.size]).toEqual([1, 1]);
  }),
);

test(
  'only the last thread tears down',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* withPages(m);
    const other = m.cpus[1]!;
    yield* mmget(m.cpu, mm);
    yield* contextSwitch(other, mm);
    yield* exitMm(m.cpu);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* userLoad(other, mm, 2 ** 38)).toBe(2);
    yield* exitMm(other);
    expect(m.live.page.size).toBe(0);
    yield* exitMm(other);
    for (const cpu of m.cpus) yield* contextSwitch(cpu, yield* mmAlloc(cpu));
    expect(m.live.mm.size).toBe(2);
  }),
);

test(
  'exec: the new mm is loaded before the old one goes; a vfork child leaves its parent alone',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const parent = yield* withPages(m);
    yield* mmget(m.cpu, parent);
    const first = yield* mmAlloc(m.cpu);
    yield* execMmap(m.cpu, first);
    expect(m.takeFlushes()).toEqual([]);
    expect(m.cpu.root).toBe(m.words[first.pgd]);
    expect(refs(m, parent)).toEqual([1, 1]);

    yield* mmap(m.cpu, first, 0, PAGE, RW);
    yield* userStore(m.cpu, first, 0, 1);
    const second = yield* mmAlloc(m.cpu);
    yield* execMmap(m.cpu, second);
    expect(m.takeFlushes()).toEqual([{ by: 'gather', local: -1, sent: -1, tables: true }]);
    expect(m.live.mm.size).toBe(2);
    expect(currentMm(m.cpu)?.address).toBe(second.address);

    // A kernel thread becomes a user task.
    const other = m.cpus[1]!;
    yield* contextSwitch(other, parent);
    yield* contextSwitch(other, null);
    expect(refs(m, parent)).toEqual([1, 2]);
    const third = yield* dupMm(m.cpu, parent);
    yield* execMmap(other, third);
    expect(other.lazy).toBe(false);
    expect(refs(m, parent)).toEqual([1, 1]);
    expect(activeMm(other).address).toBe(third.address);
    expect([m.cpu.irqsOff, other.irqsOff]).toEqual([0, 0]);
  }),
);

test(
  'the stack moves down: one flush where it was, then its tables',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    const top = 2 ** 47 - 2 * PAGE;
    yield* mmap(m.cpu, mm, top - 2 * PAGE, 2 * PAGE, RW | VM_GROWSDOWN);
    yield* userStore(m.cpu, mm, top - PAGE, 3);
    const shift = 2 ** 32 + 5 * PAGE;
    yield* relocateVmaDown(m.cpu, mm, findVma(m.cpu, mm, top - PAGE)!, shift);
    const [moved, freed] = m.takeFlushes();
    expect(moved).toEqual({ by: 'range', local: 2, sent: 2, tables: true });
    expect(freed).toMatchObject({ by: 'gather', local: -1, tables: true });
    expect(yield* userLoad(m.cpu, mm, top - PAGE - shift)).toBe(3);
    expect(m.entry(mm, top - PAGE)).toBe(0);
    expect(yield* userLoad(m.cpu, mm, top - PAGE)).toBe(-14);
    // Across a border between tables: one flush for each part.
    yield* userStore(m.cpu, mm, top - 2 * PAGE - shift, 4);
    const vma = findVma(m.cpu, mm, top - PAGE - shift)!;
    const border = 2 ** 47 - 2 ** 33;
    yield* relocateVmaDown(m.cpu, mm, vma, m.words[vma.end]! - border - PAGE);
    expect(
      m
        .takeFlushes()
        .filter(({ by }) => by === 'range')
        .map(({ local }) => local),
    ).toEqual([1, 1]);
    expect([yield* userLoad(m.cpu, mm, border), yield* userLoad(m.cpu, mm, border - PAGE)]).toEqual([3, 4]);
    yield* relocateVmaDown(m.cpu, mm, vma, border + PAGE - (top - shift - 2 ** 32));
    m.takeFlushes();
    // Within one table: what is read was not written over.
    const end = m.words[vma.end]!;
    yield* relocateVmaDown(m.cpu, mm, vma, PAGE);
    expect(m.takeFlushes().map(({ by, local }) => [by, local])).toEqual([['range', 2]]);
    expect([yield* userLoad(m.cpu, mm, end - 2 * PAGE), yield* userLoad(m.cpu, mm, end - 3 * PAGE)]).toEqual([3, 4]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'moving entries asks reclaim first, and does nothing where there is no table',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    const top = 2 ** 40;
    yield* mmap(m.cpu, mm, top - 4 * PAGE, 4 * PAGE, RW);
    const vma = findVma(m.cpu, mm, top - PAGE)!;
    yield* relocateVmaDown(m.cpu, mm, vma, 2 ** 30);
    yield* relocateVmaDown(m.cpu, mm, vma, PAGE);
    expect(m.takeFlushes().filter(({ by }) => by !== 'gather')).toEqual([]);
    const end = m.words[vma.end]!;
    yield* userStore(m.cpu, mm, end - PAGE, 3);
    yield* tryToUnmapOne(m.cpu, m.pageAt(mm, end - PAGE).address, mm, end - PAGE, tlbBatch());
    yield* relocateVmaDown(m.cpu, mm, vma, PAGE);
    expect(m.takeFlushes().map(({ by }) => by)).toEqual(['mm']);
    expect(yield* userLoad(m.cpu, mm, end - 2 * PAGE)).toBe(3);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);
