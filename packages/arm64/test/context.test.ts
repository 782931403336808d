// ASIDs: who gets which, what a rollover keeps, and in which order a switch does things.
import { arm64MmContextGet, arm64MmContextPut, leaveMmEverywhere, mmContextId } from '@mmu-gather/arm64/stepped';
import { ASID_FIRST_VERSION, asidIn, generationIn, Mm, type Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

/** The ids of mms, as generation and ASID: `1.3`. */
function ids(m: FakeMachine, mms: readonly Mm[]): string[] {
  return mms.map((mm) => {
    const id = m.words[mmContextId(mm)]!;
    return `${generationIn(id) / ASID_FIRST_VERSION}.${asidIn(id)}`;
  });
}

function* make(m: FakeMachine, count: number): Steps<Mm[]> {
  const mms: Mm[] = [];
  for (let i = 0; i < count; i++) mms.push(yield* m.mm(String.fromCharCode(97 + i)));
  return mms;
}

test(
  'a first switch takes the lock; a second one does not, and goes on record before TTBR0 changes',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [a, b] = yield* make(m, 2);
    yield* m.switchTo(0, a!);
    expect(m.takeLog()).toEqual([
      '0: read a.context.id',
      '0: read cpu_asid[0].active',
      '0: lock asids.lock',
      '0: read a.context.id',
      '0: read asids.generation',
      '0: read asids.generation',
      '0: write a.context.id',
      '0: write cpu_asid[0].active',
      '0: unlock asids.lock',
      '0: TTBR0 a 1',
    ]);
    yield* m.switchTo(0, b!);
    m.takeLog();
    yield* m.switchTo(0, a!);
    expect(m.takeLog()).toEqual([
      '0: read a.context.id',
      '0: read cpu_asid[0].active',
      '0: read asids.generation',
      '0: cmpxchg cpu_asid[0].active',
      '0: TTBR0 a 1',
    ]);
    yield* m.switchTo(0, a!);
    expect(m.takeLog()).toEqual([]);
    yield* m.switchTo(0, Mm.at(m.kernel.initMm));
    expect(m.takeLog()).toEqual(['0: TTBR0 reserved 0']);
  }),
);

test(
  'ASIDs are given out in order, and 0 and, with KPTI, odd ones to nobody',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asids: 8 });
    const mms = yield* make(m, 3);
    for (const mm of mms) yield* m.switchTo(0, mm);
    expect(ids(m, mms)).toEqual(['1.1', '1.2', '1.3']);
    const kpti = new FakeMachine({ asids: 8, kpti: true });
    const pairs = yield* make(kpti, 4);
    for (const mm of pairs) yield* kpti.switchTo(0, mm);
    // The fourth one finds none: a rollover keeps the ASID that CPU 0 runs with.
    expect(ids(kpti, pairs)).toEqual(['1.2', '1.4', '1.6', '2.2']);
    expect(kpti.words[kpti.arm64.cpuAsids[0]!.reserved]).toBe(ASID_FIRST_VERSION + 6);
  }),
);

test(
  'a rollover keeps what CPUs run with, and each CPU flushes itself before it runs the next mm with a new ASID',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asids: 4 });
    const [a, b, c, d] = yield* make(m, 4);
    yield* m.switchTo(0, a!);
    yield* m.switchTo(0, b!);
    yield* m.switchTo(1, c!);
    m.takeLog();
    yield* m.switchTo(1, d!);
    expect(ids(m, [b!, c!, d!])).toEqual(['1.2', '1.3', '2.1']);
    expect(m.takeLog().filter((line) => /VMALL|xchg|ipi/.test(line))).toEqual([
      '1: xchg cpu_asid[0].active',
      '1: xchg cpu_asid[1].active',
      '1: VMALLE1',
    ]);
    // CPU 0 still runs b: it keeps its ASID, and CPU 0 flushes itself when it switches.
    yield* m.switchTo(1, b!);
    expect(ids(m, [b!])).toEqual(['2.2']);
    m.takeLog();
    yield* m.switchTo(0, c!);
    expect(ids(m, [c!])).toEqual(['2.3']);
    expect(m.takeLog()).toContain('0: VMALLE1');
    yield* m.switchTo(0, a!);
    expect(ids(m, [a!])).toEqual(['3.1']);
    expect(m.broken).toEqual([]);
  }),
);

