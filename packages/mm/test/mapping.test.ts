/** Files that know who maps them: lists of VMAs, truncation, page frames of drivers. */
import {
  type AddressSpace,
  type Cpu,
  type Mm,
  Page,
  type Steps,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  allocMapping,
  dupMm,
  EFAULT,
  fileBacking,
  filemapAdd,
  mappedRanges,
  mmap,
  mprotect,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  mmput,
  remapPfnRange,
  truncatePagecache,
  unmapMappingRange,
  userLoad,
  userStore,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const SHARED = VM_READ | VM_WRITE | VM_SHARED;

/** Where pages of a file are mapped. */
function* found(cpu: Cpu, mapping: AddressSpace, pgoff: number, pages: number): Steps<[start: number, end: number][]> {
  yield* cpu.downRead(mapping.iMmapLock);
  const ranges = mappedRanges(cpu, mapping, pgoff, pages);
  yield* cpu.upRead(mapping.iMmapLock);
  return ranges.map(({ start, end }) => [start / PAGE, end / PAGE]);
}

function* fileOf(m: FakeMachine, pages: number): Steps<AddressSpace> {
  const mapping = yield* allocMapping(m.cpu);
  for (let i = 0; i < pages; i++) yield* filemapAdd(m.cpu, mapping, i, 10 + i);
  return mapping;
}

test(
  'the list follows mmap, split, mremap, fork, munmap and exit',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mapping = yield* fileOf(m, 0);
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 4 * PAGE, 4 * PAGE, SHARED, fileBacking(mapping.address));
    yield* mmap(m.cpu, mm, 16 * PAGE, 2 * PAGE, SHARED, fileBacking(mapping.address, 2));
    expect(yield* found(m.cpu, mapping, 0, 4)).toEqual([
      [4, 8],
      [16, 18],
    ]);
    expect(yield* found(m.cpu, mapping, 1, 1)).toEqual([[5, 6]]);
    yield* mprotect(m.cpu, mm, 5 * PAGE, PAGE, VM_READ);
    expect(yield* found(m.cpu, mapping, 0, 4)).toEqual([
      [4, 5],
      [16, 18],
      [5, 6],
      [6, 8],
    ]);
    yield* mremap(m.cpu, mm, 16 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 32 * PAGE);
    expect(yield* found(m.cpu, mapping, 2, 2)).toEqual([
      [6, 8],
      [32, 33],
      [17, 18],
    ]);
    const child = yield* dupMm(m.cpu, mm);
    expect(yield* found(m.cpu, mapping, 0, 4)).toHaveLength(10);
    yield* mmput(m.cpu, child);
    yield* munmap(m.cpu, mm, 4 * PAGE, 4 * PAGE);
    expect((yield* found(m.cpu, mapping, 0, 4)).toSorted((a, b) => a[0] - b[0])).toEqual([
      [17, 18],
      [32, 33],
    ]);
    yield* mmput(m.cpu, mm);
    expect(yield* found(m.cpu, mapping, 0, 4)).toEqual([]);
  }),
);

function* twoMms(m: FakeMachine, mapping: AddressSpace): Steps<Mm> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 2 * PAGE, SHARED, fileBacking(mapping.address));
  yield* userStore(m.cpu, mm, 0, 5);
  yield* userLoad(m.cpu, mm, PAGE);
  return mm;
}

test(
  'unmapMappingRange: one gather for each VMA, in every mm; private copies stay unless asked for',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mapping = yield* fileOf(m, 2);
    const mm = yield* twoMms(m, mapping);
    yield* mmap(m.cpu, mm, 8 * PAGE, 2 * PAGE, VM_READ | VM_WRITE, fileBacking(mapping.address));
    yield* userStore(m.cpu, mm, 8 * PAGE, 7);
    yield* userLoad(m.cpu, mm, 9 * PAGE);
    m.takeFlushes();
    yield* unmapMappingRange(m.cpu, mapping, 0, 2, false);
    // A dirty page of the file is flushed under its PTL; the clean ones at the end of each gather.
    expect(m.takeFlushes().map(({ by, local }) => `${by} ${local}`)).toEqual(['gather 2', 'gather 1']);
    expect(m.entry(mm, 0)).toBe(0);
    expect(m.entry(mm, 9 * PAGE)).toBe(0);
    expect(yield* userLoad(m.cpu, mm, 8 * PAGE)).toBe(7);
    yield* unmapMappingRange(m.cpu, mapping, 0, 2, true);
    expect(yield* userLoad(m.cpu, mm, 8 * PAGE)).toBe(5);
    yield* truncatePagecache(m.cpu, mapping, 0);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, mapping: 1 });
  }),
);

test(
  'truncation: pages leave the file and are freed, and whoever touches them gets SIGBUS',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mapping = yield* fileOf(m, 3);
    const mm = yield* twoMms(m, mapping);
    yield* truncatePagecache(m.cpu, mapping, 1);
    expect(m.live.page.size).toBe(1);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(-EFAULT);
    yield* truncatePagecache(m.cpu, mapping, 0);
    expect(yield* userStore(m.cpu, mm, 0, 6)).toBe(-EFAULT);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, mapping: 1 });
  }),
);

test(
  'frames of a driver are mapped and unmapped without being counted; a fault does not bring them back',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mapping = yield* allocMapping(m.cpu);
    const frame = yield* m.cpu.alloc('page', 1);
    m.words[Page.at(frame).data] = 42;
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 2 * PAGE, SHARED | VM_PFNMAP, fileBacking(mapping.address));
    yield* remapPfnRange(m.cpu, mm, vmaLookup(m.cpu, mm, 0)!, 0, frame, 1);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(42);
    expect([m.words[Page.at(frame).refcount], m.words[Page.at(frame).mapcount]]).toEqual([0, 0]);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(-EFAULT);
    m.takeFlushes();
    yield* unmapMappingRange(m.cpu, mapping, 0, 1, true);
    expect(m.takeFlushes()).toHaveLength(1);
    yield* m.cpu.free('page', frame);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(-EFAULT);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, mapping: 1 });
  }),
);

test(
  'munmap of neighbours: frames without struct page are flushed before their VMA leaves the list (T15)',
  run(function* (): Steps<void> {
    for (const pfnmapFlush of ['vma-end', 'unlink', 'none'] as const) {
      const m = new FakeMachine({ profile: { pfnmapFlush } });
      const mapping = yield* allocMapping(m.cpu);
      const mm = yield* m.newMm();
      const frame = yield* m.cpu.alloc('page', 1);
      yield* mmap(m.cpu, mm, 0, PAGE, SHARED | VM_PFNMAP, fileBacking(mapping.address));
      yield* remapPfnRange(m.cpu, mm, vmaLookup(m.cpu, mm, 0)!, 0, frame, 1);
      let flushedBefore = -1;
      m.before = (cell) => {
        if (cell === mapping.iMmapLock && flushedBefore < 0) flushedBefore = m.flushes.length;
      };
      yield* munmap(m.cpu, mm, 0, PAGE);
      m.before = undefined;
      expect(flushedBefore).toBe(pfnmapFlush === 'none' ? 0 : 1);
    }
  }),
);
