/**
 * Values: what registers and memory of a test hold.
 *
 *     bigint           a number, as unsigned 64 bits
 *     address          of a location, or of its page-table entry, with an offset:  x+8, PTE(x)
 *     page             an address shifted right by 12: the operand of a TLBI
 *     entry            a page-table entry of AArch64's VMSA tests:  (oa:PA(x), valid:1, af:1, db:1, dbm:0, el0:1)
 *     label            of an instruction
 */

/** An address. */
export interface AddressValue {
  /** Which kind of value. */
  readonly kind: 'address' | 'page';
  /** Name of the location; of an entry `PTE(x)`. */
  readonly of: string;
  /** In bytes. */
  readonly offset: number;
}

/** A page-table entry. */
export interface EntryValue {
  /** Which kind of value. */
  readonly kind: 'entry';
  /** The physical page: the location whose home it is. */
  readonly oa: string;
  /** 0: every access faults. */
  readonly valid: number;
  /** Access flag. */
  readonly af: number;
  /** 1: stores are allowed; the inverse of AP[2]. */
  readonly db: number;
  /** 1: hardware may set db, where it manages dirty state. */
  readonly dbm: number;
  /** 1: user code may use it. */
  readonly el0: number;
}

/** An instruction's label. */
export interface LabelValue {
  /** Which kind of value. */
  readonly kind: 'label';
  /** Number of its thread. */
  readonly thread: number;
  /** The label. */
  readonly name: string;
}

/** Any value. */
export type Value = bigint | AddressValue | EntryValue | LabelValue;

const WORD = (1n << 64n) - 1n;

/** Bits of an entry, for code that computes with it. db is the inverse of AP[2]. */
const BITS = { valid: 0n, el0: 6n, db: 7n, af: 10n, dbm: 51n } as const;

/** Entries are these if nothing is said. */
export function defaultEntry(location: string): EntryValue {
  return { kind: 'entry', oa: location, valid: 1, af: 1, db: 1, dbm: 0, el0: 1 };
}

/** Name of the cell of a location's entry. */
export function entryOf(location: string): string {
  return `PTE(${location})`;
}

/** As text; equal values have equal texts. */
export function show(value: Value): string {
  if (typeof value === 'bigint') return `${value > WORD >> 1n ? value - WORD - 1n : value}`;
  switch (value.kind) {
    case 'address':
      return value.offset === 0 ? value.of : `${value.of}+${value.offset}`;
    case 'page':
      return `${value.of}>>12`;
    case 'label':
      return `label:"P${value.thread}:${value.name}"`;
    case 'entry': {
      const { oa, valid, af, db, dbm, el0 } = value;
      const fields = [
        `oa:PA(${oa})`,
        ...(valid === 1 ? [] : [`valid:${valid}`]),
        ...(af === 1 ? [] : [`af:${af}`]),
        ...(db === 1 ? [] : [`db:${db}`]),
        ...(dbm === 0 ? [] : [`dbm:${dbm}`]),
        ...(el0 === 1 ? [] : [`el0:${el0}`]),
      ];
      return `(${fields.join(', ')})`;
    }
  }
}

/** Are two values the same? */
export function same(a: Value, b: Value): boolean {
  return typeof a === 'bigint' || typeof b === 'bigint' ? a === b : show(a) === show(b);
}

/** A value of so many bits. */
export function truncate(value: Value, bits: number): Value {
  return typeof value === 'bigint' ? BigInt.asUintN(bits, value) : value;
}

/** A number, or undefined. */
export function numberOf(value: Value): bigint | undefined {
  return typeof value === 'bigint' ? value : undefined;
}

/** What an arithmetic instruction computes; undefined if it means nothing for these values. */
export function compute(operation: Arithmetic, a: Value, b: Value, bits = 64): Value | undefined {
  if (typeof a === 'bigint' && typeof b === 'bigint') return BigInt.asUintN(bits, onNumbers(operation, a, b));
  if (operation === 'xor' || operation === 'sub') if (same(a, b)) return 0n;
  if (operation === 'and' && same(a, b)) return a;
  if (typeof a === 'bigint' && (operation === 'add' || operation === 'or')) return compute(operation, b, a, bits);
  if (typeof b !== 'bigint' || typeof a === 'bigint') return undefined;
  if (b === 0n && operation !== 'and') return a;
  if (a.kind === 'entry') return onEntry(operation, a, b);
  if (a.kind !== 'address') return undefined;
  const signed = Number(BigInt.asIntN(32, b));
  if (operation === 'add') return { ...a, offset: a.offset + signed };
  if (operation === 'sub') return { ...a, offset: a.offset - signed };
  if (operation === 'lsr' && b === 12n) return { kind: 'page', of: a.of, offset: 0 };
  return undefined;
}

/** Operations of instructions. */
export type Arithmetic = 'add' | 'sub' | 'and' | 'or' | 'xor' | 'andNot' | 'lsl' | 'lsr';

function onNumbers(operation: Arithmetic, a: bigint, b: bigint): bigint {
  switch (operation) {
    case 'add':
      return a + b;
    case 'sub':
      return a - b;
    case 'and':
      return a & b;
    case 'or':
      return a | b;
    case 'xor':
      return a ^ b;
    case 'andNot':
      return a & (b ^ WORD);
    case 'lsl':
      return a << (b % 64n);
    case 'lsr':
      return a >> (b % 64n);
  }
}

/** Setting and clearing bits of an entry. */
function onEntry(operation: Arithmetic, entry: EntryValue, bits: bigint): EntryValue | undefined {
  if (operation !== 'or' && operation !== 'andNot' && operation !== 'xor' && operation !== 'and') return undefined;
  const mask = operation === 'and' ? bits ^ WORD : bits;
  let known = 0n;
  const fields = { valid: entry.valid, el0: entry.el0, db: 1 - entry.db, af: entry.af, dbm: entry.dbm };
  for (const name of ['valid', 'el0', 'db', 'af', 'dbm'] as const) {
    const bit = 1n << BITS[name];
    known |= bit;
    if ((mask & bit) === 0n) continue;
    fields[name] = operation === 'or' ? 1 : operation === 'xor' ? 1 - fields[name] : 0;
  }
  if (operation !== 'and' && (mask & ~known) !== 0n) return undefined;
  return { ...entry, ...fields, db: 1 - fields.db };
}

/** Numbers below this are their own words. */
const SMALL = 1 << 28;

/** Words for values: machines know words only. */
export class Words {
  readonly #numbers = new Map<string, number>();
  readonly #values: Value[] = [];

  /** The word of a value. */
  of(value: Value): number {
    if (typeof value === 'bigint' && value < SMALL) return Number(value);
    const text = typeof value === 'bigint' ? `${value}` : `${value.kind} ${show(value)}`;
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#values.length;
      this.#numbers.set(text, number);
      this.#values.push(value);
    }
    return SMALL + number;
  }

  /** The value of a word. */
  value(word: number): Value {
    if (word < SMALL) return BigInt.asUintN(64, BigInt(word));
    const value = this.#values[word - SMALL];
    if (value === undefined) throw new RangeError(`word ${word} has no value`);
    return value;
  }
}
