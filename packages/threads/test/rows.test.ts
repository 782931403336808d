/**
 * Rows: objects that were allocated together serve again together, and not before all of them are free.
 */
import { expect, test } from 'vitest';
import { type Pool, ROW_WORDS, ROWS_HEAD } from '../src/layout.ts';
import { beginRow, freeInRow, giveBackRow, takeRow } from '../src/rows.ts';

const COUNT = 10;
const POOL: Pool = { cache: 'page', base: 100, size: 3, count: COUNT, canaries: 0, stack: 0, rows: 2 };

function control(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * (POOL.rows + ROWS_HEAD + ROW_WORDS * COUNT)));
}

function at(index: number): number {
  return POOL.base + index * POOL.size;
}

test('a row is free when its last object is, in whatever order; the one that was given back last is taken first', () => {
  const words = control();
  expect(takeRow(words, POOL, 4)).toBe(-1);
  for (const first of [at(0), at(4)]) expect(beginRow(words, POOL, first, 4)).toBe(first);
  for (const order of [
    [2, 0, 3, 1],
    [5, 7, 6, 4],
    [3, 2, 1, 0],
  ]) {
    const freed = order.map((index) => freeInRow(words, POOL, at(index)));
    expect(freed.slice(0, 3)).toEqual(['part', 'part', 'part']);
    const row = freed[3] as number;
    giveBackRow(words, POOL, row);
    expect(takeRow(words, POOL, 3)).toBe(-1);
    expect(takeRow(words, POOL, 4)).toBe(at(Math.min(...order)));
    expect(takeRow(words, POOL, 4)).toBe(-1);
  }
});

test('several free rows', () => {
  const words = control();
  for (const first of [at(0), at(2), at(4)]) beginRow(words, POOL, first, 2);
  for (let index = 0; index < 6; index++) {
    const freed = freeInRow(words, POOL, at(index));
    if (typeof freed === 'number') giveBackRow(words, POOL, freed);
  }
  expect([1, 2, 3, 4].map(() => takeRow(words, POOL, 2))).toEqual([at(4), at(2), at(0), -1]);
});

test('a row of another length than the first one falls apart; single objects and what there is not belong to none', () => {
  const words = control();
  beginRow(words, POOL, at(0), 4);
  expect(beginRow(words, POOL, at(4), 2)).toBe(at(4));
  expect(beginRow(words, POOL, -1, 4)).toBe(-1);
  expect([4, 5, 6].map((index) => freeInRow(words, POOL, at(index)))).toEqual(['none', 'none', 'none']);
});
