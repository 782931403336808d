import { describe, expect, test } from 'vitest';
import {
  type Backend,
  type Cpu,
  finish,
  gatherCapacity,
  LINUX_5_11,
  LINUX_6_1,
  LINUX_6_12,
  LINUX_6_18,
  Mm,
  type MmuGather,
  Page,
  type Profile,
  putPage,
  type Steps,
  taskSize,
  tlbEndPtes,
  tlbFinishMmu,
  tlbFlushMmu,
  tlbGatherMmu,
  tlbGatherMmuFullmm,
  tlbGetUnmapLevel,
  tlbRemovePage,
  tlbRemoveTable,
  tlbRemoveTlbEntry,
  tlbStartPtes,
} from '../src/index.ts';
import { type FakeCpu, fakeCpu } from './fake-cpu.ts';

const PAGE = 4096;
const MB2 = 2 ** 21;
const mm = Mm.at(100);
const page = Page.at(200);

function withPage(profile: Partial<Profile> = {}): FakeCpu {
  const fake = fakeCpu(profile);
  fake.words[page.refcount] = 1;
  return fake;
}

test('unhook, then invalidate, then free: tables before pages', () => {
  const { cpu, words, log, flushes } = withPage();
  finish(
    (function* (): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      expect(words[mm.tlbFlushPending]).toBe(1);
      tlbRemoveTlbEntry(cpu, tlb, 5 * PAGE, 0);
      expect(yield* tlbRemovePage(cpu, tlb, page.address)).toBe(false);
      yield* tlbRemoveTable(cpu, tlb, 300, 0, 0);
      yield* tlbFinishMmu(cpu, tlb, 5 * PAGE, 6 * PAGE);
    })(),
  );
  expect(log).toEqual(['flush', 'free table 300', `free page ${page.address}`, 'finished']);
  // The hull holds the entry and one page at the table's first address; levels 0 and 1 were touched.
  expect(flushes).toEqual([{ start: 0, end: 6 * PAGE, cleared: 0b11, freedTables: true, fullmm: false }]);
  expect(words[mm.tlbFlushPending]).toBe(0);
});

test('nothing recorded, nothing flushed', () => {
  const { cpu, log } = fakeCpu();
  finish(
    (function* (): Steps<void> {
      yield* tlbFinishMmu(cpu, yield* tlbGatherMmu(cpu, mm), 0, PAGE);
    })(),
  );
  expect(log).toEqual(['finished']);
});

test('the hull starts anew after a flush, and the lowest level gives the stride', () => {
  const { cpu, flushes } = fakeCpu();
  finish(
    (function* (): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      tlbRemoveTlbEntry(cpu, tlb, 0, 1);
      expect(tlbGetUnmapLevel(tlb)).toBe(1);
      yield* tlbFlushMmu(cpu, tlb);
      tlbRemoveTlbEntry(cpu, tlb, 7 * MB2, 1);
      tlbRemoveTlbEntry(cpu, tlb, 6 * MB2, 0);
      expect(tlbGetUnmapLevel(tlb)).toBe(0);
      yield* tlbFinishMmu(cpu, tlb, 0, 8 * MB2);
    })(),
  );
  expect(flushes.map(({ start, end }) => [start, end])).toEqual([
    [0, MB2],
    [6 * MB2, 8 * MB2],
  ]);
});

test('a page without a recorded entry is a bug, and so is a finish without its gather', () => {
  const { cpu, broken } = withPage();
  finish(
    (function* (): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* tlbRemovePage(cpu, tlb, page.address);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    })(),
  );
  expect(broken).toEqual(['O16', 'O16']);
});

test('8 pages on the stack and 510 in each of 19 batches; since 6.9 one less in each', () => {
  const capacities = [LINUX_5_11, LINUX_6_1, LINUX_6_12, LINUX_6_18].map(({ gatherBatch }) =>
    gatherCapacity(fakeCpu({ gatherBatch }).cpu),
  );
  expect(capacities).toEqual([8 + 19 * 510, 8 + 19 * 510, 7 + 19 * 509, 7 + 19 * 509]);
});

test('a page that somebody else still holds is not freed', () => {
  const { cpu, words, log } = withPage();
  words[page.refcount] = 2;
  finish(
    (function* (): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      tlbRemoveTlbEntry(cpu, tlb, 0, 0);
      yield* tlbRemovePage(cpu, tlb, page.address);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    })(),
  );
  expect(log).toEqual(['flush', 'finished']);
  expect(words[page.refcount]).toBe(1);
});

