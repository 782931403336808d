import { ALL, type Steps } from '@mmu-gather/core/stepped';
import {
  flushTlbMmRange,
  flushTlbPage,
  invlpgb,
  invlpgbPcid,
  mmAsidTransition,
  mmFreeGlobalAsid,
  mmGlobalAsidCell,
} from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 4096;

/** Three CPUs run an mm, and each flush looks whether it should have a global ASID. */
function machine(globalAsids: number, globalAsidThreshold = 2): FakeMachine {
  return new FakeMachine({ globalAsids, globalAsidThreshold }, 3);
}

test(
  'an mm on more CPUs than the threshold gets the ASID behind the dynamic ones, and is in transition before that can be seen',
  run(function* (): Steps<void> {
    const m = machine(1);
    const mm = yield* m.mm('mm');
    for (const cpu of [0, 1]) yield* m.switchTo(cpu, mm);
    yield* flushTlbPage(m.cpus[0]!, mm, 0);
    expect(m.words[mmGlobalAsidCell(mm)]).toBe(0);
    yield* m.switchTo(2, mm);
    m.takeAccesses(0);
    yield* flushTlbPage(m.cpus[0]!, mm, 0);
    expect(m.words[mmGlobalAsidCell(mm)]).toBe(6);
    expect(m.takeAccesses(0).filter((access) => access.startsWith('write mm.context'))).toEqual([
      'write mm.context.asidTransition',
      'write mm.context.globalAsid',
    ]);
  }),
);

test(
  'the first broadcast makes every CPU load it without a flush, the second one finds the transition over and interrupts nobody',
  run(function* (): Steps<void> {
    const m = machine(1);
    const mm = yield* m.mm('mm');
    for (const cpu of [0, 1, 2]) yield* m.switchTo(cpu, mm);
    yield* flushTlbPage(m.cpus[0]!, mm, 0);
    m.takeEvents();
    m.ipis.length = 0;
    m.invalidations.length = 0;
    yield* flushTlbPage(m.cpus[0]!, mm, PAGE);
    expect(m.invalidations.map(({ scope }) => scope)).toEqual([invlpgbPcid(6, { start: PAGE, end: 2 * PAGE })]);
    expect(m.ipis).toEqual(['0>1', '0>2']);
    expect(m.takeEvents()).toEqual(['0:4/1', '1:0/0', '2:0/0', '0:0/0']);
    m.ipis.length = 0;
    yield* flushTlbMmRange(m.cpus[0]!, mm, 0, -1, 0, true);
    expect(m.ipis).toEqual([]);
    expect(m.words[mmAsidTransition(mm)]).toBe(0);
    expect(m.invalidations.at(-1)!.scope).toEqual(invlpgbPcid(6, ALL));
    expect(m.takeEvents()).toEqual([]);
  }),
);

test(
  'an ASID that was given back is taken again after all others, and after everything was flushed everywhere',
  run(function* (): Steps<void> {
    const m = machine(2);
    const given: number[] = [];
    for (const name of ['a', 'b', 'c', 'd']) {
      const mm = yield* m.mm(name);
      for (const cpu of [0, 1, 2]) yield* m.switchTo(cpu, mm);
      m.invalidations.length = 0;
      yield* flushTlbPage(m.cpus[0]!, mm, 0);
      given.push(m.words[mmGlobalAsidCell(mm)]!);
      if (name === 'a') yield* mmFreeGlobalAsid(m.cpus[0]!, mm);
      const everywhere = m.invalidations.some(({ scope }) => scope.broadcast && scope.leaves.end === ALL.end);
      expect(everywhere).toBe(name === 'c');
      if (everywhere) expect(m.invalidations.map(({ scope }) => scope)).toContainEqual(invlpgb(ALL));
    }
    // Two are in use when the last one asks: it goes on by interrupts.
    expect(given).toEqual([6, 7, 6, 0]);
  }),
);

test(
  'with PTI a broadcast names the PCIDs of the kernel and of user mode',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ globalAsids: 1, globalAsidThreshold: 0, pti: true }, 2);
    const mm = yield* m.mm('mm');
    for (const cpu of [0, 1]) yield* m.switchTo(cpu, mm);
    yield* flushTlbPage(m.cpus[0]!, mm, 0);
    m.invalidations.length = 0;
    yield* flushTlbPage(m.cpus[0]!, mm, PAGE);
    const page = { start: PAGE, end: 2 * PAGE };
    expect(m.invalidations.filter(({ scope }) => scope.broadcast).map(({ scope }) => scope)).toEqual([
      invlpgbPcid(6, page),
      // Behind six dynamic ASIDs and a global one, as many of user mode.
      invlpgbPcid(13, page),
    ]);
  }),
);
