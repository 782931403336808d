/**
 * Shared visited: a set of 64-bit keys that several threads add to at once (visited.ts has it for one).
 *
 *     slot       two words, 0 if free. Who puts its first word there has it, and puts the second one
 *     growing    all stand still while one thread copies the keys to the next table, which is eight times as large
 *
 * The tables are there from the beginning: pages of memory that nobody has written to cost nothing.
 */
import type { Keys } from './pass.ts';
import { home } from './visited.ts';

/** Slots of the tables: 2 to these powers. The last one is 2 GiB, and takes 134 million states. */
const POWERS: readonly number[] = [18, 21, 24, 27, 28];
/** A table is left when more than half of its slots are taken. */
const MAX_LOAD = 0.5;
/** Each thread tells of so many new keys at a time. */
const BATCH = 256;

// Words of the control block.
const TABLE = 0;
const GROWING = 1;
const SIZE = 2;
const BUSY = 3;

/** The memory of such a set. */
export interface SharedKeys {
  /** Which table is in use, whether it grows, how many keys there are, and who is adding one. */
  readonly control: Int32Array<SharedArrayBuffer>;
  /** The tables. */
  readonly tables: readonly Int32Array<SharedArrayBuffer>[];
}

/** Makes the memory. @param members threads that will use it */
export function sharedKeys(members: number): SharedKeys {
  return {
    control: new Int32Array(new SharedArrayBuffer(4 * (BUSY + members))),
    tables: POWERS.map((power) => new Int32Array(new SharedArrayBuffer(8 * 2 ** power))),
  };
}

/** One thread's way to such a set. */
export class SharedVisited implements Keys {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #tables: readonly Int32Array<SharedArrayBuffer>[];
  readonly #member: number;
  readonly #members: number;
  #untold = 0;

  /** @param member number of the thread; no two have the same */
  constructor({ control, tables }: SharedKeys, member: number) {
    this.#control = control;
    this.#tables = tables;
    this.#member = BUSY + member;
    this.#members = control.length;
  }

  add(low: number, high: number): boolean {
    this.#enter();
    const table = this.#tables[Atomics.load(this.#control, TABLE)]!;
    const added = put(table, low, high);
    Atomics.store(this.#control, this.#member, 0);
    if (added && ++this.#untold === BATCH) {
      this.#untold = 0;
      const size = Atomics.add(this.#control, SIZE, BATCH) + BATCH;
      if (size > MAX_LOAD * (table.length / 2)) this.#grow();
    }
    return added;
  }

  /** Forgets all keys. While nobody adds any. */
  clear(): void {
    for (let i = 0; i <= this.#control[TABLE]!; i++) this.#tables[i]!.fill(0);
    this.#control[TABLE] = 0;
    this.#control[SIZE] = 0;
  }

  /** From now on, until BUSY is taken back, nobody makes the table grow. */
  #enter(): void {
    for (;;) {
      Atomics.store(this.#control, this.#member, 1);
      if (Atomics.load(this.#control, GROWING) === 0) return;
      Atomics.store(this.#control, this.#member, 0);
      Atomics.wait(this.#control, GROWING, 1);
    }
  }

  #grow(): void {
    const control = this.#control;
    if (Atomics.compareExchange(control, GROWING, 0, 1) !== 0) return;
    for (let other = BUSY; other < this.#members; other++) while (Atomics.load(control, other) !== 0);
    const from = control[TABLE]!;
    const old = this.#tables[from]!;
    const next = this.#tables[from + 1];
    if (next !== undefined && Atomics.load(control, SIZE) > MAX_LOAD * (old.length / 2)) {
      for (let at = 0; at < old.length; at += 2) if (old[at] !== 0) put(next, old[at]!, old[at + 1]!);
      Atomics.store(control, TABLE, from + 1);
    }
    Atomics.store(control, GROWING, 0);
    Atomics.notify(control, GROWING);
    if (next === undefined)
      throw new RangeError('there are more states than several threads have room for: give --jobs 1');
  }
}

/** Puts a key into a table. Returns false if it was there. */
function put(table: Int32Array, low: number, high: number): boolean {
  // No half of a key in a table is 0.
  const one = low === 0 ? 1 : low;
  const two = high === 0 ? 1 : high;
  const mask = table.length / 2 - 1;
  for (let slot = home(one, two) & mask; ; slot = (slot + 1) & mask) {
    const at = 2 * slot;
    let there = Atomics.load(table, at);
    if (there === 0) {
      there = Atomics.compareExchange(table, at, 0, one);
      if (there === 0) {
        Atomics.store(table, at + 1, two);
        return true;
      }
    }
    if (there !== one) continue;
    let second = Atomics.load(table, at + 1);
    // Who put the first half is about to put the second one.
    while (second === 0) second = Atomics.load(table, at + 1);
    if (second === two) return false;
  }
}
