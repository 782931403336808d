/** Faults: zero page, permissions, stacks, files and fault-around, dirty file pages and their rmap. */
import {
  ACCESSED,
  DIRTY,
  entryClear,
  entryTarget,
  getPage,
  type Mm,
  Page,
  PG_DIRTY,
  pteWrite,
  type Steps,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
} from '@mmu-gather/core/stepped';
import {
  allocFilePage,
  brk,
  dupMm,
  doUserAddrFault,
  mmap,
  mmput,
  munmap,
  type PageCache,
  userLoad,
  userStore,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
  vmasOf,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;
const EFAULT = -14;

/** A file of `count` pages with contents 100, 101, ...; those of `cold` must be read in. */
function* file(m: FakeMachine, count: number, faultAround: number, cold: readonly number[] = []): Steps<PageCache> {
  const pages: number[] = [];
  for (let i = 0; i < count; i++) pages.push(yield* allocFilePage(m.cpu, 1, 100 + i));
  return {
    faultAround,
    *fault(_cpu, _file, index): Steps<number> {
      return pages[index] ?? 0;
    },
    *cached(_cpu, _file, index): Steps<number> {
      return cold.includes(index) ? 0 : (pages[index] ?? 0);
    },
  };
}

/** References and mappings of each page of a file. */
function* counts(m: FakeMachine, files: PageCache, pages: number): Steps<number[][]> {
  const all: number[][] = [];
  for (let i = 0; i < pages; i++) {
    const page = Page.at(yield* files.fault(m.cpu, 1, i));
    all.push([m.words[page.refcount]!, m.words[page.mapcount]!]);
  }
  return all;
}
/** Nobody but the cache holds a page. */
const unused = (pages: number): number[][] => Array.from({ length: pages }, () => [1, 0]);

/** Pages of a range that are mapped. */
function present(m: FakeMachine, mm: Mm, start: number, pages: number): number[] {
  return Array.from({ length: pages }, (_, i) => i).filter((i) => m.entry(mm, start + i * PAGE) !== 0);
}

test(
  'reads share the zero page, a write takes a page; nothing of it is flushed but the zero page',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    expect(yield* userLoad(m.cpu, mm, 8)).toBe(0);
    expect(entryTarget(m.entry(mm, 0))).toBe(m.kernel.zeroPage);
    expect(yield* userStore(m.cpu, mm, PAGE, 3)).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
    expect(m.entry(mm, PAGE) & DIRTY).toBe(DIRTY);
    expect(m.live.page.size).toBe(1);
    expect(yield* userStore(m.cpu, mm, 0, 4)).toBe(0);
    expect(m.takeFlushes().map((flush) => flush.by)).toEqual(['page']);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(4);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'what a VMA forbids is a signal',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, PAGE, PAGE, VM_READ);
    yield* mmap(m.cpu, mm, 2 * PAGE, PAGE, 0);
    expect(yield* userLoad(m.cpu, mm, PAGE)).toBe(0);
    expect(yield* userStore(m.cpu, mm, PAGE, 1)).toBe(EFAULT);
    expect(yield* userLoad(m.cpu, mm, 2 * PAGE)).toBe(EFAULT);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(EFAULT);
    expect(yield* userLoad(m.cpu, mm, 3 * PAGE)).toBe(EFAULT);
    expect(yield* doUserAddrFault(m.cpu, mm, 0, true)).toBe(VM_FAULT_SIGSEGV);
    expect(m.words[mm.mmapLock]).toBe(0);
  }),
);

test(
  'a stack grows down to the fault',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    const top = 2 ** 47 - 2 * PAGE;
    yield* mmap(m.cpu, mm, top - PAGE, PAGE, RW | VM_GROWSDOWN);
    yield* mmap(m.cpu, mm, top - 100 * PAGE, PAGE, RW);
    expect(yield* userStore(m.cpu, mm, top - 10 * PAGE + 16, 1)).toBe(0);
    expect(vmasOf(m.cpu, mm).map((vma) => m.words[vma.start])).toEqual([top - 100 * PAGE, top - 10 * PAGE]);
    expect(m.takeClaims('limit').at(-1)).toEqual({
      kind: 'limit',
      start: top - 10 * PAGE,
      end: top - PAGE,
      access: 'write',
    });
    expect(yield* userStore(m.cpu, mm, top - 10 * PAGE, 1)).toBe(0);
    // What lies below another mapping is not the stack.
    expect(yield* userStore(m.cpu, mm, top - 101 * PAGE, 1)).toBe(EFAULT);
    expect(m.words[mm.mmapLock]).toBe(0);
  }),
);

