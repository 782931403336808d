/** PIDs, the process table, and what tlb_flush does with a gather. */
import {
  ACCESSED,
  DIRTY,
  finish,
  type Mm,
  type MmuGather,
  mkEntry,
  NX,
  PRESENT,
  RW,
  type Steps,
  tlbChangePageSize,
  tlbFlushMmuTlbonly,
  tlbGatherMmu,
  tlbGatherMmuFullmm,
  tlbRemoveTable,
  tlbRemoveTlbEntry,
  USER,
} from '@mmu-gather/core/stepped';
import {
  mmPid,
  type Radix,
  radixPteNeedsFlush,
  RADIX_LINUX_5_11,
  RADIX_LINUX_6_18,
  rbOfPid,
  rbOfVa,
} from '@mmu-gather/powerpc/stepped';
import { expect, test } from 'vitest';
import { RadixMachine } from './radix-machine.ts';

const PAGE = 65536;
const PMD = 32 * PAGE;

/** A test body, run to its end in either build. */
function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

test(
  'PIDs: the lowest that is free, from 1 on; its root is in the process table as long as it is used',
  run(function* (): Steps<void> {
    const m = new RadixMachine({ pids: 4 });
    const cpu = m.cpu(0);
    const backend = cpu.kernel.backend as Radix;
    const root = (pid: number): number => cpu.read(backend.pidTable.processTb + pid);
    const mms: Mm[] = [yield* m.mm(), yield* m.mm(), yield* m.mm()];
    expect(mms.map((mm) => cpu.read(mmPid(mm)))).toEqual([1, 2, 3]);
    expect(mms.map((mm) => root(cpu.read(mmPid(mm))))).toEqual(mms.map((mm) => cpu.read(mm.pgd)));
    yield* backend.archExitMmap!(cpu, mms[1]!);
    expect(root(2)).toBe(0);
    yield* backend.destroyContext!(cpu, mms[1]!);
    expect(cpu.read(mmPid(yield* m.mm()))).toBe(2);
    expect(() => finish(m.mm())).toThrow(/taken/);
  }),
);

/** Invalidations that a gather of an mm with two threads asks for. */
function flushes(
  switches: Parameters<typeof gatherOn>[0],
  fill: (tlb: MmuGather, m: RadixMachine) => Steps<void>,
): string[] {
  return finish(gatherOn(switches, fill));
}

function* gatherOn(
  { fullmm = false, ...switches }: { fullmm?: boolean } & ConstructorParameters<typeof RadixMachine>[0],
  fill: (tlb: MmuGather, m: RadixMachine) => Steps<void>,
): Steps<string[]> {
  const m = new RadixMachine(switches);
  const mm = yield* m.mm();
  yield* m.run(0, mm);
  yield* m.run(1, mm);
  m.cpu(0).write(mm.mmUsers, 2);
  const tlb = fullmm ? yield* tlbGatherMmuFullmm(m.cpu(0), mm) : yield* tlbGatherMmu(m.cpu(0), mm);
  yield* fill(tlb, m);
  yield* tlbFlushMmuTlbonly(m.cpu(0), tlb);
  return m.taken().filter((line) => line.includes('tlbi'));
}

function* clear(m: RadixMachine, tlb: MmuGather, address: number, level: number): Steps<void> {
  yield* tlbChangePageSize(m.cpu(0), tlb, level);
  tlbRemoveTlbEntry(m.cpu(0), tlb, address, level);
}

test('tlb_flush: addresses of the size that was recorded, and the ways to tables if some were unlinked', () => {
  expect(flushes({}, (tlb, m) => clear(m, tlb, PAGE, 0))).toEqual(['0: tlbie 1 @65536']);
  expect(flushes({}, (tlb, m) => clear(m, tlb, PMD, 1))).toEqual([`0: tlbie 1 @${PMD}/1`]);
  function* withTable(tlb: MmuGather, m: RadixMachine): Steps<void> {
    yield* clear(m, tlb, PAGE, 0);
    yield* tlbRemoveTable(m.cpu(0), tlb, yield* m.cpu(0).alloc('table'), PAGE, 0);
  }
  expect(flushes({}, withTable)).toEqual(['0: tlbie 1 ric 1', '0: tlbie 1 @65536']);
  expect(flushes({ gatherPwc: false }, withTable)).toEqual(['0: tlbie 1 @65536']);
});

