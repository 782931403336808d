/**
 * Words: narrow and wide ones hold what they were given, by plain and by marked accesses alike.
 */
import { describe, expect, test } from 'vitest';
import { isNarrow } from '../src/kinds.ts';
import { Words } from '../src/words.ts';

const NARROW = 0;
const WIDE = 1;
const LARGE = 2 ** 47 * 8 + 5;

function words(): Words {
  return new Words(new SharedArrayBuffer(32), Uint8Array.from([1, 0, 1, 0]));
}

describe.each([
  ['narrow', NARROW, 2 ** 31 - 1],
  ['wide', WIDE, LARGE],
])('a %s word', (_, cell, value) => {
  test('holds a number, however it is stored and loaded', () => {
    const w = words();
    w.write(cell, value);
    expect([w.read(cell), w.load(cell)]).toEqual([value, value]);
    w.store(cell, 7);
    expect([w.read(cell), w.load(cell)]).toEqual([7, 7]);
    expect([w.exchange(cell, value), w.read(cell)]).toEqual([7, value]);
  });

  test('is exchanged only if it holds what is expected', () => {
    const w = words();
    w.store(cell, value);
    expect([w.compareExchange(cell, 1, 2), w.read(cell)]).toEqual([value, value]);
    expect([w.compareExchange(cell, value, 2), w.read(cell)]).toEqual([value, 2]);
  });

  test('counts, and takes bits', () => {
    const w = words();
    expect([w.add(cell, 5), w.add(cell, -2)]).toEqual([5, 3]);
    w.or(cell, 12);
    expect([w.andNot(cell, 3), w.read(cell)]).toEqual([15, 12]);
  });
});

test('what does not fit into a narrow word is an error, and so is an address without a word', () => {
  const w = words();
  expect(() => w.write(NARROW, 2 ** 31)).toThrow('2147483648 does not fit into the 32-bit word at address 0');
  expect(() => w.store(NARROW, 0.5)).toThrow('does not fit');
  expect(() => w.load(4)).toThrow('there is no word at address 4');
});

test('neighbours are left alone', () => {
  const w = words();
  w.fill(-1, 0, 4);
  w.store(WIDE, LARGE);
  w.store(2, 9);
  expect([w.read(0), w.read(1), w.read(2), w.read(3)]).toEqual([-1, LARGE, 9, -1]);
});

test('a kind goes by the name of the field', () => {
  expect(['refcount', 'rq.mm@3', 'slot[0].mm', 'cpumask'].map(isNarrow)).toEqual([true, true, true, true]);
  expect(['[3]', 'tlbGen', 'start', 'context.id'].map(isNarrow)).toEqual([false, false, false, false]);
});