test(
  'brk: grows in place, shrinks with a flush',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    const heap = 2 ** 39;
    expect(yield* brk(m.cpu, mm, heap, heap + 5000)).toBe(heap + 5000);
    expect(yield* brk(m.cpu, mm, heap + 5000, heap + 8 * PAGE)).toBe(heap + 8 * PAGE);
    expect(vmasOf(m.cpu, mm)).toHaveLength(1);
    expect(m.takeClaims('limit').map(({ start, end, access }) => [start - heap, end - heap, access])).toEqual([
      [0, 2 * PAGE, 'write'],
      [2 * PAGE, 8 * PAGE, 'write'],
    ]);
    for (let i = 0; i < 8; i++) yield* userStore(m.cpu, mm, heap + i * PAGE, i);
    yield* brk(m.cpu, mm, heap + 8 * PAGE, heap + 8 * PAGE - 1);
    expect(m.takeFlushes()).toEqual([]);
    yield* brk(m.cpu, mm, heap + 8 * PAGE, heap + 2 * PAGE + 1);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([5]);
    expect(m.live.page.size).toBe(3);
    expect(yield* userLoad(m.cpu, mm, heap + 3 * PAGE)).toBe(EFAULT);
  }),
);

test(
  'a private file mapping: read maps the page, write copies it',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const files = yield* file(m, 4, 1);
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 8 * PAGE, RW, { file: 1, pgoff: 1 });
    expect(yield* userLoad(m.cpu, mm, 0, files)).toBe(101);
    expect(pteWrite(m.entry(mm, 0))).toBe(false);
    expect(yield* userStore(m.cpu, mm, PAGE, 7, files)).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* userStore(m.cpu, mm, 0, 8, files)).toBe(0);
    expect(m.takeFlushes().map((flush) => flush.by)).toEqual(['page']);
    expect(yield* userLoad(m.cpu, mm, PAGE, files)).toBe(7);
    expect(yield* doUserAddrFault(m.cpu, mm, 4 * PAGE, false, files)).toBe(VM_FAULT_SIGBUS);
    expect(yield* doUserAddrFault(m.cpu, mm, 4 * PAGE, true, files)).toBe(VM_FAULT_SIGBUS);
    expect(yield* counts(m, files, 4)).toEqual([
      [1, 0],
      [1, 0],
      [1, 0],
      [1, 0],
    ]);
    // Only the fault, so that the copy shows: into an empty entry, and over a mapped page.
    expect(yield* doUserAddrFault(m.cpu, mm, 2 * PAGE, true, files)).toBe(0);
    expect(yield* userLoad(m.cpu, mm, 2 * PAGE, files)).toBe(103);
    yield* munmap(m.cpu, mm, 0, PAGE);
    yield* mmap(m.cpu, mm, 0, PAGE, RW, { file: 1, pgoff: 0 });
    expect(yield* userLoad(m.cpu, mm, 0, files)).toBe(100);
    expect(yield* counts(m, files, 1)).toEqual([[2, 1]]);
    expect(yield* doUserAddrFault(m.cpu, mm, 0, true, files)).toBe(0);
    expect(yield* userLoad(m.cpu, mm, 0, files)).toBe(100);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, page: 4 });
    expect(yield* counts(m, files, 4)).toEqual(unused(4));
  }),
);

test(
  'a part of a file mapping still maps what it did',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const files = yield* file(m, 8, 1);
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 8 * PAGE, VM_READ, { file: 1, pgoff: 0 });
    yield* munmap(m.cpu, mm, 2 * PAGE, 3 * PAGE);
    expect([yield* userLoad(m.cpu, mm, PAGE, files), yield* userLoad(m.cpu, mm, 6 * PAGE, files)]).toEqual([101, 106]);
    const child = yield* dupMm(m.cpu, mm);
    const other = m.cpus[1]!;
    yield* m.kernel.backend.switchMm(other, child);
    expect([yield* userLoad(other, child, 0, files), yield* userLoad(other, child, 7 * PAGE, files)]).toEqual([
      100, 107,
    ]);
    yield* mmput(m.cpu, child);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, page: 8 });
    expect(yield* counts(m, files, 8)).toEqual(unused(8));
  }),
);

