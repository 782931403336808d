/** fork and copy-on-write: who owns which page, what is flushed, and that nothing is left. */
import {
  DIRTY,
  entryClear,
  entrySet,
  finish,
  getPage,
  type Mm,
  PG_ANON_EXCLUSIVE,
  pteWrite,
  putPage,
  type Steps,
  TINY,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  RW as RW_BIT,
  SAVED_DIRTY,
  VM_UFFD_WP,
  isSwapPte,
} from '@mmu-gather/core/stepped';
import {
  allocFilePage,
  dupMm,
  mmap,
  mmput,
  mprotect,
  type PageCache,
  userLoad,
  userStore,
  doUserAddrFault,
  findVma,
  shrinkPages,
  uffdRegisterWp,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { type FakeCpu, FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

function counts(
  m: FakeMachine,
  mm: Mm,
  address: number,
): { refs: number; maps: number; exclusive: boolean; rw: boolean } {
  const page = m.pageAt(mm, address);
  return {
    refs: m.words[page.refcount]!,
    maps: m.words[page.mapcount]!,
    exclusive: (m.words[page.flags]! & PG_ANON_EXCLUSIVE) !== 0,
    rw: pteWrite(m.entry(mm, address)),
  };
}

/** A parent with one page stored to, and its child on CPU 1. */
function* forked(m: FakeMachine): Steps<{ parent: Mm; child: Mm; other: FakeCpu }> {
  const other = m.cpus[1]!;
  const parent = yield* m.newMm();
  yield* mmap(m.cpu, parent, 0, 2 * PAGE, RW);
  yield* userStore(m.cpu, parent, 0, 11);
  m.takeFlushes();
  const child = yield* dupMm(m.cpu, parent);
  yield* m.kernel.backend.switchMm(other, child);
  return { parent, child, other };
}

test(
  'fork shares pages read-only, flushes the parent once, and takes exclusiveness away',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    const parent = yield* m.newMm();
    yield* mmap(m.cpu, parent, 0, 2 * PAGE, RW);
    yield* userStore(m.cpu, parent, 0, 11);
    expect(counts(m, parent, 0)).toEqual({ refs: 1, maps: 1, exclusive: true, rw: true });
    expect(m.takeFlushes()).toEqual([]);
    const child = yield* dupMm(m.cpu, parent);
    expect(m.takeFlushes()).toEqual([{ by: 'mm', local: -1, sent: -1, tables: true }]);
    const shared = { refs: 2, maps: 2, exclusive: false, rw: false };
    expect(counts(m, parent, 0)).toEqual(shared);
    expect(counts(m, child, 0)).toEqual(shared);
    yield* mmput(m.cpu, child);
    expect(counts(m, parent, 0)).toEqual({ refs: 1, maps: 1, exclusive: false, rw: false });
    expect(yield* m.leaks(parent)).toEqual(NO_LEAKS);
  }),
);

test(
  'the first writer copies and flushes one page, the second reuses without a flush',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    const { parent, child, other } = yield* forked(m);
    m.takeFlushes();
    expect(yield* userStore(m.cpu, parent, 0, 12)).toBe(0);
    expect(m.takeFlushes()).toEqual([{ by: 'page', local: 1, sent: 1, tables: false }]);
    expect(counts(m, parent, 0)).toEqual({ refs: 1, maps: 1, exclusive: true, rw: true });
    expect(yield* userLoad(other, child, 0)).toBe(11);
    expect(counts(m, child, 0)).toEqual({ refs: 1, maps: 1, exclusive: false, rw: false });
    expect(yield* userStore(other, child, 0, 13)).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
    expect(counts(m, child, 0)).toEqual({ refs: 1, maps: 1, exclusive: true, rw: true });
    expect(yield* userLoad(m.cpu, parent, 0)).toBe(12);
    expect(yield* userLoad(other, child, 0)).toBe(13);
    yield* mmput(other, child);
    expect(yield* m.leaks(parent)).toEqual(NO_LEAKS);
  }),
);

