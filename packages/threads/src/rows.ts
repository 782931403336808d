/**
 * Rows: objects of a pool that were allocated together, one after another. They are freed one by one; the CPU that frees the last one gives the row
 * back. All rows of a pool are equally long; a row of another length falls apart into single objects.
 *
 *     free            row's count of free objects + 1 (atomic): part of the row, or the last one
 *     give back       the row becomes the first free one      // under the pool's lock
 *     take            the first free row                      // under the pool's lock
 */
import type { Address } from '@mmu-gather/core';
import { type Pool, ROW_WORDS, ROWS_HEAD } from './layout.ts';

/** In the words of all rows: how long they are, 0 while there is none; the first free one. */
const LENGTH = 0;
const FREE = 1;
/** In the words of an object: its row, as the number of the first object plus 1. In those of the first one: free objects, the next free row. */
const ROW = 0;
const FREED = 1;
const NEXT = 2;

/** What a freed object is of a row: of none; a part of one that is not free yet; or the last, of the row with this number. */
export type Freed = 'none' | 'part' | number;

function wordsOf({ rows }: Pool, index: number): number {
  return rows + ROWS_HEAD + ROW_WORDS * index;
}

/** Objects that nobody has had yet become a row. Under the pool's lock. @param first -1 if there are none @returns the same */
export function beginRow(control: Int32Array, pool: Pool, first: Address, count: number): Address {
  if (first < 0) return first;
  if (control[pool.rows + LENGTH] === 0) control[pool.rows + LENGTH] = count;
  if (control[pool.rows + LENGTH] !== count) return first;
  const head = (first - pool.base) / pool.size;
  for (let n = 0; n < count; n++) control[wordsOf(pool, head + n) + ROW] = head + 1;
  return first;
}

/** A free row; -1 if there is none of this length. Under the pool's lock. */
export function takeRow(control: Int32Array, pool: Pool, count: number): Address {
  const row = control[pool.rows + FREE]!;
  if (row === 0 || control[pool.rows + LENGTH] !== count) return -1;
  control[pool.rows + FREE] = control[wordsOf(pool, row - 1) + NEXT]!;
  return pool.base + (row - 1) * pool.size;
}

/** An object is free. */
export function freeInRow(control: Int32Array, pool: Pool, object: Address): Freed {
  const row = control[wordsOf(pool, (object - pool.base) / pool.size) + ROW]!;
  if (row === 0) return 'none';
  const freed = wordsOf(pool, row - 1) + FREED;
  if (Atomics.add(control, freed, 1) + 1 < control[pool.rows + LENGTH]!) return 'part';
  control[freed] = 0;
  return row;
}

/** A row whose objects are all free can be taken again. Under the pool's lock. @param row as freeInRow said */
export function giveBackRow(control: Int32Array, pool: Pool, row: number): void {
  control[wordsOf(pool, row - 1) + NEXT] = control[pool.rows + FREE]!;
  control[pool.rows + FREE] = row;
}
