import { Mm, type Steps } from '@mmu-gather/core/stepped';
import {
  flushTlbPage,
  initializeTlbstateAndFlush,
  leaveMm,
  x86Of,
  X86_LINUX_5_11,
  X86_LINUX_6_12,
} from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const CLEAN = '0/0';
const FLUSHED = '0/-1';

test(
  'slots are handed out 1, 2, 3, 4, 5, 0, 1, and each is flushed for its new mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const loads: string[] = [];
    for (let i = 0; i < 7; i++) {
      yield* m.switchTo(0, yield* m.mm(`mm${i}`));
      loads.push(...m.takeAccesses(0).filter((a) => a.startsWith('cr3')));
    }
    expect(loads).toEqual(['1', '2', '3', '4', '5', '0', '1'].map((asid) => `cr3 ${asid} flush`));
    expect(m.takeEvents()).toEqual(Array.from({ length: 7 }, () => `0:${FLUSHED}`));
  }),
);

test(
  'a hit does not refresh a slot: after 7 mms the first is gone and the second is the next to go',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mms: Mm[] = [];
    for (let i = 0; i < 7; i++) mms.push(yield* m.mm(`mm${i}`));
    for (let i = 0; i < 6; i++) yield* m.switchTo(0, mms[i]!);
    yield* m.switchTo(0, mms[1]!);
    yield* m.switchTo(0, mms[6]!);
    m.takeEvents();
    m.takeAccesses(0);
    yield* m.switchTo(0, mms[1]!);
    expect(m.takeEvents()).toEqual([`0:${CLEAN}`]);
    yield* m.switchTo(0, mms[0]!);
    expect(m.takeAccesses(0)).toContain('cr3 2 flush');
    expect(m.takeEvents()).toEqual([`0:${FLUSHED}`]);
    yield* m.switchTo(0, mms[1]!);
    expect(m.takeAccesses(0)).toContain('cr3 3 flush');
  }),
);

test(
  'with two slots init_mm loses slot 0 to the second mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ dynAsids: 2 });
    const initMm = Mm.at(m.kernel.initMm);
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    yield* m.switchTo(0, a);
    yield* m.switchTo(0, initMm);
    yield* m.switchTo(0, a);
    expect(m.takeEvents()).toEqual([`0:${FLUSHED}`, `0:${CLEAN}`, `0:${CLEAN}`]);
    yield* m.switchTo(0, b);
    yield* m.switchTo(0, initMm);
    expect(m.takeAccesses(0).filter((x) => x.startsWith('cr3'))).toEqual([
      'cr3 1 flush',
      'cr3 0',
      'cr3 1',
      'cr3 0 flush',
      'cr3 1 flush',
    ]);
  }),
);

test(
  'without PCID there is one slot and every switch flushes',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ pcid: false });
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    expect(m.kernel.backend.isa.asids).toBe(1);
    yield* m.switchTo(0, a);
    yield* m.switchTo(0, b);
    yield* m.switchTo(0, a);
    expect(m.takeEvents()).toEqual([`0:${FLUSHED}`, `0:${FLUSHED}`, `0:${FLUSHED}`]);
  }),
);

test(
  'row 1: a slot that is clean; row 2: a slot that is new, or stale',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    yield* m.switchTo(0, a);
    yield* m.switchTo(0, b);
    m.takeEvents();
    yield* m.switchTo(0, a);
    expect(m.takeEvents()).toEqual([`0:${CLEAN}`]);
    yield* flushTlbPage(m.cpus[1]!, b, 0x1000);
    m.takeEvents();
    yield* m.switchTo(0, b);
    expect(m.takeEvents()).toEqual([`0:${FLUSHED}`]);
    expect(m.takeAccesses(0)).toContain('cr3 2 flush');
  }),
);

test(
  'row 3: the same mm again, not lazy or lazy and up to date, is silent',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* m.mm('a');
    yield* m.switchTo(0, a);
    m.takeEvents();
    m.takeAccesses(0);
    yield* m.switchTo(0, a);
    expect(m.takeAccesses(0)).toEqual([]);
    yield* m.idle(0);
    m.takeAccesses(0);
    yield* m.switchTo(0, a);
    expect(m.takeAccesses(0)).toEqual(['write cpu_tlbstate[0].isLazy', 'mb', 'read a.tlbGen']);
    expect(m.takeEvents()).toEqual([]);
  }),
);

test(
  'row 4: the same mm after lazy mode, behind by a generation, is loaded anew',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* m.mm('a');
    yield* m.switchTo(0, a);
    yield* m.idle(0);
    yield* flushTlbPage(m.cpus[1]!, a, 0x1000);
    expect(m.ipis).toEqual([]);
    m.takeEvents();
    m.takeAccesses(0);
    yield* m.switchTo(0, a);
    expect(m.takeEvents()).toEqual([`0:${FLUSHED}`]);
    expect(m.takeAccesses(0)).toContain('cr3 1 flush');
  }),
);

test(
  'the naive lazy exit goes on with what it has',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ lazyExitCheck: false });
    const a = yield* m.mm('a');
    yield* m.switchTo(0, a);
    yield* m.idle(0);
    yield* flushTlbPage(m.cpus[1]!, a, 0x1000);
    m.takeEvents();
    yield* m.switchTo(0, a);
    expect(m.takeEvents()).toEqual([]);
  }),
);