test(
  'a mapping over another one: the old pages go, and their flush comes before the new mapping can be used',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 8 * PAGE, RW);
    for (let i = 0; i < 8; i++) yield* userStore(m.cpu, mm, i * PAGE, i + 1);
    yield* mmap(m.cpu, mm, 2 * PAGE, 3 * PAGE, VM_READ);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([3]);
    expect(m.live.page.size).toBe(5);
    expect([yield* userLoad(m.cpu, mm, 2 * PAGE), yield* userLoad(m.cpu, mm, 5 * PAGE)]).toEqual([0, 6]);
    expect(yield* userStore(m.cpu, mm, 2 * PAGE, 1)).toBe(EFAULT);
    for (const bad of [() => mmap(m.cpu, mm, 1, PAGE, RW), () => mmap(m.cpu, mm, PAGE, 0, RW)]) {
      expect(yield* bad()).toBe(-22);
    }
    for (const bad of [() => munmap(m.cpu, mm, 1, PAGE), () => munmap(m.cpu, mm, PAGE, 0)]) {
      expect(yield* bad()).toBe(-22);
    }
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'fault-around: the aligned window, cut to VMA and table, only what is cached',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const files = yield* file(m, 64, 16, [20]);
    const mm = yield* m.newMm();
    const start = 2 ** 39 + 3 * PAGE;
    yield* mmap(m.cpu, mm, start, 40 * PAGE, VM_READ | VM_EXEC, { file: 1, pgoff: 0 });
    expect(yield* userLoad(m.cpu, mm, start + 5 * PAGE, files)).toBe(105);
    // The window is that of page 8 in its table: it begins with the VMA, and is as wide from there.
    expect(present(m, mm, start, 40)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(yield* userLoad(m.cpu, mm, start + 20 * PAGE, files)).toBe(120);
    expect(present(m, mm, start, 40)).toEqual(Array.from({ length: 29 }, (_, i) => i));
    expect(yield* userLoad(m.cpu, mm, start + 39 * PAGE, files)).toBe(139);
    expect(present(m, mm, start, 41)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    yield* munmap(m.cpu, mm, start, 15 * PAGE);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([15]);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, page: 64 });
  }),
);

test(
  'shared memory maps writable at once; a file system sees the first write',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const files = yield* file(m, 4, 1);
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW | VM_SHARED, { file: 1, pgoff: 0 });
    yield* mmap(m.cpu, mm, 8 * PAGE, 4 * PAGE, RW | VM_SHARED | VM_WRITENOTIFY, { file: 1, pgoff: 0 });
    yield* userLoad(m.cpu, mm, 0, files);
    yield* userLoad(m.cpu, mm, 8 * PAGE, files);
    expect(pteWrite(m.entry(mm, 0))).toBe(true);
    expect(pteWrite(m.entry(mm, 8 * PAGE))).toBe(false);
    const page = m.pageAt(mm, 0);
    expect(m.words[page.mapcount]).toBe(2);
    expect(m.words[page.flags]! & PG_DIRTY).toBe(0);
    expect(yield* userStore(m.cpu, mm, 8 * PAGE, 5, files)).toBe(0);
    expect(m.words[page.flags]! & PG_DIRTY).toBe(PG_DIRTY);
    expect(yield* userLoad(m.cpu, mm, 0, files)).toBe(5);
    expect(yield* userStore(m.cpu, mm, PAGE, 6, files)).toBe(0);
    expect(pteWrite(m.entry(mm, PAGE))).toBe(true);
    expect(m.words[m.pageAt(mm, PAGE).flags]! & PG_DIRTY).toBe(PG_DIRTY);
    expect(m.takeFlushes()).toEqual([]);
    // Mapped by a read, dirtied by the hardware alone: unmapping finds the bit.
    expect(yield* userLoad(m.cpu, mm, 2 * PAGE, files)).toBe(102);
    expect(yield* userStore(m.cpu, mm, 2 * PAGE, 9, files)).toBe(0);
    const third = m.pageAt(mm, 2 * PAGE);
    expect(m.words[third.flags]! & PG_DIRTY).toBe(0);
    expect(yield* doUserAddrFault(m.cpu, mm, 11 * PAGE, true, files)).toBe(0);
    expect(pteWrite(m.entry(mm, 11 * PAGE))).toBe(true);
    const child = yield* dupMm(m.cpu, mm);
    yield* mmput(m.cpu, child);
    expect(pteWrite(m.entry(mm, 0))).toBe(true);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, page: 4 });
    expect(m.words[third.flags]! & PG_DIRTY).toBe(PG_DIRTY);
    expect(yield* counts(m, files, 4)).toEqual(unused(4));
  }),
);

