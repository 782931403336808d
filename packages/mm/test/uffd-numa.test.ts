/** Write-protection that others rely on before it is flushed: userfaultfd (trace T10) and NUMA hints (trace T12). */
import {
  VM_UFFD_WP,
  incTlbFlushPending,
  type Mm,
  pteWrite,
  type Steps,
  TINY,
  VM_READ,
  VM_WRITE,
  mkMigrationPte,
  pteProtnone,
  pteUffdWp,
} from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  dupMm,
  migrateMisplacedPage,
  mmap,
  mprotect,
  mwriteprotectRange,
  uffdRegisterWp,
  userLoad,
  userStore,
  vmasOf,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

function* touched(m: FakeMachine): Steps<Mm> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
  yield* userStore(m.cpu, mm, 0, 5);
  m.takeFlushes();
  return mm;
}

test(
  'userfaultfd: protect flushes, a write waits, resolving lets it through',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ geometry: TINY, profile: { perVmaLocks: false } });
    const mm = yield* touched(m);
    expect(yield* uffdRegisterWp(m.cpu, mm, 0, 2 * PAGE)).toBe(0);
    expect(yield* mwriteprotectRange(m.cpu, mm, 0, PAGE, true)).toBe(0);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([1]);
    expect(pteUffdWp(m.entry(mm, 0))).toBe(true);
    const leaf = m.leaf(m.words[mm.pgd]!, 0);
    const entry = m.words[leaf]!;
    // Somebody resolves it while the write waits: without that it waits for ever.
    let waits = 0;
    m.before = (cell) => {
      if (cell !== leaf || m.words[mm.mmapLock] !== 0) return;
      waits++;
      m.words[leaf] = entry - 512 + 2;
    };
    expect(yield* userStore(m.cpu, mm, 0, 6)).toBe(0);
    expect(waits).toBe(1);
    m.before = undefined;
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(6);
    expect(yield* mwriteprotectRange(m.cpu, mm, 0, PAGE, true)).toBe(0);
    expect(yield* mwriteprotectRange(m.cpu, mm, 0, PAGE, false)).toBe(0);
    expect(pteWrite(m.entry(mm, 0))).toBe(true);
    expect(yield* uffdRegisterWp(m.cpu, mm, 0, 8 * PAGE)).toBe(-22);
    expect(yield* mwriteprotectRange(m.cpu, mm, 0, 8 * PAGE, true)).toBe(-12);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'copy-on-write in a userfaultfd VMA flushes first if a flush is pending; either way it claims that all is settled',
  run(function* (): Steps<void> {
    for (const uffdWpPendingFlush of [true, false]) {
      for (const pending of [true, false]) {
        const m = new FakeMachine({ geometry: TINY, profile: { uffdWpPendingFlush } });
        const mm = yield* touched(m);
        yield* uffdRegisterWp(m.cpu, mm, 0, 2 * PAGE);
        yield* dupMm(m.cpu, mm);
        m.takeFlushes();
        if (pending) yield* incTlbFlushPending(m.cpu, mm);
        m.claims.length = 0;
        yield* userStore(m.cpu, mm, 0, 6);
        expect(m.takeFlushes()).toHaveLength(uffdWpPendingFlush && pending ? 2 : 1);
        expect(m.takeClaims('settled')).toHaveLength(1);
      }
    }
  }),
);

test(
  'mprotect leaves a page that userfaultfd protects as it is',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m);
    yield* userStore(m.cpu, mm, PAGE, 5);
    yield* uffdRegisterWp(m.cpu, mm, 0, 4 * PAGE);
    yield* mwriteprotectRange(m.cpu, mm, 0, PAGE, true);
    yield* mprotect(m.cpu, mm, 0, 4 * PAGE, VM_READ);
    yield* mprotect(m.cpu, mm, 0, 4 * PAGE, RW);
    expect([pteWrite(m.entry(mm, 0)), pteWrite(m.entry(mm, PAGE))]).toEqual([false, true]);
  }),
);

test(
  'a fault on a page that is being migrated waits until it has arrived',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ profile: { perVmaLocks: false } });
    const mm = yield* touched(m);
    const leaf = m.leaf(m.words[mm.pgd]!, 0);
    const entry = m.words[leaf]!;
    m.words[leaf] = mkMigrationPte(m.pageAt(mm, 0).address);
    m.invalidate(m.words[mm.pgd]!, 0, PAGE);
    let looks = 0;
    let faults = 0;
    m.before = (cell) => {
      if (cell === mm.mmapLock) faults++;
      // It arrives while the fault waits: the first look found it on its way.
      if (cell === leaf && ++looks === 2) m.words[leaf] = entry;
    };
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
    expect([looks, faults]).toEqual([2, 1]);
  }),
);

