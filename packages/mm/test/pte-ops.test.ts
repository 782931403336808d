/** What the architecture is told when entries change: whose entry, which address, which level; and what faults ask it for. */
import {
  ACCESSED,
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  entryIndex,
  entryTarget,
  type Geometry,
  getPage,
  type Mm,
  PSE,
  type PteOps,
  putPage,
  type Steps,
  tablePtl,
  TINY,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  CLEAR_REFS_ALL,
  clearRefsWrite,
  doUserAddrFault,
  dupMm,
  findVma,
  hugepageMadvise,
  MADV_COLD,
  madvise,
  madviseDontneed,
  mmap,
  mmput,
  mprotect,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  type PageCache,
  pmdOffset,
  ptepGetAndClear,
  remapPfnRange,
  allocFilePage,
  tryToUnmapOne,
  userLoad,
  userStore,
  vmallocInit,
  vmap,
  vunmap,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { checkedPte } from './checked-pte.ts';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;
/** Two levels of four entries: a huge page is a row of four. */
const FOURS: Geometry = { pageShift: 12, bits: [2, 2] };
const HUGE = 4 * PAGE;

/** What was changed since the last call, in order. */
function told(m: FakeMachine): (readonly [keyof PteOps, Address, number, number])[] {
  return m.takeChanges().map(({ op, mm, address, level }) => [op, mm, address, level]);
}

/** A machine and an mm with a page at 4096 that was written to. */
function* written(m: FakeMachine): Steps<Mm> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 2 * HUGE, RW);
  yield* userStore(m.cpu, mm, PAGE, 7);
  return mm;
}

test(
  'munmap, exit, mprotect, mremap and reclaim say which entry changes',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* written(m);
    const { address: id } = mm;
    expect(told(m)).toEqual([['setPteAt', id, PAGE, 0]]);
    yield* mprotect(m.cpu, mm, 0, 2 * HUGE, VM_READ);
    expect(told(m)).toEqual([
      ['ptepModifyProtStart', id, PAGE, 0],
      ['ptepModifyProtCommit', id, PAGE, 0],
    ]);
    yield* mremap(m.cpu, mm, PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 100 * PAGE);
    expect(told(m)).toEqual([
      ['ptepGetAndClear', id, PAGE, 0],
      ['setPteAt', id, 100 * PAGE, 0],
    ]);
    const page = m.pageAt(mm, 100 * PAGE).address;
    yield* getPage(m.cpu, page);
    yield* tryToUnmapOne(m.cpu, page, mm, 100 * PAGE, null);
    yield* putPage(m.cpu, page);
    expect(told(m)).toEqual([
      ['ptepGetAndClear', id, 100 * PAGE, 0],
      ['setPteAt', id, 100 * PAGE, 0],
    ]);
    yield* userLoad(m.cpu, mm, 100 * PAGE);
    expect(told(m)).toEqual([['setPteAt', id, 100 * PAGE, 0]]);
    yield* munmap(m.cpu, mm, 100 * PAGE, PAGE);
    expect(told(m)).toEqual([['ptepGetAndClear', id, 100 * PAGE, 0]]);
    yield* userLoad(m.cpu, mm, 3 * PAGE);
    m.takeChanges();
    yield* mmput(m.cpu, mm);
    expect(told(m)).toEqual([['ptepGetAndClearFull', id, 3 * PAGE, 0]]);
  }),
);

