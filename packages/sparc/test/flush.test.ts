import {
  ACCESSED,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  DIRTY,
  type Entry,
  entryCell,
  lazyBatchCount,
  mkEntry,
  Mm,
  NX,
  PRESENT,
  PSE,
  pteMkold,
  pteWrprotect,
  RW,
  type Steps,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbRemoveTlbEntry,
  USER,
} from '@mmu-gather/core/stepped';
import {
  flushCost,
  flushTlbKernelRange,
  kernelRanges,
  SPARC64_LEVELS,
  SPARC64_LINUX_6_18,
  SPARC64_PTE,
  thisTlbBatch,
} from '@mmu-gather/sparc/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 0x2000;
const HUGE = 0x80_0000;
const VALID = PRESENT | USER | ACCESSED | RW | DIRTY;

interface Stage {
  readonly m: FakeMachine;
  readonly mm: Mm;
  /** Cells that hold an entry each. */
  readonly ptes: number;
}

function* running(machine: FakeMachine, entry: Entry = mkEntry(1, VALID)): Steps<Stage> {
  const mm = yield* machine.mm('a');
  for (const cpu of machine.cpus) yield* machine.switchTo(cpu.id, mm);
  const ptes = machine.reserve(
    'pte',
    Array.from({ length: 256 }, (_, i) => `[${i}]`),
  );
  for (let i = 0; i < 256; i++) machine.words[ptes + i] = entry;
  machine.takeLog();
  return { m: machine, mm, ptes };
}

/** What is left of a log without TSB tags, and CPU 0 left out. */
function short(m: FakeMachine): string[] {
  return m
    .takeLog()
    .filter((line) => !line.includes('.tag'))
    .map((line) => line.replace(/^0: /, ''));
}

test(
  'a change of a valid entry: store, TSB under the lock, context, mask, mondo, own demap',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine());
    yield* SPARC64_PTE.setPteAt(m.port(0), mm, 3 * PAGE, ptes, 0, 0);
    expect(m.takeLog().map((line) => line.replace(/tsb\..*tag/, 'tag'))).toEqual([
      '0: read pte.[0]',
      '0: write pte.[0]',
      '0: lock a.context.lock',
      '0: cmpxchg tag',
      '0: unlock a.context.lock',
      '0: read a.context.ctxVal',
      '0: read a.cpumask',
      '0: demap on 2 context 1 6000-8000',
      '0: demap context 1 6000-8000',
    ]);
    expect(m.events).toEqual([]);
  }),
);

test(
  'a page that may be executed is demapped for instructions, too; any other for data alone on sun4u, for both on sun4v',
  run(function* (): Steps<void> {
    for (const demaps of ['data', 'both'] as const) {
      const { m, mm, ptes } = yield* running(new FakeMachine({ switches: { demaps } }), mkEntry(1, VALID | NX));
      const [cpu] = m.ports;
      const data = demaps === 'data' ? ' data' : '';
      m.words[ptes + 1] = mkEntry(1, VALID);
      yield* SPARC64_PTE.setPteAt(cpu!, mm, 0, ptes, 0, 0);
      expect(short(m)).toContain(`demap on 2 context 1${data} 0-2000`);
      yield* SPARC64_PTE.setPteAt(cpu!, mm, 0, ptes + 1, 0, 0);
      expect(short(m)).toContain('demap on 2 context 1 0-2000');
      yield* archEnterLazyMmuMode(cpu!);
      m.words[ptes + 1] = mkEntry(1, VALID);
      yield* SPARC64_PTE.setPteAt(cpu!, mm, PAGE, ptes + 1, 0, 0);
      yield* SPARC64_PTE.setPteAt(cpu!, mm, 2 * PAGE, ptes + 2, 0, 0);
      yield* archLeaveLazyMmuMode(cpu!);
      expect(short(m).filter((line) => line.includes('demap'))).toEqual([
        `1: demap context 1${data} 4000-6000`,
        '1: demap context 1 2000-4000',
        'demap context 1 2000-4000',
        `demap context 1${data} 4000-6000`,
      ]);
    }
  }),
);

test(
  'nothing over an entry that is not valid, nor of the kernel',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine(), 0);
    yield* SPARC64_PTE.setPteAt(m.port(0), mm, 0, ptes, mkEntry(1, VALID), 0);
    expect(short(m)).toEqual(['read pte.[0]', 'write pte.[0]']);
    yield* SPARC64_PTE.setPteAt(m.port(0), Mm.at(m.kernel.initMm), 0, ptes, 0, 0);
    expect(short(m)).toEqual(['read pte.[0]', 'write pte.[0]']);
  }),
);