test(
  "without fork's flush the parent goes on writing to what the child reads",
  run(function* (): Steps<void> {
    for (const forkFlush of ['mm', 'none'] as const) {
      const m = new FakeMachine({ geometry: TINY, profile: { forkFlush } });
      const { parent, child, other } = yield* forked(m);
      yield* userStore(m.cpu, parent, 0, 99);
      expect(yield* userLoad(other, child, 0)).toBe(forkFlush === 'mm' ? 11 : 99);
    }
  }),
);

test(
  'without the flush of copy-on-write a CPU keeps reading the old page',
  run(function* (): Steps<void> {
    for (const cowFlush of ['clear-flush', 'clear'] as const) {
      const m = new FakeMachine({ geometry: TINY, profile: { cowFlush } });
      const mm = yield* m.newMm();
      const thread = m.cpus[1]!;
      yield* m.kernel.backend.switchMm(thread, mm);
      yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
      expect(yield* userLoad(thread, mm, 0)).toBe(0);
      expect(yield* userStore(m.cpu, mm, 0, 5)).toBe(0);
      expect(yield* userLoad(thread, mm, 0)).toBe(cowFlush === 'clear' ? 0 : 5);
    }
  }),
);

test(
  'a page that changes between copy and lock is not installed',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    const { parent, child } = yield* forked(m);
    const before = m.live.page.size;
    const leaf = m.leaf(m.words[parent.pgd]!, 0);
    // The parent's entry gets young or dirty again, say, while the fault copies.
    let looks = 0;
    m.before = (cell) => {
      if (cell !== leaf) return;
      looks++;
      if (looks === 3) m.words[leaf] = m.words[leaf]! - (m.words[leaf]! & 32);
    };
    expect(yield* userStore(m.cpu, parent, 0, 12)).toBe(0);
    expect(looks).toBeGreaterThan(4);
    expect(m.live.page.size).toBe(before + 1);
    yield* mmput(m.cpu, child);
    expect(yield* m.leaks(parent)).toEqual(NO_LEAKS);
  }),
);

/** A file of four pages with contents 100, 101, ... */
function* file(m: FakeMachine): Steps<PageCache> {
  const pages: number[] = [];
  for (let i = 0; i < 4; i++) pages.push(yield* allocFilePage(m.cpu, 1, 100 + i));
  return {
    faultAround: 1,
    *fault(_cpu, _file, index): Steps<number> {
      return pages[index] ?? 0;
    },
    *cached(_cpu, _file, index): Steps<number> {
      return pages[index] ?? 0;
    },
  };
}

test(
  'fork copies what the child could not fault in by itself',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const files = yield* file(m);
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW, { file: 1, pgoff: 0 });
    yield* mmap(m.cpu, mm, 8 * PAGE, 4 * PAGE, VM_READ | VM_EXEC, { file: 1, pgoff: 0 });
    yield* mmap(m.cpu, mm, 16 * PAGE, 4 * PAGE, RW | VM_SHARED, { file: 1, pgoff: 0 });
    yield* mmap(m.cpu, mm, 24 * PAGE, 4 * PAGE, RW);
    for (const at of [0, 1, 8, 16]) yield* userLoad(m.cpu, mm, at * PAGE, files);
    yield* userLoad(m.cpu, mm, 24 * PAGE);
    yield* userStore(m.cpu, mm, PAGE, 1, files);
    const child = yield* dupMm(m.cpu, mm);
    const has = [0, 1, 8, 16, 24].map((at) => m.entry(child, at * PAGE) !== 0);
    // The private mapping with a copied page comes along as a whole; a zero page alone is no reason to copy.
    expect(has).toEqual([true, true, false, false, false]);
    yield* mmput(m.cpu, child);
    expect(yield* m.leaks(mm)).toEqual({ ...NO_LEAKS, page: 4 });
  }),
);

