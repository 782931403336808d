// Attaching, paying, and flushes of a whole mm: the order of what is done.
import { ACCESSED, EVERYTHING, mkEntry, type MmuGather, PRESENT, type Steps, thisRq } from '@mmu-gather/core/stepped';
import { attachMask, crstTableUpgrade, flushMm } from '@mmu-gather/s390/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

test(
  'attach: own bit, the invalid ASCE, then out of the mm of before; wait, mm_cpumask, the debt, the ASCE',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    m.takeLog();
    yield* m.switchTo(1, mm);
    expect(m.takeLog()).toEqual([
      '1: or a.context.attachMask 2',
      '1: ASCE invalid 0',
      '1: andnot init_mm.context.attachMask 2',
      '1: wait a.context.flushCount',
      '1: or a.cpumask 2',
      '1: lock a.context.lock',
      '1: read a.context.flushMm',
      '1: unlock a.context.lock',
      '1: ASCE a 1',
    ]);
    yield* m.switchTo(1, mm);
    expect(m.takeLog()).not.toContain('1: andnot a.context.attachMask 2');
    expect([m.words[attachMask(mm)], m.words[attachMask(m.initMm)]]).toEqual([2, 1]);
  }),
);

test(
  'attach in other forms: both masks before the wait (4.9 to 4.13), and the repairs of today',
  run(function* (): Steps<void> {
    const marks: string[][] = [];
    for (const switches of [
      { era: 'E2', attachRepair: 'none' },
      { attachRepair: 'none' },
      { attachRepair: 'mask-twice' },
      { attachRepair: 'wait-twice' },
    ] as const) {
      const m = new FakeMachine(switches);
      const mm = yield* m.mm('a');
      m.takeLog();
      yield* m.switchTo(0, mm);
      marks.push(m.takeLog().flatMap((line) => (/cpumask/.test(line) ? ['mask'] : /wait/.test(line) ? ['wait'] : [])));
    }
    expect(marks).toEqual([
      ['mask', 'wait'],
      ['wait', 'mask'],
      ['mask', 'wait', 'mask'],
      ['wait', 'mask', 'wait'],
    ]);
  }),
);

test(
  'a debt is paid by the next who attaches: flag first, the mask is copied, then IDTE',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    yield* m.switchTo(0, mm);
    yield* m.switchTo(0, m.initMm);
    m.words[flushMm(mm)] = 1;
    m.takeLog();
    yield* m.switchTo(1, mm);
    expect(m.takeLog().slice(5, -1)).toEqual([
      '1: lock a.context.lock',
      '1: read a.context.flushMm',
      '1: write a.context.flushMm',
      '1: add a.context.flushCount 1',
      '1: read a.context.attachMask',
      '1: write a.cpumask',
      '1: purge global 1 all',
      '1: add a.context.flushCount -1',
      '1: unlock a.context.lock',
    ]);
    expect([m.words[mm.cpumask], m.words[flushMm(mm)]]).toEqual([2, 0]);
  }),
);

test(
  'flush_tlb_mm and flush_tlb_range pay what is owed, flush_tlb_page does nothing, tables are owed',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    const { s390 } = m;
    const { port } = m.cpus[0]!;
    const purges = (): number => m.takeLog().filter((line) => line.includes('purge')).length;
    purges();
    yield* s390.flushTlbMm(port, mm);
    yield* s390.flushTlbRange(port, mm, 0, 0x1000, 0);
    yield* s390.flushTlbPage(port, mm, 0);
    expect(purges()).toBe(0);
    const tlb = { mm } as MmuGather;
    yield* s390.tableFreed!(port, tlb);
    yield* s390.flushTlbPage(port, mm, 0);
    expect(purges()).toBe(0);
    yield* s390.tlbFlush(port, tlb);
    expect(purges()).toBe(1);
    yield* s390.flushTlbGen(port, mm, 0, EVERYTHING, 0, true, 1);
    expect(purges()).toBe(0);
  }),
);

