// tlb_flush and tlb_get_level: what becomes of a gather's record.
import { TTL_UNKNOWN, tlbGetLevel } from '@mmu-gather/arm64/stepped';
import {
  type Mm,
  type Steps,
  tlbFinishMmu,
  tlbFlushLevelRange,
  tlbGatherMmu,
  tlbGatherMmuFullmm,
  tlbRemoveTable,
  tlbRemoveTlbEntry,
} from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 0x1000;
const HUGE = 0x200000;

function* running(machine: FakeMachine): Steps<Mm> {
  const mm = yield* machine.mm('a');
  yield* machine.switchTo(0, mm);
  machine.takeLog();
  return mm;
}

test(
  'pages alone: leaves of their level, in the hull',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    const tlb = yield* tlbGatherMmu(port, mm);
    tlbRemoveTlbEntry(port, tlb, 2 * PAGE, 0);
    tlbRemoveTlbEntry(port, tlb, 5 * PAGE, 0);
    yield* tlbFinishMmu(port, tlb, 0, 8 * PAGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VALE1IS 1 [2,6) level 0', 'DSB ISH']);
  }),
);

test(
  'a freed table: walk caches, too, and no hint',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    const tlb = yield* tlbGatherMmu(port, mm);
    yield* tlbRemoveTable(port, tlb, m.take('table', 'table'), HUGE, 0);
    yield* tlbFinishMmu(port, tlb, HUGE, 2 * HUGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VAE1IS 1 [512,513)', 'DSB ISH']);
  }),
);

test(
  'levels: a hint at the one that was cleared, none at several, none beside freed tables',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    const hint = function* (levels: readonly number[], freedTables = false): Steps<number> {
      const tlb = yield* tlbGatherMmu(port, mm);
      for (const level of levels) tlbFlushLevelRange(tlb, 0, PAGE, level);
      tlb.freedTables = freedTables;
      return tlbGetLevel(port, tlb);
    };
    expect(yield* hint([])).toBe(TTL_UNKNOWN);
    for (const level of [0, 1, 2, 3]) expect(yield* hint([level])).toBe(level);
    expect(yield* hint([0, 1])).toBe(TTL_UNKNOWN);
    expect(yield* hint([1], true)).toBe(TTL_UNKNOWN);
  }),
);

test(
  'without range operations: a step for each entry of the lowest level',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ tlbRange: false, ttl: false });
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    const tlb = yield* tlbGatherMmu(port, mm);
    tlbFlushLevelRange(tlb, 0, 2 * HUGE, 1);
    yield* tlbFinishMmu(port, tlb, 0, 2 * HUGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VALE1IS 1 [0,1)', 'VALE1IS 1 [512,513)', 'DSB ISH']);
  }),
);

test(
  'the end of an mm: nothing for pages, the whole mm for tables',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    const pages = yield* tlbGatherMmuFullmm(port, mm);
    tlbRemoveTlbEntry(port, pages, 0, 0);
    yield* tlbFinishMmu(port, pages, 0, PAGE);
    expect(m.takeFlush()).toEqual([]);
    const tables = yield* tlbGatherMmuFullmm(port, mm);
    yield* tlbRemoveTable(port, tables, m.take('table', 'table'), 0, 0);
    yield* tlbFinishMmu(port, tables, 0, PAGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 1', 'DSB ISH']);
  }),
);

test(
  'a nested finish of a live mm is fullmm, and flushes',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    yield* tlbGatherMmu(m.cpus[1]!.port, mm);
    const tlb = yield* tlbGatherMmu(port, mm);
    yield* tlbFinishMmu(port, tlb, 0, PAGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 1', 'DSB ISH']);
  }),
);

test(
  'a hull that was reset ends before it begins, and counts as too large (RFC 01, D14)',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    const tlb = yield* tlbGatherMmu(port, mm);
    tlb.needFlushAll = true;
    yield* m.arm64.tlbFlush(port, tlb);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 1', 'DSB ISH']);
  }),
);