test('another size flushes what is there first', () => {
  function* both(tlb: MmuGather, m: RadixMachine): Steps<void> {
    yield* clear(m, tlb, PMD, 1);
    yield* clear(m, tlb, PAGE, 0);
  }
  expect(flushes({}, both)).toEqual([`0: tlbie 1 @${PMD}/1`, '0: tlbie 1 @65536']);
  const merged = flushes({ pageSizeFlush: false, ceiling: 63 }, both);
  expect([merged.length, merged.some((line) => line.includes('/1'))]).toEqual([63, false]);
});

test('nobody said which size: the whole mm', () => {
  function* untold(tlb: MmuGather, m: RadixMachine): Steps<void> {
    tlbRemoveTlbEntry(m.cpu(0), tlb, PAGE, 0);
  }
  expect(flushes({}, untold)).toEqual(['0: tlbie 1 ric 0']);
});

test('the end of an mm: RIC 2; since 6.4 by interrupts first, which leaves this CPU alone', () => {
  const one = (tlb: MmuGather, m: RadixMachine): Steps<void> => clear(m, tlb, PAGE, 0);
  expect(flushes({ fullmm: true, lazyTlb: 'refcount' }, one)).toEqual(['0: tlbie 1 ric 2']);
  expect(flushes({ fullmm: true }, one)).toEqual(['1: tlbiel 1 ric 2', '0: tlbie 1 ric 2']);
});

test('pte_needs_flush: only what takes something away', () => {
  const old = PRESENT | USER | RW | ACCESSED | DIRTY | NX;
  const needs = (before: number, after: number): boolean => radixPteNeedsFlush(mkEntry(8, before), mkEntry(8, after));
  expect(needs(old, old)).toBe(false);
  expect(needs(old & ~RW, old)).toBe(false);
  expect(needs(old & ~DIRTY, old)).toBe(false);
  expect(needs(old, old & ~ACCESSED)).toBe(false);
  expect(needs(old & ~ACCESSED, old)).toBe(false);
  expect(needs(old, old & ~NX)).toBe(false);
  expect(needs(old, old & ~RW)).toBe(true);
  expect(needs(old, old & ~DIRTY)).toBe(true);
  expect(needs(old & ~NX, old)).toBe(true);
  expect(needs(old, old & ~PRESENT)).toBe(true);
  expect(needs(old & ~PRESENT, old)).toBe(true);
  expect(radixPteNeedsFlush(mkEntry(8, old), mkEntry(9, old))).toBe(true);
  expect([RADIX_LINUX_5_11.needsFlushRule, RADIX_LINUX_6_18.needsFlushRule]).toEqual(['always', '6.1']);
});

test(
  'powerpc:tlbie: rb has the address and AP, or IS and the set; rs the PID; a PID is 128 instructions here and one everywhere',
  run(function* (): Steps<void> {
    const m = new RadixMachine({ tlbSets: 128 });
    const mm = yield* m.mm();
    yield* m.run(0, mm);
    const cpu = m.cpu(0);
    expect([rbOfVa(cpu, PAGE, 0), rbOfVa(cpu, PMD, 1), rbOfPid(1, 3)]).toEqual([
      PAGE + 5 * 32,
      PMD + 32,
      3 * 4096 + 1024,
    ]);
    yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
    const ofPid = m.traces.splice(0);
    expect(ofPid).toHaveLength(128);
    expect(ofPid.slice(0, 2)).toEqual([
      `0: tlbie 0 1 1024 ${2 ** 32} 0 1 1`,
      `0: tlbie 0 1 ${4096 + 1024} ${2 ** 32} 0 1 1`,
    ]);
    yield* m.run(1, mm);
    cpu.write(mm.mmUsers, 2);
    yield* cpu.kernel.backend.flushTlbPage(cpu, mm, PAGE);
    yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
    expect(m.traces).toEqual([`0: tlbie 0 0 ${PAGE + 5 * 32} ${2 ** 32} 0 1 1`, `0: tlbie 0 0 1024 ${2 ** 32} 0 1 1`]);
  }),
);