test(
  'the wrong orders of paying: the purge before the flag, the flag without a lock, the mask after the purge',
  run(function* (): Steps<void> {
    const order: string[] = [];
    for (const switches of [
      { debtClear: 'purge-first' },
      { debtClear: 'flag-first' },
      { maskCopy: 'after-purge' },
    ] as const) {
      const m = new FakeMachine(switches);
      const mm = yield* m.mm('a');
      m.words[flushMm(mm)] = 1;
      m.takeLog();
      yield* m.s390.flushTlbMm(m.cpus[0]!.port, mm);
      const short = (line: string): string[] =>
        /lock/.test(line)
          ? ['lock']
          : /purge/.test(line)
            ? ['purge']
            : /write/.test(line)
              ? [line.split('.').at(-1)!]
              : [];
      order.push(m.takeLog().flatMap(short).join(' '));
    }
    expect(order).toEqual(['cpumask purge flushMm', 'flushMm cpumask purge', 'lock flushMm purge cpumask lock']);
  }),
);

test(
  'kernel addresses: IDTE of their ASCE, CSP without IDTE; flush_tlb_all does nothing, as in Linux',
  run(function* (): Steps<void> {
    const done: string[] = [];
    for (const switches of [{}, { idte: false }, { flushTlbAll: 'idte' as const }]) {
      const m = new FakeMachine(switches);
      yield* m.s390.flushTlbKernelRange(m.cpus[0]!.port, 0, 0x1000);
      yield* m.s390.flushTlbKernelRange(m.cpus[0]!.port, 0, EVERYTHING);
      done.push(m.takeLog().join(', '));
    }
    expect(done).toEqual([
      '0: purge global kernel all',
      '0: purge global any all',
      '0: purge global kernel all, 0: purge global kernel all',
    ]);
  }),
);

test(
  'exec attaches at once, for nobody can flush a new mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    m.takeLog();
    yield* m.s390.activateMm!(m.cpus[0]!.port, mm);
    expect(m.takeLog().slice(-2)).toEqual(['0: or a.cpumask 1', '0: ASCE a 1']);
  }),
);

test(
  'leaving an mm everywhere interrupts those who are attached',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const mm = yield* m.mm('a');
    for (const cpu of [0, 2]) yield* m.switchTo(cpu, mm);
    m.takeLog();
    yield* m.s390.leaveMmEverywhere(m.cpus[0]!.port, mm);
    const log = m.takeLog();
    expect(log.filter((line) => line.includes('ipi '))).toEqual(['0: ipi 2']);
    expect(log.filter((line) => line.includes('ASCE'))).toEqual(['2: ASCE invalid 0', '0: ASCE invalid 0']);
    expect(m.words[attachMask(mm)]).toBe(0);
  }),
);

test(
  'a larger address space: the new table holds what the old one did, and IPTE goes by the entry, whatever the ASCE',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    const old = m.words[mm.pgd]!;
    m.words[old + 3] = 77;
    yield* m.switchTo(0, mm);
    for (const cpu of [0, 1]) m.words[thisRq(m.cpus[cpu]!.port).activeMm] = cpu === 0 ? mm.address : 0;
    m.takeLog();
    yield* crstTableUpgrade(m.cpus[0]!.port, mm);
    expect(m.words[m.words[mm.pgd]! + 3]).toBe(77);
    const log = m.takeLog();
    expect(log.filter((line) => /ipi|wait|ASCE|drop/.test(line))).toEqual([
      '0: ipi 1',
      '0: ASCE new 2',
      '0: drop local any all',
    ]);
    const pte = m.entry('pte', mkEntry(7, PRESENT | ACCESSED));
    yield* m.s390.pte.ptepClearFlush!(m.cpus[0]!.port, mm, 0, pte);
    expect(m.takeLog()).toContain('0: change pte local -1 [0,1)');
    yield* m.s390.tableFreed!(m.cpus[0]!.port, { mm } as MmuGather);
    yield* m.s390.flushTlbMm(m.cpus[0]!.port, mm);
    expect(m.takeLog()).toContain('0: purge global 2 all');
  }),
);

test(
  'nothing is deferred, every change needs a flush, and pages are in no gather',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    const { s390 } = m;
    expect(yield* s390.tlbbatchShouldDefer(m.cpus[0]!.port, mm)).toBe(false);
    expect([s390.pteNeedsFlush(1, 1), s390.pteAccessible(0), s390.gathersPages, s390.lazyMmu]).toEqual([
      true,
      true,
      false,
      null,
    ]);
    expect(new FakeMachine({ gather: 'generic' }).s390.gathersPages).toBe(true);
  }),
);
