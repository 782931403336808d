/**
 * Words: the arena as typed arrays, and what each access of the port becomes.
 *
 *     plain       a load or store of Int32Array or Float64Array: under a lock or before publication, so nobody else is there
 *     marked      Atomics on Int32Array, or on BigInt64Array with the bits of the double
 *
 * Why that is right: all operations of Atomics are sequentially consistent, so READ_ONCE, acquire, release, relaxed and fully ordered ones are
 * each at least as strong as in the kernel, and a fence between two of them adds nothing. A plain access is ordered by the marked ones around
 * it, the lock's among them (synchronizes-with in the memory model of JavaScript).
 *
 * Numbers are safe integers. A wide word holds one as a double, which a plain load reads without making a BigInt.
 */
import type { Cell } from '@mmu-gather/core';

/** The arena of one thread. */
export class Words {
  /** 32-bit words: that of a narrow cell is at twice its address. Locks are narrow, whatever their cell's kind. */
  readonly ints: Int32Array;
  readonly #doubles: Float64Array;
  readonly #bits: BigInt64Array;
  readonly #narrow: Uint8Array;
  /** One double, as a number and as bits. */
  readonly #double: Float64Array = new Float64Array(1);
  readonly #asBits: BigInt64Array = new BigInt64Array(this.#double.buffer);

  /** @param narrow by address: 1 if the word is 32 bits wide; as many as there are words */
  constructor(memory: SharedArrayBuffer, narrow: Uint8Array) {
    this.ints = new Int32Array(memory, 0, narrow.length * 2);
    this.#doubles = new Float64Array(memory, 0, narrow.length);
    this.#bits = new BigInt64Array(memory, 0, narrow.length);
    this.#narrow = narrow;
  }

  /** Plain load. */
  read(cell: Cell): number {
    return this.#isNarrow(cell) ? this.ints[2 * cell]! : this.#doubles[cell]!;
  }

  /** Plain store. */
  write(cell: Cell, value: number): void {
    if (this.#isNarrow(cell)) this.ints[2 * cell] = int(cell, value);
    else this.#doubles[cell] = value;
  }

  /** Marked load. */
  load(cell: Cell): number {
    if (this.#isNarrow(cell)) return Atomics.load(this.ints, 2 * cell);
    return this.#number(Atomics.load(this.#bits, cell));
  }

  /** Marked store. */
  store(cell: Cell, value: number): void {
    if (this.#isNarrow(cell)) Atomics.store(this.ints, 2 * cell, int(cell, value));
    else Atomics.store(this.#bits, cell, this.#bitsOf(value));
  }

  /** Marked exchange. Returns the old value. */
  exchange(cell: Cell, value: number): number {
    if (this.#isNarrow(cell)) return Atomics.exchange(this.ints, 2 * cell, int(cell, value));
    return this.#number(Atomics.exchange(this.#bits, cell, this.#bitsOf(value)));
  }

  /** Marked compare and exchange. Returns what the cell held. */
  compareExchange(cell: Cell, old: number, value: number): number {
    if (this.#isNarrow(cell)) return Atomics.compareExchange(this.ints, 2 * cell, int(cell, old), int(cell, value));
    const expected = this.#bitsOf(old);
    return this.#number(Atomics.compareExchange(this.#bits, cell, expected, this.#bitsOf(value)));
  }

  /** Marked addition. Returns the new value. */
  add(cell: Cell, delta: number): number {
    if (this.#isNarrow(cell)) return int(cell, Atomics.add(this.ints, 2 * cell, delta) + delta);
    for (let seen = this.load(cell); ; ) {
      const held = this.compareExchange(cell, seen, seen + delta);
      if (held === seen) return seen + delta;
      seen = held;
    }
  }

  /** Marked or. */
  or(cell: Cell, bits: number): void {
    if (this.#isNarrow(cell)) Atomics.or(this.ints, 2 * cell, bits);
    else this.#change(cell, (seen) => seen | bits);
  }

  /** Marked and-not. Returns the old value. */
  andNot(cell: Cell, bits: number): number {
    if (this.#isNarrow(cell)) return Atomics.and(this.ints, 2 * cell, ~bits);
    return this.#change(cell, (seen) => seen & ~bits);
  }

  /** Fills words with a number. Plain. */
  fill(value: number, from: Cell, to: Cell): void {
    if (value === 0) this.#doubles.fill(0, from, to);
    else for (let cell = from; cell < to; cell++) this.write(cell, value);
  }

  #isNarrow(cell: Cell): boolean {
    const kind = this.#narrow[cell];
    // What was read from an object that is not one any more may be no address at all.
    if (kind === undefined) throw new RangeError(`there is no word at address ${cell}`);
    return kind !== 0;
  }

  #change(cell: Cell, to: (seen: number) => number): number {
    for (let seen = this.load(cell); ; ) {
      const held = this.compareExchange(cell, seen, to(seen));
      if (held === seen) return seen;
      seen = held;
    }
  }

  #bitsOf(value: number): bigint {
    this.#double[0] = value;
    return this.#asBits[0]!;
  }

  #number(bits: bigint): number {
    this.#asBits[0] = bits;
    return this.#double[0]!;
  }
}

/** The number, if it fits into a narrow word. */
function int(cell: Cell, value: number): number {
  if ((value | 0) !== value) throw new RangeError(`${value} does not fit into the 32-bit word at address ${cell}`);
  return value;
}
