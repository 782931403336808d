import { describe, expect, test } from 'vitest';
import {
  DIRTY,
  deferTlbFlush,
  deferTlbFlushReusing,
  entryAddrEnd,
  entryClear,
  entryFlags,
  entryIndex,
  entrySet,
  entryTarget,
  finish,
  FOUR_LEVELS,
  markMmTlbGenDone,
  maxEntries,
  Mm,
  mkEntry,
  NO_GENERATION,
  onEachCpuCondMask,
  PRESENT,
  RW,
  type Steps,
  tableDeferredTlbGen,
  tableDeposit,
  tableFields,
  tablePtl,
  taskSize,
  tlbGenPending,
  USER,
} from '../src/index.ts';
import { fakeCpu } from './fake-cpu.ts';

const mm = Mm.at(100);

describe('geometry', () => {
  const at = 2 ** 46 + 3 * 2 ** 30 + 5 * 2 ** 21 + 7 * 4096 + 42;
  test('index of each level, for addresses past 32 bits', () => {
    expect([0, 1, 2, 3].map((level) => entryIndex(FOUR_LEVELS, level, at))).toEqual([7, 5, 3, 128]);
  });
  test('the end of an entry, and not past the end of the range', () => {
    expect(entryAddrEnd(FOUR_LEVELS, 1, at, at + 2 ** 30)).toBe(2 ** 46 + 3 * 2 ** 30 + 6 * 2 ** 21);
    expect(entryAddrEnd(FOUR_LEVELS, 1, at, at + 1)).toBe(at + 1);
  });
  test('user space ends one page below the middle', () => {
    expect(taskSize(FOUR_LEVELS)).toBe(2 ** 47 - 4096);
  });
});

describe('entries', () => {
  const entry = mkEntry(2 ** 33 + 1, PRESENT | USER);
  test('a target past 32 bits survives flags', () => {
    expect(entryTarget(entrySet(entry, RW | DIRTY))).toBe(2 ** 33 + 1);
    expect(entryFlags(entrySet(entry, RW | DIRTY))).toBe(PRESENT | USER | RW | DIRTY);
    expect(entryClear(entrySet(entry, RW), RW)).toBe(entry);
  });
  test('setting what is set and clearing what is clear change nothing', () => {
    expect(entrySet(entry, PRESENT)).toBe(entry);
    expect(entryClear(entry, RW)).toBe(entry);
  });
});

test('a table holds its entries, its lock, the list of deposited tables, and its generation', () => {
  expect(maxEntries(FOUR_LEVELS)).toBe(512);
  expect(tableFields(FOUR_LEVELS)).toHaveLength(515);
  expect(tablePtl(FOUR_LEVELS, 1000)).toBe(1512);
  expect(tableDeposit(FOUR_LEVELS, 1000)).toBe(1513);
  expect(tableDeferredTlbGen(FOUR_LEVELS, 1000)).toBe(1514);
});

describe('generations', () => {
  test('every deferral takes a new one, and completed is the newest that was flushed', () => {
    const { cpu, words } = fakeCpu();
    finish(
      (function* (): Steps<void> {
        expect(yield* deferTlbFlush(cpu, mm)).toBe(1);
        expect(yield* deferTlbFlush(cpu, mm)).toBe(2);
        expect(words[mm.tlbGenDeferred]).toBe(0);
        expect(yield* tlbGenPending(cpu, mm, 2)).toBe(true);
        yield* markMmTlbGenDone(cpu, mm, 2);
        yield* markMmTlbGenDone(cpu, mm, 1);
        expect(words[mm.tlbGenCompleted]).toBe(2);
        expect(yield* tlbGenPending(cpu, mm, 2)).toBe(false);
        expect(yield* tlbGenPending(cpu, mm, 3)).toBe(true);
        expect(yield* tlbGenPending(cpu, mm, NO_GENERATION)).toBe(false);
      })(),
    );
  });
  test('conditionally, completed rises only while a deferred one is above it', () => {
    const { cpu, words } = fakeCpu({ completedUpdate: 'conditional' });
    finish(
      (function* (): Steps<void> {
        yield* markMmTlbGenDone(cpu, mm, 1);
        expect(words[mm.tlbGenCompleted]).toBe(0);
        expect(yield* deferTlbFlush(cpu, mm)).toBe(1);
        expect(words[mm.tlbGenDeferred]).toBe(1);
        yield* markMmTlbGenDone(cpu, mm, 3);
        expect(words[mm.tlbGenCompleted]).toBe(3);
        yield* markMmTlbGenDone(cpu, mm, 4);
        expect(words[mm.tlbGenCompleted]).toBe(3);
      })(),
    );
  });
  test('as posted, what never was deferred reads pending, and what just was does not', () => {
    const { cpu, words } = fakeCpu({ genPending: 'inverted' });
    finish(
      (function* (): Steps<void> {
        words[mm.tlbGenCompleted] = 1;
        expect(yield* tlbGenPending(cpu, mm, NO_GENERATION)).toBe(true);
        expect(yield* tlbGenPending(cpu, mm, 2)).toBe(false);
      })(),
    );
  });
  test('the form that was posted reuses one that nobody else moved', () => {
    const { cpu } = fakeCpu();
    finish(
      (function* (): Steps<void> {
        const first = yield* deferTlbFlush(cpu, mm);
        expect(yield* deferTlbFlushReusing(cpu, mm, first)).toBe(first);
        yield* deferTlbFlush(cpu, mm);
        expect(yield* deferTlbFlushReusing(cpu, mm, first)).toBe(3);
      })(),
    );
  });
});

describe('cross-CPU calls', () => {
  test('interrupts go out first, then the local part with interrupts off, then the wait', () => {
    const { cpu, log } = fakeCpu({}, 4);
    const notTwo = function* (_cpu: unknown, target: number): Steps<boolean> {
      return target !== 2;
    };
    finish(onEachCpuCondMask(cpu, 0b1111, notTwo, 0, 55));
    expect(log).toEqual(['ipi 1', 'ipi 3', 'irqs off', 'handler 55', 'irqs on', 'wait']);
  });
  test('nobody else in the mask: no wait', () => {
    const { cpu, log } = fakeCpu({}, 4);
    finish(onEachCpuCondMask(cpu, 0b0001, null, 0, 55));
    expect(log).toEqual(['irqs off', 'handler 55', 'irqs on']);
  });
});
