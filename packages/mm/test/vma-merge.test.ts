/** VMAs that became alike are one again, with everything that the two had. */
import { Mm, type Steps, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import { mmap, mprotect, munmap, userStore, vmasOf } from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

function bounds(m: FakeMachine, mm: Mm): [number, number][] {
  return vmasOf(m.cpu, mm).map(({ start, end }) => [m.words[start]! / PAGE, m.words[end]! / PAGE]);
}

test.each([false, true])('mprotect there and back, merging: %s', (vmaMerge) =>
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { vmaMerge } });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    yield* userStore(m.cpu, mm, 2 * PAGE, 7);
    yield* mprotect(m.cpu, mm, PAGE, PAGE, VM_READ);
    expect(bounds(m, mm)).toEqual([
      [0, 1],
      [1, 2],
      [2, 4],
    ]);
    yield* mprotect(m.cpu, mm, PAGE, PAGE, RW);
    expect(bounds(m, mm)).toHaveLength(vmaMerge ? 1 : 3);
    expect(yield* userStore(m.cpu, mm, 3 * PAGE, 8)).toBe(0);
    yield* munmap(m.cpu, mm, 0, 4 * PAGE);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  })(),
);

test(
  'neighbours that differ, or map a file, stay two',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { vmaMerge: true } });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, PAGE, RW);
    yield* mmap(m.cpu, mm, PAGE, PAGE, VM_READ, { file: 3, pgoff: 0 });
    yield* mmap(m.cpu, mm, 3 * PAGE, PAGE, VM_READ);
    yield* mprotect(m.cpu, mm, PAGE, PAGE, RW);
    expect(bounds(m, mm)).toHaveLength(3);
  }),
);