describe('another gather is open', () => {
  const nested = (nestedFinish: Profile['nestedFinish']): FakeCpu => {
    const fake = withPage({ nestedFinish });
    fake.words[mm.tlbFlushPending] = 1;
    finish(
      (function* (): Steps<void> {
        const tlb = yield* tlbGatherMmu(fake.cpu, mm);
        yield* tlbRemoveTable(fake.cpu, tlb, 300, 0, 0);
        yield* tlbFinishMmu(fake.cpu, tlb, PAGE, 3 * PAGE);
      })(),
    );
    expect(fake.words[mm.tlbFlushPending]).toBe(1);
    return fake;
  };

  test('range-reset forgets that a table was freed', () => {
    expect(nested('range-reset').flushes).toEqual([
      { start: PAGE, end: 3 * PAGE, cleared: 1, freedTables: false, fullmm: false },
    ]);
  });
  test('range-all-levels keeps the range and says everything about it', () => {
    expect(nested('range-all-levels').flushes).toEqual([
      { start: PAGE, end: 3 * PAGE, cleared: 0b1111, freedTables: true, fullmm: false },
    ]);
  });
  test('whole-mm: fullmm, and freed tables survive the reset', () => {
    expect(nested('whole-mm').flushes).toMatchObject([{ cleared: 0, freedTables: true, fullmm: true }]);
  });
  test('none: only what was recorded here', () => {
    expect(nested('none').flushes).toMatchObject([{ start: 0, end: PAGE, freedTables: true }]);
  });
});

test('lowering the counter before the flush shows in the order of effects', () => {
  const { cpu, words } = fakeCpu({ decPending: 'before-flush' });
  let atFlush = -1;
  const backend = cpu.kernel.backend as { tlbFlush: unknown };
  backend.tlbFlush = function* (): Steps<void> {
    atFlush = words[mm.tlbFlushPending]!;
  };
  finish(
    (function* (): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      tlbRemoveTlbEntry(cpu, tlb, 0, 0);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    })(),
  );
  expect(atFlush).toBe(0);
});

test('fullmm has no range, and an empty one starts past its end', () => {
  const { cpu } = fakeCpu();
  finish(
    (function* (): Steps<void> {
      const full = yield* tlbGatherMmuFullmm(cpu, mm);
      expect(full.start).toBe(full.end);
      const part = yield* tlbGatherMmu(cpu, mm);
      expect([part.start, part.end]).toEqual([taskSize(cpu.kernel.geometry), 0]);
    })(),
  );
});

/** Gives the fake architecture something of its own. */
function withArch(fake: FakeCpu, arch: Partial<Backend>): FakeCpu {
  Object.assign(fake.cpu.kernel.backend, arch);
  return fake;
}

test('the architecture hears of an unlinked table once it is recorded, and before it is freed', () => {
  for (const tableFree of ['batched', 'no-sync'] as const) {
    const fake = fakeCpu({ tableFree });
    const { cpu, log } = withArch(fake, {
      *tableFreed(_cpu: Cpu, tlb: MmuGather): Steps<void> {
        log.push(`unlinked ${tlb.start} ${tlb.end} ${tlb.freedTables} ${tlb.cleared} ${tlb.tables.length}`);
      },
    });
    finish(
      (function* (): Steps<void> {
        const tlb = yield* tlbGatherMmu(cpu, mm);
        yield* tlbRemoveTable(cpu, tlb, 300, MB2, 0);
        yield* tlbFinishMmu(cpu, tlb, MB2, 2 * MB2);
      })(),
    );
    const unlinked = `unlinked ${MB2} ${MB2 + PAGE} true 2 0`;
    const frees = ['flush', 'free table 300'];
    if (tableFree === 'no-sync') frees.reverse();
    expect(log).toEqual([unlinked, ...frees, 'finished']);
  }
});

test('a gather that keeps no pages gives them back at once, and is never full', () => {
  const fake = withPage({ gatherBatch: { bundle: 2, batch: 2, batches: 0, spare: 1 } });
  const { cpu, log, words } = withArch(fake, { gathersPages: false });
  words[page.refcount] = 2;
  finish(
    (function* (): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      for (const left of [1, 0]) {
        tlbRemoveTlbEntry(cpu, tlb, 0, 0);
        expect(yield* tlbRemovePage(cpu, tlb, page.address)).toBe(false);
        expect(words[page.refcount]).toBe(left);
      }
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    })(),
  );
  expect(log).toEqual([`free page ${page.address}`, 'flush', 'finished']);
});

test('tlb_start_ptes and tlb_end_ptes come in pairs, within a gather', () => {
  const brokenBy = (body: (cpu: Cpu, tlb: MmuGather) => Steps<void>): number => {
    const { cpu, broken } = fakeCpu({ deferral: 'table-gen', recordDeferral: 'flush' });
    const tlb = finish(tlbGatherMmu(cpu, mm));
    finish(body(cpu, tlb));
    return broken.filter((oracle) => oracle === 'O16').length;
  };
  const start = (cpu: Cpu, tlb: MmuGather): Steps<void> => tlbStartPtes(cpu, tlb);
  const end = (cpu: Cpu, tlb: MmuGather): Steps<void> => tlbEndPtes(cpu, tlb, 300);
  const close = (cpu: Cpu, tlb: MmuGather): Steps<void> => tlbFinishMmu(cpu, tlb, 0, PAGE);
  const all = (...calls: readonly (typeof start)[]): number =>
    brokenBy(function* (cpu, tlb): Steps<void> {
      for (const call of calls) yield* call(cpu, tlb);
    });
  expect([all(start, end, start, end, close), all(end), all(start, start), all(start, close)]).toEqual([0, 1, 1, 1]);
});

test('the last reference to a page that something maps is not dropped', () => {
  const { cpu, words, broken } = withPage();
  words[page.mapcount] = 1;
  finish(putPage(cpu, page.address));
  expect(broken).toEqual(['O16']);
});