test(
  'row 5: a kernel thread borrows what is loaded, and nothing when init_mm is',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    yield* m.idle(0);
    expect(m.takeAccesses(0)).toEqual([]);
    yield* m.switchTo(0, yield* m.mm('a'));
    m.takeEvents();
    m.takeAccesses(0);
    yield* m.idle(0);
    expect(m.takeAccesses(0)).toEqual(['write cpu_tlbstate[0].isLazy']);
    expect(m.takeEvents()).toEqual([]);
  }),
);

test(
  'row 23: leave_mm goes to the slot of init_mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    yield* leaveMm(m.cpus[0]!);
    expect(m.takeEvents()).toEqual([]);
    yield* m.switchTo(0, yield* m.mm('a'));
    yield* m.idle(0);
    m.takeEvents();
    yield* leaveMm(m.cpus[0]!);
    expect(m.takeEvents()).toEqual([`0:${CLEAN}`]);
    expect(m.cpus[0]!.read(x86Of(m.cpus[0]!).tlbstate[0]!.loadedMm)).toBe(m.kernel.initMm);
    expect(m.cpus[0]!.irqsOff).toBe(0);
  }),
);

test(
  'a CPU that comes back trusts no slot',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    yield* m.switchTo(0, a);
    yield* m.switchTo(0, b);
    m.takeAccesses(0);
    yield* initializeTlbstateAndFlush(m.cpus[0]!);
    expect(m.takeAccesses(0)).toEqual(['read init_mm.tlbGen', 'cr3 0 flush']);
    m.takeEvents();
    yield* m.switchTo(0, a);
    expect(m.takeAccesses(0)).toContain('cr3 3 flush');
    yield* m.switchTo(0, b);
    expect(m.takeEvents()).toEqual([`0:${FLUSHED}`, `0:${CLEAN}`]);
  }),
);

test(
  '6.18: marker, mask, generation, CR3, mm, in this order',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    yield* m.switchTo(0, a);
    m.takeAccesses(0);
    yield* m.switchTo(0, b);
    expect(m.takeAccesses(0)).toEqual([
      'write cpu_tlbstate[0].loadedMm',
      'read b.cpumask',
      'or b.cpumask',
      'read b.tlbGen',
      'cr3 2 flush',
      'write cpu_tlbstate[0].loadedMm',
    ]);
    expect([m.mask(a), m.mask(b)]).toEqual([1, 1]);
    yield* m.switchTo(0, a);
    expect(m.takeAccesses(0)).toEqual([
      'write cpu_tlbstate[0].loadedMm',
      'read a.cpumask',
      'mb',
      'read a.tlbGen',
      'cr3 1',
      'write cpu_tlbstate[0].loadedMm',
    ]);
    yield* m.switchTo(0, Mm.at(m.kernel.initMm));
    expect(m.takeAccesses(0)).toEqual([
      'write cpu_tlbstate[0].loadedMm',
      'read init_mm.tlbGen',
      'cr3 0',
      'write cpu_tlbstate[0].loadedMm',
    ]);
  }),
);

test(
  '5.11 and 6.12: old mask, new mask, generation, marker, CR3, mm, in this order',
  run(function* (): Steps<void> {
    for (const switches of [X86_LINUX_5_11, X86_LINUX_6_12]) {
      const m = new FakeMachine(switches);
      const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
      yield* m.switchTo(0, a);
      m.takeAccesses(0);
      yield* m.switchTo(0, b);
      expect(m.takeAccesses(0)).toEqual([
        'andnot a.cpumask',
        'or b.cpumask',
        'read b.tlbGen',
        'write cpu_tlbstate[0].loadedMm',
        'cr3 2 flush',
        'write cpu_tlbstate[0].loadedMm',
      ]);
      expect([m.mask(a), m.mask(b)]).toEqual([0, 1]);
    }
  }),
);

test(
  'the naive orders of a switch differ where they should',
  run(function* (): Steps<void> {
    const unfenced = new FakeMachine({ fenceIfBitSet: false });
    const a = yield* unfenced.mm('a');
    yield* unfenced.switchTo(0, a);
    yield* unfenced.switchTo(0, yield* unfenced.mm('b'));
    unfenced.takeAccesses(0);
    yield* unfenced.switchTo(0, a);
    expect(unfenced.takeAccesses(0)).not.toContain('mb');

    const unlocked = new FakeMachine({ setOwnBit: 'unlocked', switchingMark: 'never' });
    const c = yield* unlocked.mm('c');
    unlocked.takeAccesses(0);
    yield* unlocked.switchTo(0, c);
    expect(unlocked.takeAccesses(0)).toEqual([
      'read c.cpumask',
      'write c.cpumask',
      'read c.tlbGen',
      'cr3 1 flush',
      'write cpu_tlbstate[0].loadedMm',
    ]);

    const reuse = new FakeMachine({ flushReusedSlot: false });
    const d = yield* reuse.mm('d');
    yield* reuse.switchTo(0, d);
    expect(reuse.takeAccesses(0)).toContain('cr3 1');
    yield* reuse.idle(0);
    yield* flushTlbPage(reuse.cpus[1]!, d, 0x1000);
    yield* reuse.switchTo(0, d);
    expect(reuse.takeAccesses(0)).toContain('cr3 1 flush');
  }),
);