test(
  'an old ASID that nobody has taken stays with its mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asids: 5 });
    const [a, b, c, d, e] = yield* make(m, 5);
    for (const mm of [a!, b!, c!, d!, e!]) yield* m.switchTo(0, mm);
    expect(ids(m, [d!, e!])).toEqual(['1.4', '2.1']);
    yield* m.switchTo(0, b!);
    expect(ids(m, [b!])).toEqual(['2.2']);
  }),
);

test(
  'a rollover between the look at the generation and the compare-and-swap: the slow path (B78)',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asids: 4 });
    const [a, b, c, d] = yield* make(m, 4);
    yield* m.switchTo(0, a!);
    yield* m.switchTo(0, b!);
    yield* m.switchTo(1, c!);
    m.takeLog();
    const active = m.arm64.cpuAsids[0]!.active;
    m.before = (cpu, access) => {
      // What flush_context does on another CPU: the active ASID is taken away.
      if (cpu.id === 0 && access === 'cmpxchg cpu_asid[0].active') m.words[active] = 0;
    };
    yield* m.switchTo(0, a!);
    expect(m.takeLog()).toContain('0: lock asids.lock');
    expect(m.words[active]).toBe(m.words[mmContextId(a!)]);
    m.before = undefined;
    yield* m.switchTo(0, d!);
  }),
);

test(
  'pinned ASIDs stay, as long as enough are left',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asids: 6 }, 1);
    const { port } = m.cpus[0]!;
    const mms = yield* make(m, 7);
    for (const mm of mms.slice(0, 5)) yield* m.switchTo(0, mm);
    const pinned: number[] = [];
    for (const mm of mms.slice(0, 4)) pinned.push(yield* arm64MmContextGet(port, mm));
    // Six ASIDs, one CPU: three may be pinned.
    expect(pinned).toEqual([1, 2, 3, 0]);
    expect(yield* arm64MmContextGet(port, mms[0]!)).toBe(1);
    yield* m.switchTo(0, mms[5]!);
    expect(ids(m, [mms[5]!])).toEqual(['2.4']);
    yield* m.switchTo(0, mms[1]!);
    expect(ids(m, [mms[1]!])).toEqual(['2.2']);
    yield* arm64MmContextPut(port, mms[0]!);
    yield* arm64MmContextPut(port, mms[0]!);
    expect(yield* arm64MmContextGet(port, mms[3]!)).toBeGreaterThan(0);
  }),
);

test(
  'leaving an mm everywhere: every CPU is asked, and those that have it loaded load the reserved table',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const [a, b] = yield* make(m, 2);
    yield* m.switchTo(0, a!);
    yield* m.switchTo(1, b!);
    yield* m.switchTo(2, a!);
    m.takeLog();
    yield* leaveMmEverywhere(m.cpus[0]!.port, a!);
    const log = m.takeLog();
    expect(log.filter((line) => /ipi|TTBR0|wait/.test(line))).toEqual([
      '0: ipi 1',
      '0: ipi 2',
      '2: TTBR0 reserved 0',
      '0: TTBR0 reserved 0',
      '0: wait for ipis',
    ]);
  }),
);

test(
  'a task is switched after a DSB ISH; a lazy CPU does nothing at all',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [a] = yield* make(m, 1);
    yield* m.switchTo(0, a!);
    m.takeLog();
    yield* m.arm64.switchTo!(m.cpus[0]!.port);
    expect(m.takeLog()).toEqual(['0: DSB ISH']);
    yield* m.arm64.enterLazyTlb(m.cpus[0]!.port, a!);
    expect(m.takeLog()).toEqual([]);
  }),
);
