// What recordings leave open: sets are made without a look at recorded flushes, and hold at most four members.
import { describe, expect, test } from 'vitest';
import { alternativesOf, NONE } from '../src/model/allowed.ts';
import { Contention } from '../src/model/contention.ts';
import { type Flush, INTERRUPT } from '../src/model/flush.ts';
import { Ledger } from '../src/model/ledger.ts';
import { Moves } from '../src/model/moves.ts';
import { Slots } from '../src/model/slots.ts';
import type { Operation } from '../src/schedule/action.ts';

let ids = 0;
const operation = (pid: number, time: number, until: number): Operation => ({
  id: ids++,
  kind: 'syscall',
  name: 'munmap',
  pid,
  site: '',
  args: [],
  trims: false,
  cpu: 0,
  line: 1,
  time,
  until,
  assumed: null,
  space: 0,
});
const flush = (reason: number, pages: number, cpu = 0): Flush => ({ time: 0, cpu, reason, pages, early: false });

describe('contention', () => {
  test('operations of two tasks on one address space that overlap', () => {
    const contention = new Contention();
    const [a, b, later, same, elsewhere] = [
      operation(1, 10, 20),
      operation(2, 15, 30),
      operation(2, 31, 40),
      operation(1, 12, 13),
      operation(3, 10, 20),
    ];
    for (const each of [a, later, same]) contention.note(each, 7);
    contention.note(elsewhere, 8);
    expect(contention.overlaps(a)).toBe(false);
    contention.note(b, 7);
    expect([a, b, later, same, elsewhere].map((each) => contention.overlaps(each))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    contention.forget(31);
    expect(contention.overlaps(a)).toBe(false);
  });
});

describe('slots', () => {
  test('are open from the first load of what was there before until as many new ones were taken', () => {
    const slots = new Slots(2, 2);
    expect(slots.loads(0, 1, false)).toBe(false);
    expect(slots.loads(0, 2, true)).toBe(true);
    slots.took(0);
    expect(slots.loads(0, 1, false)).toBe(true);
    slots.took(0);
    expect(slots.loads(0, 1, false)).toBe(false);
    // It is known by now.
    expect(slots.loads(0, 2, true)).toBe(false);
    expect(slots.loads(1, 2, true)).toBe(true);
  });
});

describe('moves', () => {
  test('are those of other CPUs while an operation is under way', () => {
    const moves = new Moves(3);
    moves.note(0, 15);
    moves.note(1, 5);
    moves.note(2, 20);
    expect(moves.during(operation(1, 10, 20))).toEqual([2]);
    expect(moves.during(operation(1, 6, 7))).toEqual([1]);
    moves.forget(10);
    expect(moves.during(operation(1, 0, 100))).toEqual([2]);
  });

  test('of which only a time between two is known are under way all that time', () => {
    const moves = new Moves(2);
    moves.note(1, 10, 40);
    // Inside of it.
    moves.note(1, 20);
    moves.note(1, 60, 61);
    const moved = (time: number, until: number): boolean => moves.during(operation(1, time, until)).length > 0;
    expect([moved(1, 8), moved(1, 9), moved(25, 30), moved(41, 50), moved(42, 58), moved(62, 70)]).toEqual([
      false,
      true,
      true,
      true,
      false,
      true,
    ]);
    moves.forget(50);
    expect([moved(25, 30), moved(60, 60)]).toEqual([false, true]);
  });
});

describe('sets', () => {
  const closed = { contended: false, copies: false, freed: 0, most: 0, slots: false, moved: [], cpu: 0, others: [1] };

  test('nothing is open of most operations', () => {
    expect(alternativesOf(closed)).toBe(NONE);
    expect(NONE.instead(flush(3, 5))).toEqual([5]);
    expect(NONE.unforeseen(flush(3, 5), [])).toEqual([]);
  });

  test('no set has more than four members, and each holds the prediction', () => {
    for (const contended of [false, true])
      for (const copies of [false, true])
        for (const slots of [false, true])
          for (const [moved, freed, most] of [
            [[], 0, 0],
            [[0], 0, 0],
            [[], 9, 0],
            [[0], 9, 0],
            [[], 0, 4],
            [[0], 9, 4],
            [[], 0, 5],
          ] as const)
            for (const reason of [INTERRUPT, 0, 1, 2, 3, 4, 5])
              for (const pages of [-1, 0, 1, 7]) {
                const open = alternativesOf({ ...closed, contended, copies, freed, most, slots, moved });
                const set = open.instead(flush(reason, pages));
                expect(set.length).toBeLessThanOrEqual(4);
                expect(new Set(set).size).toBe(set.length);
                if (reason !== 0) expect(set).toContain(pages);
                expect(open.unforeseen(flush(reason, pages), [flush(3, 7)]).length).toBeLessThanOrEqual(4);
              }
  });

  test('a remote CPU that nobody asked makes no flush of its own', () => {
    const open = alternativesOf({ ...closed, contended: true });
    expect(open.unforeseen({ cpu: 1, reason: 3 }, [])).toEqual([]);
    expect(open.unforeseen({ cpu: 1, reason: 1 }, [])).toEqual([null, -1]);
  });

  test('what was freed before may have been written to since: nothing, the range, or more', () => {
    const open = alternativesOf({ ...closed, freed: 20 });
    expect(open.instead(flush(3, 6))).toEqual([6, 20, -1, null]);
    expect(open.unforeseen({ cpu: 0, reason: 3 }, [])).toEqual([null, 20, -1]);
    expect(open.unforeseen({ cpu: 0, reason: INTERRUPT }, [])).toEqual([null, 1]);
  });

  test('a range of which only the sum with others is known has any size that leaves pages for each, if there are few', () => {
    const open = alternativesOf({ ...closed, most: 3 });
    expect(open.instead(flush(3, 2))).toEqual([1, 2, 3]);
    expect(open.instead(flush(3, 7))).toEqual([7]);
    expect(open.unforeseen({ cpu: 0, reason: 3 }, [])).toEqual([]);
    expect(alternativesOf({ ...closed, most: 5 }).instead(flush(3, 2))).toEqual([2]);
  });

  test('a CPU that switched meanwhile was asked or not, and flushed what the other did, or left', () => {
    const open = alternativesOf({ ...closed, moved: [1] });
    expect(open.instead(flush(INTERRUPT, 1))).toEqual([1, null]);
    expect(open.instead(flush(1, 6, 1))).toEqual([6, 0, null]);
    expect(open.instead(flush(3, 6))).toEqual([6]);
    expect(open.unforeseen({ cpu: 1, reason: 1 }, [flush(3, 6)])).toEqual([null, 6, -1, 0]);
    expect(open.unforeseen({ cpu: 1, reason: 0 }, [])).toEqual([null, 0, -1]);
    expect(open.unforeseen({ cpu: 0, reason: 0 }, [])).toEqual([]);
  });

  test('a CPU that was between two address spaces left the mask, or not', () => {
    const open = alternativesOf({ ...closed, moved: [1] });
    expect(open.unforeseen({ cpu: 1, reason: 5 }, [])).toEqual([null, 0]);
    expect(open.instead(flush(5, 0, 1))).toEqual([0, null]);
    // Who did not switch was not.
    expect(open.unforeseen({ cpu: 2, reason: 5 }, [])).toEqual([]);
    expect(alternativesOf({ ...closed, slots: true }).instead(flush(5, 0, 1))).toEqual([0]);
  });

  test('whether others are in the mask is open where all that may be switched', () => {
    const set = (moved: readonly number[], others: readonly number[]): readonly (number | null)[] =>
      alternativesOf({ ...closed, moved, others }).instead(flush(4, 6));
    expect(set([1], [1])).toEqual([6, null]);
    expect(set([1], [1, 2])).toEqual([6]);
    const open = alternativesOf({ ...closed, moved: [1] });
    expect(open.unforeseen({ cpu: 0, reason: 4 }, [flush(3, 6)])).toEqual([null, 6]);
    // What flushes nothing asks nobody.
    expect(open.unforeseen({ cpu: 0, reason: 4 }, [])).toEqual([]);
  });

  test('which CPU is asked is open only where there are few', () => {
    const asked = (others: readonly number[]): readonly (number | null)[] =>
      alternativesOf({ ...closed, contended: true, others }).unforeseen({ cpu: 0, reason: INTERRUPT }, []);
    expect(asked([1])).toEqual([null, 1]);
    expect(asked([2, 5, 7])).toEqual([null, 2, 5, 7]);
    expect(asked([1, 2, 3, 4])).toEqual([]);
    expect(asked([])).toEqual([]);
  });
});

describe('the ledger', () => {
  const settled = (recorded: Flush[], predicted: Flush[], contended: boolean): Ledger => {
    const ledger = new Ledger(() =>
      alternativesOf({ contended, copies: false, freed: 0, most: 0, slots: false, moved: [], cpu: 0, others: [1] }),
    );
    const of = operation(1, 0, 1);
    for (const each of recorded) ledger.record(of, each);
    for (const each of predicted) ledger.predict(of, each);
    ledger.settle(true);
    return ledger;
  };

  test('pairs exactly first, then by sets, and counts what is left', () => {
    const ledger = settled([flush(3, 5), flush(3, -1)], [flush(3, 4), flush(3, 5)], true);
    expect(ledger.proper.get(3)).toEqual({
      recorded: 2,
      predicted: 2,
      matched: 1,
      allowed: 1,
      excused: 1,
      members: 4,
      sets: 1,
    });
    expect(ledger.differences).toEqual([]);
  });

  test('without contention the same is a mismatch', () => {
    const ledger = settled([flush(3, 5), flush(3, -1)], [flush(3, 4), flush(3, 5)], false);
    expect(ledger.proper.get(3)).toMatchObject({ matched: 1, allowed: 0, excused: 0 });
    expect(ledger.differences).toHaveLength(1);
  });

  test('other numbers of pages are in no set', () => {
    const ledger = settled([flush(3, 9)], [flush(3, 4)], true);
    expect(ledger.proper.get(3)).toMatchObject({ matched: 0, allowed: 0 });
    expect(ledger.differences).toMatchObject([{ recorded: { pages: 9 }, predicted: null }]);
  });

  test('a prediction may not come, and an unforeseen flush is of everything', () => {
    expect(settled([], [flush(3, 4)], true).differences).toEqual([]);
    expect(settled([flush(4, -1)], [], true).differences).toEqual([]);
    expect(settled([flush(4, 2)], [], true).differences).toHaveLength(1);
  });
});
