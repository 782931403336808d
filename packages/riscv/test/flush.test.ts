import { type Mm, type MmuGather, type Steps } from '@mmu-gather/core/stepped';
import {
  flushTlbKernelRange,
  flushTlbMm,
  flushTlbPage,
  flushTlbRange,
  type RiscvSwitches,
  tlbFlush,
} from '@mmu-gather/riscv/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 4096;
const HUGE = 512 * PAGE;

/** A machine on which these harts have run an mm, which has ASID 1. */
function* ran(harts: readonly number[], switches: Partial<RiscvSwitches> = {}): Steps<{ m: FakeMachine; mm: Mm }> {
  const m = new FakeMachine(switches, 3);
  const mm = yield* m.mm('mm');
  for (const hart of harts) yield* m.switchTo(hart, mm);
  m.takeLog();
  return { m, mm };
}

test(
  '64 pages are fenced one by one, leaves only; 65 are the whole ASID',
  run(function* (): Steps<void> {
    const { m, mm } = yield* ran([0]);
    yield* flushTlbRange(m.port(0), mm, PAGE, 65 * PAGE, 0);
    const fences = m.takeFlush();
    expect(fences).toHaveLength(64);
    expect([fences[0], fences[63]]).toEqual(['0: sfence page 1 asid 1', '0: sfence page 64 asid 1']);
    yield* flushTlbRange(m.port(0), mm, PAGE, 66 * PAGE, 0);
    expect(m.takeFlush()).toEqual(['0: sfence all asid 1']);
  }),
);

test(
  'the threshold counts strides: two huge pages are two fences since 6.8, and everything before',
  run(function* (): Steps<void> {
    const { m, mm } = yield* ran([0]);
    yield* flushTlbRange(m.port(0), mm, 0, 2 * HUGE, 1);
    expect(m.takeFlush()).toEqual(['0: sfence page 0 asid 1', '0: sfence page 512 asid 1']);
    const old = yield* ran([0], { hugeStride: false });
    yield* flushTlbRange(old.m.port(0), old.mm, 0, HUGE, 1);
    expect(old.m.takeFlush()).toEqual(['0: sfence all asid 1']);
  }),
);

test(
  'other harts of the mask are interrupted and waited for; the firmware fences one after the other; nobody else is reached',
  run(function* (): Steps<void> {
    const { m, mm } = yield* ran([0, 2]);
    yield* flushTlbPage(m.port(0), mm, PAGE);
    expect(m.takeFlush()).toEqual([
      '0: ipi 2',
      '2: sfence page 1 asid 1',
      '0: sfence page 1 asid 1',
      '0: wait for ipis',
    ]);
    const sbi = yield* ran([0, 2], { rfence: 'sbi' });
    yield* flushTlbMm(sbi.m.port(0), sbi.mm);
    expect(sbi.m.takeFlush()).toEqual(['0: harts 1: sfence all asid 1', '0: harts 100: sfence all asid 1']);
    yield* flushTlbPage(m.port(1), yield* m.mm('never run'), PAGE);
    expect(m.takeFlush()).toEqual([]);
  }),
);

test(
  'kernel addresses name no ASID, and every hart',
  run(function* (): Steps<void> {
    const { m } = yield* ran([]);
    yield* flushTlbKernelRange(m.port(1), 0, PAGE);
    expect(m.takeFlush()).toEqual([
      '1: ipi 0',
      '0: sfence page 0',
      '1: ipi 2',
      '2: sfence page 0',
      '1: sfence page 0',
      '1: wait for ipis',
    ]);
  }),
);

test(
  'page-table stores, then a barrier, and only then the mask',
  run(function* (): Steps<void> {
    const { m, mm } = yield* ran([0], { flushFence: true });
    yield* flushTlbPage(m.port(0), mm, 0);
    expect(m.takeLog()).toEqual(['0: mb', '0: read mm.context.id', '0: read mm.cpumask', '0: sfence page 0 asid 1']);
  }),
);

test(
  'a gather that freed tables flushes the whole mm, for a fence with an address keeps walk caches; one of leaves its hull',
  run(function* (): Steps<void> {
    const { m, mm } = yield* ran([0]);
    const tlb = { mm, fullmm: false, needFlushAll: false, freedTables: false, start: PAGE, end: 3 * PAGE, cleared: 1 };
    yield* tlbFlush(m.port(0), tlb as unknown as MmuGather);
    expect(m.takeFlush()).toEqual(['0: sfence page 1 asid 1', '0: sfence page 2 asid 1']);
    for (const all of [{ freedTables: true }, { fullmm: true }, { needFlushAll: true }]) {
      yield* tlbFlush(m.port(0), { ...tlb, ...all } as unknown as MmuGather);
      expect(m.takeFlush()).toEqual(['0: sfence all asid 1']);
    }
    const old = yield* ran([0], { gatherFlush: 'mm' });
    yield* tlbFlush(old.m.port(0), { ...tlb, mm: old.mm } as unknown as MmuGather);
    expect(old.m.takeFlush()).toEqual(['0: sfence all asid 1']);
  }),
);

test(
  'reclaim flushes every ASID of the harts that it collected',
  run(function* (): Steps<void> {
    const { m, mm } = yield* ran([0, 1]);
    const { backend } = m.kernel;
    const batch = { cpumask: 0, writable: false, flushRequired: false, gens: new Map() };
    yield* backend.tlbbatchAddPending(m.port(0), batch, mm, 0);
    yield* m.switchTo(2, mm);
    m.takeLog();
    yield* backend.tlbbatchFlush(m.port(0), batch);
    expect(m.takeFlush()).toEqual(['0: ipi 1', '1: sfence all', '0: sfence all', '0: wait for ipis']);
    expect(batch.cpumask).toBe(0);
  }),
);