test(
  'every way to change an entry flushes what was there',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine());
    const [cpu] = m.ports;
    const old = m.words[ptes]!;
    const ro = pteWrprotect(old);
    const ways: (() => Steps<unknown>)[] = [
      () => SPARC64_PTE.ptepGetAndClear(cpu!, mm, 0, ptes, 0),
      () => SPARC64_PTE.ptepGetAndClearFull(cpu!, mm, 0, ptes, old, true, 0),
      () => SPARC64_PTE.ptepSetWrprotect(cpu!, mm, 0, ptes, old, 0),
      () => SPARC64_PTE.ptepTestAndClearYoung(cpu!, mm, 0, ptes, old),
      () => SPARC64_PTE.ptepModifyProtStart(cpu!, mm, 0, ptes),
      () => SPARC64_PTE.ptepSetAccessFlags(cpu!, mm, 0, ptes, old, ro, 0),
    ];
    const left = [0, 0, ro, pteMkold(old), 0, ro];
    for (const [i, way] of ways.entries()) {
      m.words[ptes] = old;
      yield* way();
      expect(m.words[ptes]).toBe(left[i]);
      expect(short(m).filter((line) => line.startsWith('demap'))).toEqual([
        'demap on 2 context 1 0-2000',
        'demap context 1 0-2000',
      ]);
    }
    yield* SPARC64_PTE.ptepModifyProtCommit(cpu!, mm, 0, ptes, old, ro);
    m.words[ptes] = 0;
    m.takeLog();
    yield* SPARC64_PTE.ptepModifyProtCommit(cpu!, mm, 0, ptes, old, ro);
    expect(short(m)).toEqual(['read pte.[0]', 'write pte.[0]']);
  }),
);

test(
  'in a section addresses are collected: one is a mondo, more are a call that is waited for',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine());
    const [cpu] = m.ports;
    for (const count of [1, 3]) {
      yield* archEnterLazyMmuMode(cpu!);
      for (let i = 0; i < count; i++) {
        m.words[ptes + i] = mkEntry(1, VALID);
        yield* SPARC64_PTE.ptepGetAndClear(cpu!, mm, i * PAGE, ptes + i, 0);
      }
      expect(lazyBatchCount(cpu!, thisTlbBatch(cpu!))).toBe(count);
      expect(short(m).every((line) => line.includes('pte'))).toBe(true);
      yield* archLeaveLazyMmuMode(cpu!);
      expect(lazyBatchCount(cpu!, thisTlbBatch(cpu!))).toBe(0);
      const drain = short(m);
      expect(drain.slice(0, 5)).toEqual([
        'lock a.context.lock',
        'unlock a.context.lock',
        'read a.context.ctxVal',
        'read tlb_context_cache',
        'read a.cpumask',
      ]);
      if (count === 1) {
        expect(drain.slice(5)).toEqual(['demap on 2 context 1 0-2000', 'demap context 1 0-2000']);
        expect(m.events).toEqual([]);
      } else {
        expect(drain.slice(5)).toEqual([
          'ipi 1',
          '1: demap context 1 4000-6000',
          '1: demap context 1 2000-4000',
          '1: demap context 1 0-2000',
          'wait for ipis',
          'demap context 1 0-2000',
          'demap context 1 2000-4000',
          'demap context 1 4000-6000',
        ]);
        expect(m.events).toEqual(['ipi_send_cpumask 2 0']);
      }
    }
  }),
);

test(
  'an mm that no other CPU has run asks nobody, and traces nothing',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine({ cpus: 1 }));
    const [cpu] = m.ports;
    yield* archEnterLazyMmuMode(cpu!);
    for (let i = 0; i < 2; i++) yield* SPARC64_PTE.ptepGetAndClear(cpu!, mm, i * PAGE, ptes + i, 0);
    yield* archLeaveLazyMmuMode(cpu!);
    expect(short(m).filter((line) => line.includes('demap') || line.includes('ipi'))).toEqual([
      'demap context 1 0-2000',
      'demap context 1 2000-4000',
    ]);
    expect(m.events).toEqual([]);
  }),
);

test(
  'a batch is full with 192 addresses',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine());
    const [cpu] = m.ports;
    expect(SPARC64_LINUX_6_18.batchNr).toBe(192);
    yield* archEnterLazyMmuMode(cpu!);
    for (let i = 0; i < 191; i++) yield* SPARC64_PTE.ptepGetAndClear(cpu!, mm, i * PAGE, ptes + i, 0);
    expect(m.events).toEqual([]);
    yield* SPARC64_PTE.ptepGetAndClear(cpu!, mm, 191 * PAGE, ptes + 191, 0);
    expect([m.events.length, lazyBatchCount(cpu!, thisTlbBatch(cpu!))]).toEqual([1, 0]);
    yield* archLeaveLazyMmuMode(cpu!);
    expect(m.events.length).toBe(1);
  }),
);

