/**
 * Tlb: the translations that one CPU holds, set-associative and tagged. Private to its worker, in typed arrays: a hit allocates nothing.
 *
 * A slot holds what hardware would: tag, level, number of the page (of its level's size), rights, the frame; and what oracles compare: the canary
 * of the frame when it was filled. A set replaces its slots in turn.
 */
import {
  type Address,
  ALL_ASIDS,
  type Entry,
  entryFlags,
  entryTarget,
  EVERYTHING,
  NX,
  PSE,
  type Scope,
} from '@mmu-gather/core';
import type { TlbSize } from './memory.ts';

/** The tag of what is cached of the kernel's own page table. */
export const GLOBAL_TAG: number = -2;
/** No slot. */
export const MISS: number = -1;

/** The same, here: an export is looked up at each use. */
const NONE = -1;
const EMPTY = -1;
/** Keys of a level: more than there are pages. Those of base pages are their numbers. */
const LEVEL_KEYS = 2 ** 48;
/** Pages of a range that are looked up one by one; in a larger one every slot is looked at. */
const FEW_PAGES = 32;

/** Words of a slot, side by side: two doubles, at half its number, then integers. */
const KEY = 0;
const TAG = 1;
const FLAGS = 4;
const FRAME = 5;
const LEVEL = 6;
const CANARY = 7;
const SLOT_WORDS = 8;

/** One CPU's TLB. A slot is named by its first word. Numbers that a hit needs are set at once: the engine does not check fields that were never undefined. */
export class Tlb {
  /** KEY: which page, as keyOf says; -1 if the slot is empty. */
  readonly #keys: Float64Array;
  /** FLAGS: rights and bits of the entry. FRAME: the first that it maps. CANARY: of that frame at the fill. */
  readonly #words: Int32Array;
  readonly #next: Uint8Array;
  /** Sets, minus 1. */
  readonly #mask: number = 0;
  readonly #ways: number = 0;
  /** Words of a set. */
  readonly #setWords: number = 0;
  /** Bytes that an entry maps, by level. */
  readonly #bytes: readonly number[];
  /** The inverse: exact, for it is a power of two. */
  readonly #perByte: readonly number[];
  /** And that of the lowest. */
  readonly #pagesPerByte: number = 0;
  /** Slots in use, by level; and of all levels above the lowest. */
  readonly #used: number[];
  #huge = 0;