test(
  'a dirty file page is flushed under its PTL, table by table, and keeps its rmap until then',
  run(function* (): Steps<void> {
    for (const delayedRmap of [true, false]) {
      const m = new FakeMachine({ profile: { delayedRmap } });
      const files = yield* file(m, 600, 1);
      const mm = yield* m.newMm();
      const start = 2 ** 39;
      yield* mmap(m.cpu, mm, start, 600 * PAGE, RW | VM_SHARED, { file: 1, pgoff: 0 });
      for (const at of [0, 3, 512]) yield* userStore(m.cpu, mm, start + at * PAGE, 1, files);
      const page = m.pageAt(mm, start);
      yield* getPage(m.cpu, page.address);
      const mapped: number[] = [];
      const flush = m.flushes.push.bind(m.flushes);
      m.flushes.push = (...flushes) => {
        mapped.push(m.words[page.mapcount]!);
        return flush(...flushes);
      };
      yield* munmap(m.cpu, mm, start, 600 * PAGE);
      expect(m.takeFlushes().map(({ local, tables }) => [local, tables])).toEqual([
        [4, false],
        [1, false],
        // Two PTE tables, the PMD and the PUD table and the folded level, of which the lowest unit is a PTE table's span.
        [1, true],
      ]);
      expect(mapped[0]).toBe(delayedRmap ? 1 : 0);
      expect(m.words[page.mapcount]).toBe(0);
      expect(m.words[page.flags]! & PG_DIRTY).toBe(PG_DIRTY);
    }
  }),
);

test(
  'a fault that finds the entry good already sets what the access needs',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, PAGE, RW);
    yield* userStore(m.cpu, mm, 0, 1);
    const leaf = m.leaf(m.words[mm.pgd]!, 0);
    m.words[leaf] = entryClear(m.words[leaf]!, DIRTY | ACCESSED);
    expect(yield* doUserAddrFault(m.cpu, mm, 0, false)).toBe(0);
    expect(m.entry(mm, 0) & (DIRTY | ACCESSED)).toBe(ACCESSED);
    expect(yield* doUserAddrFault(m.cpu, mm, 0, true)).toBe(0);
    expect(m.entry(mm, 0) & (DIRTY | ACCESSED)).toBe(DIRTY | ACCESSED);
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'installing meets an entry that is not empty any more, and drops what it prepared',
  run(function* (): Steps<void> {
    for (const write of [true, false]) {
      for (const shared of [true, false]) {
        const m = new FakeMachine();
        const files = yield* file(m, 4, 1);
        const mm = yield* m.newMm();
        yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW | (shared ? VM_SHARED : 0), { file: 1, pgoff: 0 });
        yield* mmap(m.cpu, mm, 8 * PAGE, 4 * PAGE, RW);
        yield* userLoad(m.cpu, mm, PAGE, files);
        yield* userLoad(m.cpu, mm, 9 * PAGE);
        for (const at of [0, 8 * PAGE]) {
          const neighbour = m.entry(mm, at + PAGE);
          const leaf = m.leaf(m.words[mm.pgd]!, at);
          const pages = m.live.page.size;
          let looks = 0;
          m.before = (cell) => {
            if (cell === leaf && ++looks === 2) m.words[leaf] = neighbour;
          };
          expect(yield* doUserAddrFault(m.cpu, mm, at, write, files)).toBe(0);
          m.before = undefined;
          expect(m.entry(mm, at)).toBe(neighbour);
          expect(m.live.page.size).toBe(pages);
          m.words[leaf] = 0;
        }
        expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, page: 4 });
        expect(yield* counts(m, files, 1)).toEqual(unused(1));
      }
    }
  }),
);

test(
  'fault-around leaves alone what is mapped, and a copy at first touch makes fork copy',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const files = yield* file(m, 16, 16);
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 16 * PAGE, RW, { file: 1, pgoff: 0 });
    yield* userStore(m.cpu, mm, 3 * PAGE, 7, files);
    expect(yield* userLoad(m.cpu, mm, 5 * PAGE, files)).toBe(105);
    expect(yield* userLoad(m.cpu, mm, 3 * PAGE, files)).toBe(7);
    const child = yield* dupMm(m.cpu, mm);
    expect(m.entry(child, 3 * PAGE)).not.toBe(0);
    yield* mmput(m.cpu, child);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, page: 16 });
    expect(yield* counts(m, files, 16)).toEqual(unused(16));
  }),
);
