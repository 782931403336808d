/** Same-page merging and migration: what is flushed, and where pages end up. */
import {
  getPage,
  type Mm,
  pteDirty,
  pteWrite,
  putPage,
  Page,
  PG_KSM,
  type Steps,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import { ksmMakeStable, ksmMerge, migratePages, mmap, userLoad, userStore } from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, NO_LEAKS, run } from './fake-machine.ts';

const PAGE = 4096;
const RW = VM_READ | VM_WRITE;

/** An mm with two pages that hold these words. */
function* twoPages(m: FakeMachine, first: number, second: number): Steps<Mm> {
  const mm = yield* m.newMm();
  yield* mmap(m.cpu, mm, 0, 2 * PAGE, RW);
  yield* userStore(m.cpu, mm, 0, first);
  yield* userStore(m.cpu, mm, PAGE, second);
  m.takeFlushes();
  m.claims.length = 0;
  return mm;
}

test(
  'equal pages become one, and a write takes them apart',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* twoPages(m, 5, 5);
    const old = m.pageAt(mm, 0).address;
    const kpage = yield* ksmMakeStable(m.cpu, { mm, address: PAGE });
    expect(kpage).toBe(m.pageAt(mm, PAGE).address);
    expect(m.words[Page.at(kpage).flags]! & PG_KSM).toBe(PG_KSM);
    expect([pteWrite(m.entry(mm, PAGE)), pteDirty(m.entry(mm, PAGE))]).toEqual([false, false]);
    expect(m.takeFlushes().map(({ by }) => by)).toEqual(['page']);

    expect(yield* ksmMerge(m.cpu, { mm, address: 0 }, kpage)).toBe(true);
    // To write-protect, and to replace.
    expect(m.takeFlushes().map(({ by }) => by)).toEqual(['page', 'page']);
    expect(m.pageAt(mm, 0).address).toBe(kpage);
    expect(m.live.page.has(old)).toBe(false);
    expect(
      m.claims.filter(({ kind }) => kind === 'stable' || kind === 'unstable').map(({ kind, start }) => [kind, start]),
    ).toEqual([
      ['stable', kpage],
      ['stable', old],
      ['unstable', old],
    ]);

    // Nobody writes to a merged page, not even the last who maps it.
    yield* userStore(m.cpu, mm, 0, 7);
    yield* userStore(m.cpu, mm, PAGE, 8);
    expect([m.pageAt(mm, 0).address, m.pageAt(mm, PAGE).address]).not.toContain(kpage);
    expect([yield* userLoad(m.cpu, mm, 0), yield* userLoad(m.cpu, mm, PAGE)]).toEqual([7, 8]);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'pages that differ, that somebody holds, or that are not there',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* twoPages(m, 5, 6);
    const kpage = yield* ksmMakeStable(m.cpu, { mm, address: PAGE });
    expect(yield* ksmMerge(m.cpu, { mm, address: 0 }, kpage)).toBe(false);
    expect(yield* ksmMerge(m.cpu, { mm, address: PAGE }, kpage)).toBe(false);
    expect(yield* ksmMerge(m.cpu, { mm, address: 4 * PAGE }, kpage)).toBe(false);
    yield* userStore(m.cpu, mm, 0, 6);
    const { address } = m.pageAt(mm, 0);
    yield* getPage(m.cpu, address);
    expect(yield* ksmMerge(m.cpu, { mm, address: 0 }, kpage)).toBe(false);
    expect(pteWrite(m.entry(mm, 0))).toBe(true);
    yield* putPage(m.cpu, address);
    expect(yield* ksmMerge(m.cpu, { mm, address: 0 }, kpage)).toBe(true);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);

test(
  'an entry that is read-only and clean is flushed again only while a flush is pending',
  run(function* (): Steps<void> {
    for (const pending of [0, 1]) {
      const m = new FakeMachine({ profile: { anonReuse: 'only-reference' } });
      const mm = yield* twoPages(m, 5, 5);
      const kpage = yield* ksmMakeStable(m.cpu, { mm, address: PAGE });
      yield* getPage(m.cpu, kpage);
      m.takeFlushes();
      m.words[mm.tlbFlushPending] = pending;
      m.words[Page.at(kpage).refcount]!--;
      expect(yield* ksmMakeStable(m.cpu, { mm, address: PAGE })).toBe(kpage);
      expect(m.takeFlushes().map(({ by }) => by)).toEqual(pending === 0 ? [] : ['page']);
    }
  }),
);

test(
  'pages move together: one flush before the first copy',
  run(function* (): Steps<void> {
    for (const migrateFlush of ['before-copy', 'after-copy'] as const) {
      const m = new FakeMachine({ profile: { migrateFlush } });
      const mm = yield* twoPages(m, 5, 6);
      const old = [m.pageAt(mm, 0).address, m.pageAt(mm, PAGE).address];
      const pages = old.map((page, i) => ({ page, mm, address: i * PAGE }));
      expect(yield* migratePages(m.cpu, pages)).toBe(2);
      expect(m.takeClaims('stable').map(({ end }) => end)).toEqual(migrateFlush === 'before-copy' ? [1, 1] : [0, 0]);
      expect(m.takeFlushes().map(({ by }) => by)).toEqual(['batch']);
      for (const page of old) expect(m.live.page.has(page)).toBe(false);
      expect([yield* userLoad(m.cpu, mm, 0), yield* userLoad(m.cpu, mm, PAGE)]).toEqual([5, 6]);
      expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
    }
  }),
);

test(
  'a page that somebody holds stays where it is',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* twoPages(m, 5, 6);
    const { address } = m.pageAt(mm, 0);
    yield* getPage(m.cpu, address);
    expect(yield* migratePages(m.cpu, [{ page: address, mm, address: 0 }])).toBe(0);
    expect(m.pageAt(mm, 0).address).toBe(address);
    yield* userStore(m.cpu, mm, 0, 9);
    expect(m.pageAt(mm, 0).address).toBe(address);
    expect(yield* migratePages(m.cpu, [{ page: address, mm, address: PAGE }])).toBe(0);
    yield* putPage(m.cpu, address);
    expect(yield* m.leaks(mm)).toEqual(NO_LEAKS);
  }),
);