test(
  'a page that somebody else holds: reused if it is marked exclusive, copied if references count',
  run(function* (): Steps<void> {
    for (const anonReuse of ['exclusive', 'only-reference'] as const) {
      const m = new FakeMachine({ profile: { anonReuse, mprotectWritable: false } });
      const mm = yield* m.newMm();
      yield* mmap(m.cpu, mm, 0, PAGE, RW);
      yield* userStore(m.cpu, mm, 0, 5);
      const page = m.pageAt(mm, 0).address;
      yield* getPage(m.cpu, page);
      yield* mprotect(m.cpu, mm, 0, PAGE, VM_READ);
      yield* mprotect(m.cpu, mm, 0, PAGE, RW);
      m.takeFlushes();
      yield* userStore(m.cpu, mm, 0, 6);
      expect(m.pageAt(mm, 0).address === page).toBe(anonReuse === 'exclusive');
      expect(m.takeFlushes()).toHaveLength(anonReuse === 'exclusive' ? 0 : 1);
      yield* putPage(m.cpu, page);
      expect(yield* userLoad(m.cpu, mm, 0)).toBe(6);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
    }
  }),
);

test(
  'a table is allocated twice, and one is given back',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    const mm = yield* m.newMm();
    const other = m.cpus[1]!;
    yield* m.kernel.backend.switchMm(other, mm);
    yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
    m.before = (cell) => {
      if (cell !== mm.pageTableLock) return;
      m.before = undefined;
      finish(userStore(other, mm, PAGE, 8));
    };
    expect(yield* userStore(m.cpu, mm, 0, 7)).toBe(0);
    expect(m.live.table.size).toBe(2);
    expect([yield* userLoad(m.cpu, mm, 0), yield* userLoad(m.cpu, mm, PAGE)]).toEqual([7, 8]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'the copy has the contents, before anybody writes',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    const { parent, child } = yield* forked(m);
    expect(yield* doUserAddrFault(m.cpu, parent, 0, true)).toBe(0);
    expect(m.pageAt(parent, 0).address).not.toBe(m.pageAt(child, 0).address);
    expect(yield* userLoad(m.cpu, parent, 0)).toBe(11);
  }),
);

test(
  'the hardware sets a bit while fork write-protects: it stays, on both sides',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    const parent = yield* m.newMm();
    yield* mmap(m.cpu, parent, 0, PAGE, RW);
    yield* userStore(m.cpu, parent, 0, 11);
    const leaf = m.leaf(m.words[parent.pgd]!, 0);
    m.words[leaf] = entryClear(m.words[leaf]!, DIRTY);
    let looks = 0;
    m.before = (cell) => {
      if (cell === leaf && ++looks === 2) m.words[leaf] = entrySet(m.words[leaf]!, DIRTY);
    };
    yield* dupMm(m.cpu, parent);
    expect(looks).toBe(3);
    expect(m.entry(parent, 0) & (RW_BIT | SAVED_DIRTY)).toBe(SAVED_DIRTY);
  }),
);

test(
  'what is swapped out is shared by its swap entries; a second child is not registered with userfaultfd',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    const { parent, child, other } = yield* forked(m);
    yield* userStore(other, child, PAGE, 7);
    const page = m.pageAt(child, PAGE).address;
    yield* shrinkPages(m.cpu, [{ page, mm: child, address: PAGE }]);
    yield* uffdRegisterWp(other, child, 0, PAGE);
    const second = yield* dupMm(other, child);
    expect(m.words[findVma(m.cpu, second, 0)!.flags]! & VM_UFFD_WP).toBe(0);
    expect(m.words[findVma(m.cpu, child, 0)!.flags]! & VM_UFFD_WP).toBe(VM_UFFD_WP);
    expect([m.entry(second, PAGE), isSwapPte(m.entry(second, PAGE))]).toEqual([m.entry(child, PAGE), true]);
    // The first to come back may not write to it: the other one still has its entry.
    expect(yield* userStore(other, child, PAGE, 8)).toBe(0);
    yield* m.kernel.backend.switchMm(other, second);
    expect(yield* userLoad(other, second, PAGE)).toBe(7);
    yield* mmput(other, second);
    yield* mmput(other, child);
    expect(yield* m.leaks(parent)).toEqual(NO_LEAKS);
  }),
);
