/**
 * Entry words: what a word of a table means to a test, and the word for what it stores there. Which bit of the machine stands for which of Arm is
 * up to who asks.
 */
import { type Address, type Entry, entryFlags, entryTarget, mkEntry } from '@mmu-gather/core/stepped';
import type { EntryValue, Value, Words } from './values.ts';

/** Bits of an entry of Arm that a test may name, each with the flags that stand for it. */
export type EntryBits = Readonly<Record<'valid' | 'af' | 'db' | 'dbm' | 'el0', number>>;

/** Words of pages and tables, and the values that they are. */
export class EntryWords {
  readonly #homes: readonly string[];
  readonly #pages: readonly Address[];
  readonly #bits: EntryBits;
  readonly #always: number;
  readonly #words: Words;

  /**
   * @param homes names of the pages
   * @param pages where they are, in the same order
   * @param always flags that every entry has
   */
  constructor(homes: readonly string[], pages: readonly Address[], bits: EntryBits, always: number, words: Words) {
    this.#homes = homes;
    this.#pages = pages;
    this.#bits = bits;
    this.#always = always;
    this.#words = words;
  }

  /** An entry as the machine has it. */
  entry(value: EntryValue): Entry {
    const flag = (bit: keyof EntryBits): number => (value[bit] === 1 ? this.#bits[bit] : 0);
    const flags = flag('valid') | flag('af') | flag('db') | flag('dbm') | flag('el0') | this.#always;
    return mkEntry(this.#pages[this.#homes.indexOf(value.oa)]!, flags);
  }

  /** The entry that a word is. */
  value(entry: Entry): EntryValue {
    const flags = entryFlags(entry);
    const bit = (name: keyof EntryBits): number => ((flags & this.#bits[name]) !== 0 ? 1 : 0);
    const oa = this.#homes[this.#pages.indexOf(entryTarget(entry))]!;
    return { kind: 'entry', oa, valid: bit('valid'), af: bit('af'), db: bit('db'), dbm: bit('dbm'), el0: bit('el0') };
  }

  /** What a word means, of a page or of the tables. */
  read(word: number, isEntry: boolean): Value {
    return isEntry ? this.value(word) : this.#words.value(word);
  }

  /** The word for a value, of a page or of the tables; undefined if it cannot be there. */
  word(value: Value, isEntry: boolean): number | undefined {
    if (!isEntry) return this.#words.of(value);
    return typeof value === 'object' && value.kind === 'entry' ? this.entry(value) : undefined;
  }
}
