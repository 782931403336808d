import { Mm, type Steps } from '@mmu-gather/core/stepped';
import {
  contextVal,
  CTX_FIRST_VERSION,
  ctxNumber,
  ctxVersion,
  destroyContext,
  SPARC64_LINUX_6_18,
  thisCpuState,
} from '@mmu-gather/sparc/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

function numberOf(m: FakeMachine, mm: Mm): number {
  return ctxNumber(m.words[contextVal(mm)]!);
}
function versionOf(m: FakeMachine, mm: Mm): number {
  return ctxVersion(m.words[contextVal(mm)]!) / CTX_FIRST_VERSION;
}

test('a value is a number of 13 bits and a version from bit 22 up', () => {
  expect([CTX_FIRST_VERSION, SPARC64_LINUX_6_18.contexts]).toEqual([1 << 22, 1 << 13]);
  const value = 7 * CTX_FIRST_VERSION + 8191;
  expect([ctxNumber(value), ctxVersion(value)]).toEqual([8191, 7 * CTX_FIRST_VERSION]);
});

test(
  'numbers are handed out in order, to all CPUs alike, and kept',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    expect(m.words[contextVal(a)]).toBe(0);
    yield* m.switchTo(0, a);
    yield* m.switchTo(1, b);
    yield* m.switchTo(1, a);
    yield* m.switchTo(0, b);
    expect([numberOf(m, a), numberOf(m, b)]).toEqual([1, 2]);
    expect([versionOf(m, a), versionOf(m, b)]).toEqual([1, 1]);
    expect(m.takeLog().filter((line) => line.includes(': context'))).toEqual([
      '0: context 1, demapped',
      '1: context 2, demapped',
      '1: context 1, demapped',
      '0: context 2, demapped',
    ]);
    yield* m.switchTo(0, a);
    expect(m.takeLog()).toContain('0: context 1');
  }),
);

test(
  'a wrap: who runs keeps its number, everybody else gets another one when it runs next, and its mask is empty before',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ switches: { contexts: 4 } });
    const mms: Mm[] = [];
    for (const name of ['a', 'b', 'c', 'd']) mms.push(yield* m.mm(name));
    const [a, b, c, d] = mms as [Mm, Mm, Mm, Mm];
    yield* m.switchTo(0, a);
    yield* m.switchTo(0, b);
    yield* m.switchTo(0, c);
    yield* m.switchTo(1, b);
    yield* m.switchTo(0, d);
    // CPU 1 runs b, and CPU 0 was on its way to d: a and c have lost theirs.
    expect([numberOf(m, b), versionOf(m, b)]).toEqual([2, 2]);
    expect([numberOf(m, d), versionOf(m, d)]).toEqual([1, 2]);
    expect([versionOf(m, a), versionOf(m, c)]).toEqual([1, 1]);
    expect(m.words[a.cpumask]).toBe(1);
    yield* m.switchTo(1, a);
    expect([numberOf(m, a), versionOf(m, a), m.words[a.cpumask]]).toEqual([3, 2, 2]);
  }),
);

test(
  'the version is raised before the slots are read, with a full barrier between',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ switches: { contexts: 3 } });
    const mms: Mm[] = [];
    for (const name of ['a', 'b', 'c']) mms.push(yield* m.mm(name));
    for (const mm of mms) {
      m.takeLog();
      yield* m.switchTo(0, mm);
    }
    const steps = m.takeLog();
    const from = steps.indexOf('0: write tlb_context_cache');
    expect(steps.slice(from, from + 4)).toEqual([
      '0: write tlb_context_cache',
      '0: mb',
      '0: read trap_block[0].secondaryMm',
      '0: read c.context.ctxVal',
    ]);
    expect(steps.indexOf('0: write trap_block[0].secondaryMm')).toBeLessThan(steps.indexOf('0: lock c.context.lock'));
  }),
);

test(
  'the end of an mm gives back its number, but not one of an older version',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ switches: { contexts: 3 } });
    const initMm = Mm.at(m.kernel.initMm);
    const mms: Mm[] = [];
    for (const name of ['a', 'b', 'c', 'd']) mms.push(yield* m.mm(name));
    const [a, b, c, d] = mms as [Mm, Mm, Mm, Mm];
    yield* m.switchTo(0, a);
    yield* m.switchTo(0, b);
    m.words[m.sparc.tsbs.registers] = 0;
    yield* destroyContext(m.port(0), b);
    yield* m.switchTo(0, c);
    expect([numberOf(m, c), versionOf(m, c)]).toEqual([2, 1]);
    yield* m.switchTo(0, d);
    expect(versionOf(m, d)).toBe(2);
    const bitmap = m.words[m.sparc.contexts.bitmap]!;
    yield* destroyContext(m.port(0), a);
    expect(m.words[m.sparc.contexts.bitmap]).toBe(bitmap);
    yield* m.switchTo(0, initMm);
    expect(m.words[thisCpuState(m.port(0)).secondaryMm]).toBe(initMm.address);
  }),
);