  /** @param sizes bytes that an entry of each level maps */
  constructor({ sets, ways }: TlbSize, sizes: readonly number[]) {
    this.#words = new Int32Array(sets * ways * SLOT_WORDS);
    this.#keys = new Float64Array(this.#words.buffer);
    for (let slot = 0; slot < this.#words.length; slot += SLOT_WORDS) this.#keys[slot / 2 + KEY] = EMPTY;
    this.#next = new Uint8Array(sets);
    this.#mask = sets - 1;
    this.#ways = ways;
    this.#setWords = ways * SLOT_WORDS;
    this.#bytes = sizes;
    this.#perByte = sizes.map((bytes) => 1 / bytes);
    this.#pagesPerByte = this.#perByte[0]!;
    this.#used = sizes.map(() => 0);
  }

  /** The slot of a base page that has some flags; {@link MISS} if there is none. */
  hit(tag: number, address: number, flags: number): number {
    const page = Math.floor(address * this.#pagesPerByte);
    const slot = this.#find(tag, page, page);
    return slot >= 0 && (this.flags(slot) & flags) === flags ? slot : NONE;
  }

  /** The slot that translates an address under a tag; {@link MISS} if there is none. */
  lookup(tag: number, address: number): number {
    const page = Math.floor(address * this.#pagesPerByte);
    const slot = this.#find(tag, page, page);
    return slot < 0 && this.#huge > 0 ? this.#findHuge(tag, address) : slot;
  }

  /** Rights and bits of a slot's entry. */
  flags(slot: number): number {
    return this.#words[slot + FLAGS]!;
  }

  /** The first frame that a slot maps. */
  frame(slot: number): Address {
    return this.#words[slot + FRAME]!;
  }

  /** The level of a slot's entry. */
  level(slot: number): number {
    return this.#words[slot + LEVEL]!;
  }

  /** The canary of a slot's frame when it was filled. */
  canary(slot: number): number {
    return this.#words[slot + CANARY]!;
  }

  #findHuge(tag: number, address: number): number {
    for (let level = 1; level < this.#used.length; level++) {
      const slot = this.#used[level] === 0 ? NONE : this.#findAt(tag, address, level);
      if (slot >= 0) return slot;
    }
    return NONE;
  }

  #findAt(tag: number, address: number, level: number): number {
    const number = Math.floor(address * this.#perByte[level]!);
    return this.#find(tag, number, keyOf(number, level));
  }

  #find(tag: number, number: number, key: number): number {
    const keys = this.#keys;
    const first = Math.imul(number & this.#mask, this.#setWords);
    for (let slot = first; slot < first + this.#setWords; slot += SLOT_WORDS)
      if (keys[(slot >> 1) + KEY] === key && keys[(slot >> 1) + TAG] === tag) return slot;
    return NONE;
  }

  /** Fills a slot. @returns the slot */
  insert(tag: number, address: number, level: number, entry: Entry, canary: number): number {
    const number = Math.floor(address * this.#perByte[level]!);
    const key = keyOf(number, level);
    let slot = this.#find(tag, number, key);
    if (slot < 0) {
      slot = this.#victim(number & this.#mask);
      this.drop(slot);
      this.#count(level, 1);
    }
    const words = this.#words;
    this.#keys[slot / 2 + KEY] = key;
    this.#keys[slot / 2 + TAG] = tag;
    words[slot + FLAGS] = entryFlags(entry);
    words[slot + FRAME] = entryTarget(entry);
    words[slot + LEVEL] = level;
    words[slot + CANARY] = canary;
    return slot;
  }

  #victim(set: number): number {
    const way = this.#next[set]!;
    this.#next[set] = (way + 1) % this.#ways;
    return set * this.#setWords + way * SLOT_WORDS;
  }

  /** Empties a slot. */
  drop(slot: number): void {
    if (this.#keys[slot / 2 + KEY] === EMPTY) return;
    this.#count(this.level(slot), -1);
    this.#keys[slot / 2 + KEY] = EMPTY;
  }

  #count(level: number, change: number): void {
    this.#used[level]! += change;
    if (level > 0) this.#huge += change;
  }

  /** Drops what a scope covers. */
  invalidate(scope: Scope): void {
    const { start, end } = scope.leaves;
    if (start >= end) return;
    const pages = end === EVERYTHING ? EVERYTHING : (end - start) / this.#bytes[0]!;
    if (scope.asid === ALL_ASIDS || pages > FEW_PAGES) {
      for (let slot = 0; slot < this.#words.length; slot += SLOT_WORDS) if (this.#covers(scope, slot)) this.drop(slot);
      return;
    }
    this.#dropPages(scope, scope.asid);
    if (scope.globals) this.#dropPages(scope, GLOBAL_TAG);
  }

  /** Drops what is cached under a tag. */
  clear(tag: number): void {
    for (let slot = 0; slot < this.#words.length; slot += SLOT_WORDS)
      if (this.#keys[slot / 2 + TAG] === tag) this.drop(slot);
  }

  /** Is anything cached under a tag? */
  any(tag: number): boolean {
    for (let slot = 0; slot < this.#words.length; slot += SLOT_WORDS)
      if (this.#keys[slot / 2 + KEY] !== EMPTY && this.#keys[slot / 2 + TAG] === tag) return true;
    return false;
  }

  #dropPages(scope: Scope, tag: number): void {
    for (let level = 0; level < this.#used.length; level++) {
      if (this.#used[level] === 0) continue;
      const bytes = this.#bytes[level]!;
      for (let at = Math.floor(scope.leaves.start / bytes) * bytes; at < scope.leaves.end; at += bytes) {
        const slot = this.#findAt(tag, at, level);
        if (slot >= 0 && this.#covers(scope, slot)) this.drop(slot);
      }
    }
  }

  #covers(scope: Scope, slot: number): boolean {
    const key = this.#keys[slot / 2 + KEY]!;
    const level = this.level(slot);
    if (key === EMPTY || (scope.level !== undefined && scope.level !== level)) return false;
    const tag = this.#keys[slot / 2 + TAG]!;
    if (tag === GLOBAL_TAG ? !scope.globals : scope.asid !== ALL_ASIDS && scope.asid !== tag) return false;
    if (scope.data === true && (this.flags(slot) & NX) === 0) return false;
    const start = numberOf(key) * this.#bytes[level]!;
    return start < scope.leaves.end && start + this.#bytes[level]! > scope.leaves.start;
  }
}

function keyOf(number: number, level: number): number {
  return number + level * LEVEL_KEYS;
}

function numberOf(key: number): number {
  return key % LEVEL_KEYS;
}

/** Is an entry of a level a leaf? */
export function isLeaf(entry: Entry, level: number): boolean {
  return level === 0 || (entry & PSE) !== 0;
}

/** The number of the frame within what a leaf maps. */
export function frameOffset(address: number, leafBytes: number, pageBytes: number): number {
  return Math.floor((address % leafBytes) / pageBytes);
}
