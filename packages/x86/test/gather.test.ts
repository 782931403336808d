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
  for (const cpu of machine.cpus) yield* machine.switchTo(cpu.id, mm);
  machine.takeEvents();
  return mm;
}

test(
  'the hull, in units of the lowest level',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [cpu] = m.cpus;
    const mm = yield* running(m);
    const tlb = yield* tlbGatherMmu(cpu!, mm);
    tlbRemoveTlbEntry(cpu!, tlb, 2 * PAGE, 0);
    tlbRemoveTlbEntry(cpu!, tlb, 6 * PAGE, 0);
    yield* tlbFinishMmu(cpu!, tlb, 0, 8 * PAGE);
    expect(m.takeEvents()).toEqual(['0:4/5', '1:1/5', '0:3/5']);
  }),
);

test(
  'a huge page is one unit',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [cpu] = m.cpus;
    const mm = yield* running(m);
    const tlb = yield* tlbGatherMmu(cpu!, mm);
    tlbFlushLevelRange(tlb, HUGE, HUGE, 1);
    yield* tlbFinishMmu(cpu!, tlb, HUGE, 2 * HUGE);
    expect(m.takeEvents()).toEqual(['0:4/512', '1:1/1', '0:3/1']);
  }),
);

test(
  'an empty table alone: 0 units, one page in the IPI event, and lazy CPUs leave',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const [cpu] = m.cpus;
    const mm = yield* running(m);
    yield* m.idle(2);
    const tlb = yield* tlbGatherMmu(cpu!, mm);
    yield* tlbRemoveTable(cpu!, tlb, m.take('table', 'table'), 0, 0);
    yield* tlbFinishMmu(cpu!, tlb, 0, HUGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '1:1/0', '2:0/0', '0:3/0']);
  }),
);

test(
  'two empty tables 2 MiB apart: one unit here, 513 pages in the IPI event',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [cpu] = m.cpus;
    const mm = yield* running(m);
    const tlb = yield* tlbGatherMmu(cpu!, mm);
    yield* tlbRemoveTable(cpu!, tlb, m.take('table', 'table'), 0, 0);
    yield* tlbRemoveTable(cpu!, tlb, m.take('table', 'table'), HUGE, 0);
    m.takeInvalidations(0);
    yield* tlbFinishMmu(cpu!, tlb, 0, 2 * HUGE);
    expect(m.takeEvents()).toEqual(['0:4/513', '1:1/1', '0:3/1']);
    expect(m.takeInvalidations(0).pages).toEqual([0, HUGE]);
  }),
);

test(
  'fullmm, needFlushAll and a nested finish flush everything',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [cpu] = m.cpus;
    const mm = yield* running(m);
    const full = yield* tlbGatherMmuFullmm(cpu!, mm);
    tlbRemoveTlbEntry(cpu!, full, 0, 0);
    yield* tlbFinishMmu(cpu!, full, 0, 0);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:1/-1', '0:3/-1']);

    const asked = yield* tlbGatherMmu(cpu!, mm);
    asked.needFlushAll = true;
    tlbRemoveTlbEntry(cpu!, asked, 0, 0);
    yield* tlbFinishMmu(cpu!, asked, 0, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:1/-1', '0:3/-1']);

    yield* tlbGatherMmu(cpu!, mm);
    const nested = yield* tlbGatherMmu(cpu!, mm);
    yield* tlbFinishMmu(cpu!, nested, 0, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:1/-1', '0:3/-1']);
  }),
);

test(
  'a gather without a record flushes nothing',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [cpu] = m.cpus;
    const mm = yield* running(m);
    yield* tlbFinishMmu(cpu!, yield* tlbGatherMmu(cpu!, mm), 0, PAGE);
    expect(m.takeEvents()).toEqual([]);
  }),
);
