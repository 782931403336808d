/** Locks of VMAs: which faults take them, and who holds them off. */
import { type Mm, type Steps, Vma, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  dupMm,
  lockVmaUnderRcu,
  mmap,
  mmapWriteUnlock,
  mprotect,
  munmap,
  setVmaBound,
  userLoad,
  userStore,
  vmaEndRead,
  vmaMarkDetached,
  vmaStartWrite,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

function* anonymous(m: FakeMachine): Steps<Mm> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
  yield* userStore(m.cpu, mm, 0, 5);
  return mm;
}

test(
  'a fault in a VMA with private pages leaves mmap_lock alone',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { perVmaLocks: true } });
    const mm = yield* anonymous(m);
    let taken = 0;
    m.before = (cell) => {
      if (cell === mm.mmapLock) taken++;
    };
    yield* userStore(m.cpu, mm, PAGE, 6);
    expect(taken).toBe(0);
    // No private page yet, and no VMA at all.
    m.before = undefined;
    yield* mmap(m.cpu, mm, 8 * PAGE, PAGE, RW);
    expect(yield* lockVmaUnderRcu(m.cpu, mm, 8 * PAGE)).toBe(null);
    expect(yield* lockVmaUnderRcu(m.cpu, mm, 5 * PAGE)).toBe(null);
    expect(yield* lockVmaUnderRcu(m.cpu, mm, 2 ** 40)).toBe(null);
    const vma = yield* lockVmaUnderRcu(m.cpu, mm, PAGE);
    expect(vma?.address).toBe(m.words[mm.mmap]);
    yield* vmaEndRead(m.cpu, vma!);
    expect(yield* userStore(m.cpu, mm, 5 * PAGE, 1)).toBe(-14);
    yield* mprotect(m.cpu, mm, 0, PAGE, VM_READ);
    expect(yield* userStore(m.cpu, mm, 0, 1)).toBe(-14);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
    yield* munmap(m.cpu, mm, 0, 2 * PAGE);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a VMA stays locked until mmap_lock is given back',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { perVmaLocks: true } });
    const mm = yield* anonymous(m);
    const vma = Vma.at(m.words[mm.mmap]!);
    yield* m.cpu.downWrite(mm.mmapLock);
    yield* vmaStartWrite(m.cpu, mm, vma);
    yield* vmaStartWrite(m.cpu, mm, vma);
    expect(yield* lockVmaUnderRcu(m.cpu, mm, 0)).toBe(null);
    yield* mmapWriteUnlock(m.cpu, mm);
    const locked = yield* lockVmaUnderRcu(m.cpu, mm, 0);
    expect(locked).toBe(vma);
    yield* vmaEndRead(m.cpu, vma);
    yield* dupMm(m.cpu, mm);
    expect(yield* lockVmaUnderRcu(m.cpu, mm, 0)).toBe(vma);
  }),
);

test(
  'a VMA changes under mmap_lock and its own lock',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { perVmaLocks: true } });
    const mm = yield* anonymous(m);
    const vma = Vma.at(m.words[mm.mmap]!);
    expect(() => vmaMarkDetached(m.cpu, vma)).toThrow('faults may be going on');
    expect(run(() => setVmaBound(m.cpu, vma, 'end', PAGE))).toThrow('faults may be going on');
    expect(run(() => vmaStartWrite(m.cpu, mm, vma))).toThrow('should be locked');
    yield* m.cpu.downWrite(mm.mmapLock);
    yield* vmaStartWrite(m.cpu, mm, vma);
    yield* setVmaBound(m.cpu, vma, 'end', PAGE);
    yield* mmapWriteUnlock(m.cpu, mm);
    expect(m.words[vma.end]).toBe(PAGE);
  }),
);
