import { asidIn, generationIn, Mm, type Steps } from '@mmu-gather/core/stepped';
import { flushTlbMm, flushTlbPage, mmContextId } from '@mmu-gather/riscv/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

test(
  'a hart is in the mask before it loads satp, and stays there when it leaves',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ arrivalFence: true });
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    yield* m.switchTo(0, a);
    const log = m.takeLog();
    expect(log[0]).toBe('0: or a.cpumask 1');
    expect(log.slice(-2)).toEqual(['0: mb', '0: satp a 1']);
    yield* m.switchTo(0, b);
    expect([m.words[a.cpumask], m.words[b.cpumask]]).toEqual([1, 1]);
    m.takeLog();
    yield* m.switchTo(0, a);
    expect(m.takeLog().slice(1)).toEqual([
      '0: read a.context.id',
      '0: read hart[0].active',
      '0: read asids.generation',
      '0: cmpxchg hart[0].active',
      '0: mb',
      '0: satp a 1',
    ]);
  }),
);

test(
  'without ASIDs each switch flushes, and the bit goes',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asidAllocator: false });
    expect(m.kernel.backend.isa.asids).toBe(1);
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    yield* m.switchTo(0, a);
    m.takeLog();
    yield* m.switchTo(0, b);
    expect(m.takeLog()).toEqual(['0: or b.cpumask 1', '0: andnot a.cpumask 1', '0: satp b 0 flush']);
  }),
);

test(
  'when ASIDs run out a new version begins: who runs keeps its ASID, and each hart flushes behind satp',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asids: 4 });
    const mms: Mm[] = [];
    for (const name of ['a', 'b', 'c', 'd']) mms.push(yield* m.mm(name));
    yield* m.switchTo(1, mms[0]!);
    for (const mm of mms.slice(1, 3)) yield* m.switchTo(0, mm);
    const ids = (): number[] => mms.map((mm) => asidIn(m.words[mmContextId(mm)]!));
    expect(ids()).toEqual([1, 2, 3, 0]);
    m.takeLog();
    yield* m.switchTo(0, mms[3]!);
    // 1 is hart 1's, 3 was loaded on this one.
    expect(ids()).toEqual([1, 2, 3, 2]);
    expect(m.takeFlush()).toEqual(['0: satp d 2 flush', '0: sfence all']);
    yield* m.switchTo(1, Mm.at(m.kernel.initMm));
    m.takeLog();
    yield* m.switchTo(1, mms[0]!);
    expect(m.takeFlush()).toEqual(['1: satp a 1 flush', '1: sfence all']);
    const versions = mms.map((mm) => generationIn(m.words[mmContextId(mm)]!));
    expect(versions[0]).toBe(versions[3]);
    expect(versions[1]).toBeLessThan(versions[0]!);
    expect(m.broken).toEqual([]);
  }),
);

test(
  'a flush is left in the queue of a hart that runs something else: flag, barrier, another look; a full queue is an interrupt',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ userFlush: 'deferred', deferQueue: 2 });
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    yield* m.switchTo(0, a);
    yield* m.switchTo(1, a);
    yield* m.switchTo(1, b);
    m.takeLog();
    yield* flushTlbPage(m.port(0), a, 0);
    expect(m.takeLog()).toEqual([
      '0: read a.context.id',
      '0: read a.cpumask',
      '0: read hart[1].loadedAsid',
      '0: lock hart[1].queueLock',
      '0: unlock hart[1].queueLock',
      '0: write hart[1].needTlbFlush',
      '0: mb',
      '0: read hart[1].loadedAsid',
      '0: sfence page 0 asid 1',
    ]);
    yield* flushTlbMm(m.port(0), a);
    expect(m.takeFlush()).toEqual(['0: sfence all asid 1']);
    yield* flushTlbPage(m.port(0), a, 0);
    expect(m.takeFlush()).toEqual([
      '0: ipi 1',
      '1: sfence page 0 asid 1',
      '0: sfence page 0 asid 1',
      '0: wait for ipis',
    ]);
    yield* m.switchTo(1, a);
    expect(m.takeFlush()).toEqual(['1: satp a 1', '1: sfence page 0 asid 1', '1: sfence all asid 1']);
    yield* flushTlbPage(m.port(0), a, 0);
    expect(m.takeFlush()).toContain('0: ipi 1');
  }),
);

test(
  'a fault fences for its own hart: at each new entry, also one that was there already; with Svvptc only after a spurious fault',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('mm');
    const pte = m.reserve('pte', ['']);
    const { pte: ops } = m.kernel.backend;
    yield* ops.updateMmuCache!(m.port(0), mm, 0, pte, 7);
    yield* ops.ptepSetAccessFlags(m.port(0), mm, 0, pte, 7, 7, 0);
    expect(m.takeLog()).toEqual(['0: sfence page 0', '0: sfence page 0']);
    const { pte: late } = new FakeMachine({ newMapping: 'spurious' }).kernel.backend;
    expect(late.updateMmuCache).toBeNull();
    yield* late.flushTlbFixSpuriousFault!(m.port(0), mm, 0, pte);
    expect(m.takeLog()).toEqual(['0: sfence page 0']);
  }),
);