test(
  'clear_refs of accessed bits, and MADV_COLD where it does not flush, change entries in the way that nobody need flush',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { agingFlush: 'dirty' } });
    const mm = yield* written(m);
    m.takeChanges();
    m.takeFlushes();
    const young = m.entry(mm, PAGE);
    yield* clearRefsWrite(m.cpu, mm, CLEAR_REFS_ALL);
    expect(told(m)).toEqual([['ptepTestAndClearYoung', mm.address, PAGE, 0]]);
    expect(m.entry(mm, PAGE)).toBe(young - ACCESSED);
    yield* doUserAddrFault(m.cpu, mm, PAGE, false);
    expect(told(m)).toEqual([['ptepSetAccessFlags', mm.address, PAGE, 0]]);
    for (const call of [1, 2]) {
      yield* madvise(m.cpu, mm, PAGE, PAGE, MADV_COLD);
      expect(told(m)).toEqual(call === 1 ? [['ptepTestAndClearYoung', mm.address, PAGE, 0]] : []);
      expect(m.entry(mm, PAGE)).toBe(young - ACCESSED);
    }
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'fork write-protects the entry of the parent and sets that of the child; who then owns the page alone upgrades it',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* written(m);
    m.takeChanges();
    const child = yield* dupMm(m.cpu, mm);
    expect(told(m)).toEqual([
      ['ptepSetWrprotect', mm.address, PAGE, 0],
      ['setPteAt', child.address, PAGE, 0],
    ]);
    yield* mmput(m.cpu, child);
    m.takeChanges();
    yield* userStore(m.cpu, mm, PAGE, 8);
    expect(told(m)).toEqual([['ptepSetAccessFlags', mm.address, PAGE, 0]]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'a huge page is one entry of level 1, by the first address of its row; its parts have addresses of their own',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: FOURS });
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 2 * HUGE, RW);
    yield* hugepageMadvise(m.cpu, mm, 0, 2 * HUGE);
    for (const address of [2 * PAGE, HUGE + PAGE]) yield* userStore(m.cpu, mm, address, 1);
    const { address: id } = mm;
    expect(told(m)).toEqual([
      ['setPteAt', id, 0, 1],
      ['setPteAt', id, HUGE, 1],
    ]);
    yield* munmap(m.cpu, mm, 0, HUGE);
    expect(told(m)).toEqual([['ptepGetAndClear', id, 0, 1]]);
    yield* madviseDontneed(m.cpu, mm, HUGE + 2 * PAGE, PAGE);
    expect(told(m)).toEqual([
      ['pmdpEstablish', id, HUGE, 1],
      ...[0, 1, 2, 3].map((i) => ['setPteAt', id, HUGE + i * PAGE, 0]),
      ['ptepGetAndClear', id, HUGE + 2 * PAGE, 0],
    ]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'addresses of the kernel are entries of init_mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY });
    yield* vmallocInit(m.cpu);
    const pages = [yield* m.cpu.alloc('page'), yield* m.cpu.alloc('page')];
    yield* vunmap(m.cpu, yield* vmap(m.cpu, pages));
    const { initMm } = m.kernel;
    expect(told(m)).toEqual([
      ['setPteAt', initMm, 0, 0],
      ['setPteAt', initMm, PAGE, 0],
      ['ptepGetAndClear', initMm, 0, 0],
      ['ptepGetAndClear', initMm, PAGE, 0],
    ]);
  }),
);

test(
  'each frame that a driver maps has its own address',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW | VM_SHARED | VM_PFNMAP);
    const frames = yield* m.cpu.alloc('page', 2);
    yield* remapPfnRange(m.cpu, mm, findVma(m.cpu, mm, 0)!, PAGE, frames, 2);
    expect(told(m)).toEqual([
      ['setPteAt', mm.address, PAGE, 0],
      ['setPteAt', mm.address, 2 * PAGE, 0],
    ]);
  }),
);