test(
  'a NUMA hint takes entries away, flushes them, and a fault brings them back writable',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m);
    yield* userLoad(m.cpu, mm, PAGE);
    expect(yield* changeProtNuma(m.cpu, mm, 0, 4 * PAGE)).toBe(1);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([1]);
    expect(pteProtnone(m.entry(mm, 0))).toBe(true);
    expect(yield* changeProtNuma(m.cpu, mm, 0, 4 * PAGE)).toBe(0);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
    expect(pteWrite(m.entry(mm, 0))).toBe(true);
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'migration of a hinted page flushes if a flush is pending, and claims that all is settled if it does not',
  run(function* (): Steps<void> {
    for (const accessiblePending of [true, false]) {
      for (const pending of [true, false]) {
        const m = new FakeMachine({ profile: { accessiblePending } });
        const mm = yield* touched(m);
        yield* changeProtNuma(m.cpu, mm, 0, PAGE);
        const old = m.pageAt(mm, 0).address;
        m.takeFlushes();
        m.claims.length = 0;
        if (pending) yield* incTlbFlushPending(m.cpu, mm);
        expect(yield* migrateMisplacedPage(m.cpu, mm, 0)).toBe(true);
        const flushes = accessiblePending && pending;
        expect(m.takeFlushes()).toHaveLength(flushes ? 1 : 0);
        expect(m.takeClaims('settled')).toHaveLength(flushes ? 0 : 1);
        expect(m.live.page.has(old)).toBe(false);
        expect(yield* userLoad(m.cpu, mm, 0)).toBe(5);
        expect(m.live.page.size).toBe(1);
      }
    }
  }),
);

test(
  'only what is hinted and owned alone moves',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m);
    expect(yield* migrateMisplacedPage(m.cpu, mm, 0)).toBe(false);
    expect(yield* migrateMisplacedPage(m.cpu, mm, PAGE)).toBe(false);
    expect(yield* migrateMisplacedPage(m.cpu, mm, 2 ** 39)).toBe(false);
    yield* dupMm(m.cpu, mm);
    yield* changeProtNuma(m.cpu, mm, 0, PAGE);
    expect(yield* migrateMisplacedPage(m.cpu, mm, 0)).toBe(false);
    expect(m.words[mm.mmapLock]).toBe(0);
  }),
);

test(
  'a page that goes while it migrates takes its copy along',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* touched(m);
    yield* changeProtNuma(m.cpu, mm, 0, PAGE);
    const leaf = m.leaf(m.words[mm.pgd]!, 0);
    let looks = 0;
    m.before = (cell) => {
      // The look at the entry after the copy: MADV_DONTNEED was quicker.
      if (cell === leaf && ++looks === 4) m.words[leaf] = 0;
    };
    yield* migrateMisplacedPage(m.cpu, mm, 0);
    m.before = undefined;
    expect(m.live.page.size).toBe(0);
    expect(yield* userLoad(m.cpu, mm, 0)).toBe(0);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'hints and protection keep to the range and the VMA',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.newMm();
    yield* mmap(m.cpu, mm, 0, 4 * PAGE, RW);
    yield* mmap(m.cpu, mm, 4 * PAGE, 4 * PAGE, RW);
    for (let i = 0; i < 8; i++) yield* userStore(m.cpu, mm, i * PAGE, i);
    expect(yield* changeProtNuma(m.cpu, mm, 2 * PAGE, 6 * PAGE)).toBe(4);
    const hinted = (): number[] => [0, 1, 2, 3, 4, 5, 6, 7].filter((i) => pteProtnone(m.entry(mm, i * PAGE)));
    expect(hinted()).toEqual([2, 3, 4, 5]);
    expect(m.takeFlushes().map((flush) => flush.local)).toEqual([2, 2]);
    expect(yield* uffdRegisterWp(m.cpu, mm, PAGE, 2 * PAGE)).toBe(0);
    expect(vmasOf(m.cpu, mm).map((vma) => (m.words[vma.flags]! & VM_UFFD_WP) !== 0)).toEqual([
      false,
      true,
      false,
      false,
    ]);
    expect(yield* uffdRegisterWp(m.cpu, mm, 4 * PAGE, 4 * PAGE)).toBe(0);
    expect(vmasOf(m.cpu, mm)).toHaveLength(4);
    // Not registered: nothing happens.
    expect(yield* mwriteprotectRange(m.cpu, mm, 0, PAGE, true)).toBe(0);
    expect(pteWrite(m.entry(mm, 0))).toBe(true);
    for (const call of [
      () => uffdRegisterWp(m.cpu, mm, 1, PAGE),
      () => uffdRegisterWp(m.cpu, mm, 0, 0),
      () => mwriteprotectRange(m.cpu, mm, 1, PAGE, true),
      () => mwriteprotectRange(m.cpu, mm, 0, 0, true),
    ]) {
      expect(yield* call()).toBe(-22);
    }
    expect(yield* uffdRegisterWp(m.cpu, mm, 2 ** 40, PAGE)).toBe(-22);
    expect(yield* mwriteprotectRange(m.cpu, mm, 2 ** 40, PAGE, true)).toBe(-12);
    // A read-only VMA gets read-only entries back.
    yield* mprotect(m.cpu, mm, 4 * PAGE, 4 * PAGE, VM_READ);
    yield* changeProtNuma(m.cpu, mm, 6 * PAGE, 7 * PAGE);
    yield* userLoad(m.cpu, mm, 6 * PAGE);
    expect(pteWrite(m.entry(mm, 6 * PAGE))).toBe(false);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);
