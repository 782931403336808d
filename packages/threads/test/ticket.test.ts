/**
 * Locks in one word: who comes first is served first, and a lock that nobody holds is 0.
 */
import { describe, expect, test } from 'vitest';
import {
  downgradeWrite,
  downRead,
  downReadTrylock,
  downWrite,
  readAgain,
  spinLock,
  spinUnlock,
  upRead,
  upWrite,
} from '../src/ticket.ts';

const AT = 1;
const never = (): void => {
  throw new Error('it waits');
};

function lock(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(16));
}

describe('spinlock', () => {
  test('is 0 when it is free, and taken at once then', () => {
    const ints = lock();
    spinLock(ints, AT, never);
    expect(ints[AT]).not.toBe(0);
    spinUnlock(ints, AT);
    expect([...ints]).toEqual([0, 0, 0, 0]);
  });

  test('who waits is served once the lock is given back', () => {
    const ints = lock();
    spinLock(ints, AT, never);
    let turns = 0;
    spinLock(ints, AT, () => {
      if (++turns === 3) spinUnlock(ints, AT);
    });
    expect(turns).toBe(3);
    spinUnlock(ints, AT);
    expect(ints[AT]).toBe(0);
  });

  test('who comes later is served later, also when tickets come round', () => {
    const ints = lock();
    const order: string[] = [];
    // So many that tickets of 16 bits come round.
    for (let round = 0; round < 70_000; round++) {
      spinLock(ints, AT, never);
      let turns = 0;
      spinLock(ints, AT, () => {
        if (turns++ === 0) spinUnlock(ints, AT);
      });
      if (round >= 69_998) order.push(`${turns}`);
      spinUnlock(ints, AT);
    }
    expect(order).toEqual(['1', '1']);
    expect(ints[AT]).toBe(0);
  });
});

describe('rwsem', () => {
  test('readers hold it together, a writer waits for all of them', () => {
    const ints = lock();
    downRead(ints, AT, never);
    downRead(ints, AT, never);
    let turns = 0;
    downWrite(ints, AT, () => {
      if (turns++ < 2) upRead(ints, AT);
    });
    expect(turns).toBe(2);
    upWrite(ints, AT);
    expect(ints[AT]).toBe(0);
  });

  test('a reader that comes behind a writer waits for it, and so does who only tries', () => {
    const ints = lock();
    downRead(ints, AT, never);
    const tried: boolean[] = [];
    let wrote = false;
    downWrite(ints, AT, () => {
      tried.push(downReadTrylock(ints, AT));
      upRead(ints, AT);
      wrote = true;
    });
    expect([wrote, tried]).toEqual([true, [false]]);
    let turns = 0;
    downRead(ints, AT, () => {
      if (turns++ === 0) upWrite(ints, AT);
    });
    expect(turns).toBe(1);
    upRead(ints, AT);
    expect(ints[AT]).toBe(0);
  });

  test('a reader takes it again although a writer waits', () => {
    const ints = lock();
    downRead(ints, AT, never);
    let turns = 0;
    downWrite(ints, AT, () => {
      if (turns === 0) readAgain(ints, AT);
      if (turns++ < 2) upRead(ints, AT);
    });
    expect(turns).toBe(2);
    upWrite(ints, AT);
    expect(ints[AT]).toBe(0);
  });

  test('a writer that becomes a reader lets readers in and keeps writers out', () => {
    const ints = lock();
    downWrite(ints, AT, never);
    downgradeWrite(ints, AT);
    expect(downReadTrylock(ints, AT)).toBe(true);
    upRead(ints, AT);
    expect(() => downWrite(ints, AT, never)).toThrow('it waits');
  });
});