test(
  'a ptep_clear_flush of its own needs no flush_tlb_page, and nobody asks whether the entry was accessible',
  run(function* (): Steps<void> {
    for (const own of [true, false]) {
      let asked = 0;
      const ptepClearFlush = (machine: FakeMachine): PteOps['ptepClearFlush'] =>
        function* (cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry> {
          const old = yield* cpu.xchg(pte, 0);
          machine.invalidate(machine.words[mm.pgd]!, address, address + PAGE);
          return old;
        };
      const m = new FakeMachine({
        arch: (machine) => ({
          pte: { ...checkedPte(machine), ptepClearFlush: own ? ptepClearFlush(machine) : null },
          pteAccessible: (entry) => {
            asked++;
            return entry !== 0;
          },
        }),
      });
      const mm = yield* written(m);
      const page = m.pageAt(mm, PAGE).address;
      yield* getPage(m.cpu, page);
      m.takeFlushes();
      m.takeClaims('settled');
      expect(yield* tryToUnmapOne(m.cpu, page, mm, PAGE, null)).toBe(true);
      yield* putPage(m.cpu, page);
      expect(m.takeFlushes().map(({ by }) => by)).toEqual(own ? [] : ['page']);
      expect(m.takeClaims('settled')).toEqual(own ? [{ kind: 'settled', start: PAGE, end: 2 * PAGE }] : []);
      expect(asked).toBe(own ? 0 : 1);
      expect(m.cached(page)).toBe(false);
    }
  }),
);

/** A machine whose update_mmu_cache and flush_tlb_fix_spurious_fault write down what they were called for. */
function listening(geometry?: Geometry): { m: FakeMachine; updates: number[]; fixes: number[] } {
  const updates: number[] = [];
  const fixes: number[] = [];
  const locked = (machine: FakeMachine, mm: Mm, address: number, pte: Cell): void => {
    const { geometry: shape } = machine.options;
    const huge = (machine.words[pte]! & PSE) !== 0;
    const lock = huge ? mm.pageTableLock : tablePtl(shape, pte - entryIndex(shape, 0, address));
    expect(machine.words[lock]).toBe(1);
  };
  const arch = (machine: FakeMachine): { pte: PteOps } => ({
    pte: {
      ...checkedPte(machine),
      *updateMmuCache(_cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry): Steps<void> {
        locked(machine, mm, address, pte);
        expect(machine.words[pte]).toBe(entry);
        updates.push(address);
      },
      *flushTlbFixSpuriousFault(_cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<void> {
        locked(machine, mm, address, pte);
        fixes.push(address);
      },
    },
  });
  const m = new FakeMachine(geometry === undefined ? { arch } : { arch, geometry });
  return { m, updates, fixes };
}

test(
  'update_mmu_cache after each entry that a fault sets, under the lock: zero page, own page, copy, reuse, swap, hint',
  run(function* (): Steps<void> {
    const { m, updates, fixes } = listening();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 8 * PAGE, RW);
    yield* userLoad(m.cpu, mm, 0);
    expect(updates.splice(0)).toEqual([0]);
    yield* userStore(m.cpu, mm, 0, 1);
    expect(updates.splice(0)).toEqual([0]);
    yield* userStore(m.cpu, mm, PAGE, 1);
    expect(updates.splice(0)).toEqual([PAGE]);
    const child = yield* dupMm(m.cpu, mm);
    yield* userStore(m.cpu, mm, PAGE, 2);
    yield* mmput(m.cpu, child);
    yield* userStore(m.cpu, mm, 0, 2);
    expect(updates.splice(0)).toEqual([PAGE, 0]);
    const page = m.pageAt(mm, PAGE).address;
    yield* getPage(m.cpu, page);
    yield* tryToUnmapOne(m.cpu, page, mm, PAGE, null);
    yield* putPage(m.cpu, page);
    yield* changeProtNuma(m.cpu, mm, 0, PAGE);
    expect(updates).toEqual([]);
    yield* userLoad(m.cpu, mm, PAGE);
    yield* userLoad(m.cpu, mm, 0);
    expect(updates.splice(0)).toEqual([PAGE, 0]);
    expect(fixes).toEqual([]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'and of each page that fault-around maps',
  run(function* (): Steps<void> {
    const { m, updates } = listening();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, VM_READ, { file: 1, pgoff: 0 });
    const pages: Address[] = [];
    for (let i = 0; i < 3; i++) pages.push(yield* allocFilePage(m.cpu, 1, i));
    const files: PageCache = {
      faultAround: 4,
      *fault(_cpu: Cpu, _file: number, index: number): Steps<Address> {
        return pages[index] ?? 0;
      },
      *cached(_cpu: Cpu, _file: number, index: number): Steps<Address> {
        return pages[index] ?? 0;
      },
    };
    expect(yield* userLoad(m.cpu, mm, PAGE, files)).toBe(1);
    expect(updates).toEqual([0, PAGE, 2 * PAGE]);
  }),
);

test(
  'a write fault that finds nothing to change is spurious; one that upgrades the entry, or a read, is not',
  run(function* (): Steps<void> {
    const { m, updates, fixes } = listening();
    const mm = yield* written(m);
    updates.length = 0;
    yield* doUserAddrFault(m.cpu, mm, PAGE + 8, true);
    expect([updates, fixes.splice(0)]).toEqual([[], [PAGE]]);
    yield* doUserAddrFault(m.cpu, mm, PAGE, false);
    expect([updates, fixes]).toEqual([[], []]);
    const child = yield* dupMm(m.cpu, mm);
    yield* mmput(m.cpu, child);
    yield* doUserAddrFault(m.cpu, mm, PAGE, true);
    expect([updates, fixes]).toEqual([[PAGE], []]);
  }),
);

test(
  'the same of huge pages, by the first address of the row',
  run(function* (): Steps<void> {
    const { m, updates, fixes } = listening(FOURS);
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 2 * HUGE, RW);
    yield* hugepageMadvise(m.cpu, mm, 0, 2 * HUGE);
    yield* userStore(m.cpu, mm, HUGE + PAGE, 1);
    expect([updates.splice(0), fixes]).toEqual([[HUGE], []]);
    yield* doUserAddrFault(m.cpu, mm, HUGE + 2 * PAGE, true);
    expect([updates, fixes.splice(0)]).toEqual([[], [HUGE]]);
    yield* doUserAddrFault(m.cpu, mm, HUGE + 2 * PAGE, false);
    expect([updates, fixes]).toEqual([[], []]);
    const child = yield* dupMm(m.cpu, mm);
    yield* mmput(m.cpu, child);
    yield* userStore(m.cpu, mm, HUGE + PAGE, 2);
    expect([updates, fixes]).toEqual([[HUGE], []]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'an entry changes under the lock of its table, and one of the kernel under none',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, PAGE, RW);
    yield* userStore(m.cpu, mm, 0, 7);
    const table = entryTarget(m.words[yield* pmdOffset(m.cpu, mm, 0)]!);
    const cleared = (): Steps<Entry> => ptepGetAndClear(m.cpu, mm, 0, table);
    expect(cleared).toThrow(`O16: word ${tablePtl(m.kernel.geometry, table)} should be locked`);
    yield* m.cpu.spinLock(tablePtl(m.kernel.geometry, table));
    expect(yield* cleared()).not.toBe(0);
    yield* vmallocInit(m.cpu);
    expect(yield* vmap(m.cpu, [yield* m.cpu.alloc('page')])).toBe(0);
  }),
);