test(
  'another mm, or another page size, drains what is there; a gather drains, too',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine());
    const [cpu] = m.ports;
    const other = yield* m.mm('b');
    yield* archEnterLazyMmuMode(cpu!);
    yield* SPARC64_PTE.ptepGetAndClear(cpu!, mm, 0, ptes, 0);
    m.takeLog();
    yield* SPARC64_PTE.ptepGetAndClear(cpu!, other, PAGE, ptes + 1, 0);
    expect(short(m)).toContain('demap context 1 0-2000');
    m.words[ptes + 2] = mkEntry(1, VALID | PSE);
    yield* SPARC64_PTE.ptepGetAndClear(cpu!, other, HUGE, ptes + 2, 1);
    // The other mm has never run: it has no context, and nothing but its TSB is flushed.
    expect(short(m)).toEqual([
      'read pte.[2]',
      'write pte.[2]',
      'lock b.context.lock',
      'unlock b.context.lock',
      'read b.context.ctxVal',
      'read tlb_context_cache',
    ]);
    expect(lazyBatchCount(cpu!, thisTlbBatch(cpu!))).toBe(2);
    const tlb = yield* tlbGatherMmu(cpu!, mm);
    tlbRemoveTlbEntry(cpu!, tlb, 0, 0);
    yield* tlbFinishMmu(cpu!, tlb, 0, PAGE);
    expect(lazyBatchCount(cpu!, thisTlbBatch(cpu!))).toBe(0);
    yield* archLeaveLazyMmuMode(cpu!);
  }),
);

test(
  'a huge page: both halves of 4 MiB; a table: what is valid in it',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine(), mkEntry(1, VALID | PSE));
    const [cpu] = m.ports;
    yield* SPARC64_PTE.pmdpEstablish(cpu!, mm, HUGE, ptes, mkEntry(1, PSE));
    const demaps = short(m).filter((line) => line.startsWith('demap context'));
    expect(demaps).toEqual(['demap context 1 800000-c00000', 'demap context 1 c00000-1000000']);

    const table = m.take('table', 'table');
    for (const i of [0, 7, 1023]) m.words[entryCell(SPARC64_LEVELS, table, 0, i * PAGE)] = mkEntry(1, VALID);
    yield* SPARC64_PTE.pmdpCollapseFlush!(cpu!, mm, HUGE, table);
    expect(short(m).filter((line) => line.startsWith('demap context'))).toEqual(
      [0, 7, 1023].map(
        (i) => `demap context 1 ${(HUGE + i * PAGE).toString(16)}-${(HUGE + (i + 1) * PAGE).toString(16)}`,
      ),
    );
  }),
);

test(
  'flush_tlb_mm, flush_tlb_range and flush_tlb_page do nothing, and reclaim never defers',
  run(function* (): Steps<void> {
    const { m, mm } = yield* running(new FakeMachine());
    const [cpu] = m.ports;
    const { backend } = m.kernel;
    yield* backend.flushTlbMm(cpu!, mm);
    yield* backend.flushTlbRange(cpu!, mm, 0, PAGE, 0);
    yield* backend.flushTlbPage(cpu!, mm, 0);
    expect([m.takeLog(), yield* backend.tlbbatchShouldDefer(cpu!, mm)]).toEqual([[], false]);
  }),
);

test(
  'up to 5.9 a flush by the only task makes the mask this CPU',
  run(function* (): Steps<void> {
    const { m, mm, ptes } = yield* running(new FakeMachine({ switches: { trimMask: 'single-user' } }));
    const [cpu] = m.ports;
    m.words[m.kernel.runqueues] = mm.address;
    m.words[mm.mmUsers] = 2;
    yield* SPARC64_PTE.setPteAt(cpu!, mm, 0, ptes, 0, 0);
    expect([short(m).includes('demap on 2 context 1 0-2000'), m.words[mm.cpumask]]).toEqual([true, 3]);
    m.words[mm.mmUsers] = 1;
    yield* SPARC64_PTE.setPteAt(cpu!, mm, 0, ptes + 1, 0, 0);
    expect([short(m).includes('demap on 2 context 1 0-2000'), m.words[mm.cpumask]]).toEqual([false, 1]);
  }),
);

test('a kernel range is split around the firmware: 0xf0000000 to 4 GiB', () => {
  expect(kernelRanges(0, PAGE)).toEqual([[0, PAGE]]);
  expect(kernelRanges(0xf000_0000, 0x1_0000_0000)).toEqual([]);
  expect(kernelRanges(0xe000_0000, 0x1_0000_2000)).toEqual([
    [0xe000_0000, 0xf000_0000],
    [0x1_0000_0000, 0x1_0000_2000],
  ]);
  expect(kernelRanges(0xf800_0000, 0x2_0000_0000)).toEqual([[0x1_0000_0000, 0x2_0000_0000]]);
});

test(
  'a kernel range: a mondo to every CPU, whatever it runs, then this one',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ cpus: 3 });
    yield* flushTlbKernelRange(m.port(1), PAGE, 3 * PAGE);
    expect(m.takeLog()).toEqual(['1: demap on 5 kernel 2000-6000', '1: demap kernel 2000-6000']);
  }),
);

test('one address is not waited for, more are', () => {
  expect(flushCost(1, 3)).toEqual({ tsbEntries: 1, crossCalls: 3, waits: false, demaps: 1 });
  expect(flushCost(5, 3)).toEqual({ tsbEntries: 5, crossCalls: 3, waits: true, demaps: 5 });
});
