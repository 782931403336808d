/**
 * Tlb: the translations that one CPU holds, set-associative and tagged. Private to its worker, in typed arrays: a hit allocates nothing.
 *
 * A slot holds what hardware would: tag, level, number of the page (of its level's size), rights, the frame; and what oracles compare: the canary
 * of the frame when it was filled. A set replaces its slots in turn.
 */
import { ALL_ASIDS, type Entry, entryFlags, entryTarget, EVERYTHING, NX, PSE, type Scope } from '@mmu-gather/core';
import type { TlbSize } from './memory.ts';

/** The tag of what is cached of the kernel's own page table. */
export const GLOBAL_TAG: number = -2;
/** No slot. */
export const MISS: number = -1;

const EMPTY = -1;
/** More levels than any machine has; a power of two. */
const LEVELS = 8;
/** Pages of a range that are looked up one by one; in a larger one every slot is looked at. */
const FEW_PAGES = 32;

/** One CPU's TLB. */
export class Tlb {
  /** Rights and bits of each slot's entry. */
  readonly flags: Int32Array;
  /** First frame that each slot maps. */
  readonly frames: Float64Array;
  /** Canary of that frame at the fill. */
  readonly canaries: Int32Array;
  /** Level of each slot, -1 if it is empty. */
  readonly levels: Int8Array;
  readonly #tags: Int32Array;
  /** Which page: its number, in pages of its level, and the level, in one (keyOf). */
  readonly #keys: Float64Array;
  readonly #next: Uint8Array;
  /** Sets, minus 1. */
  readonly #mask: number;
  readonly #ways: number;
  /** Bytes that an entry maps, by level. */
  readonly #bytes: readonly number[];
  /** The inverse: exact, for it is a power of two. */
  readonly #perByte: readonly number[];
  /** Slots in use, by level; and of all levels above the lowest. */
  readonly #used: number[];
  #huge = 0;

  /** @param sizes bytes that an entry of each level maps */
  constructor({ sets, ways }: TlbSize, sizes: readonly number[]) {
    const slots = sets * ways;
    this.flags = new Int32Array(slots);
    this.frames = new Float64Array(slots);
    this.canaries = new Int32Array(slots);
    this.levels = new Int8Array(slots).fill(EMPTY);
    this.#tags = new Int32Array(slots);
    this.#keys = new Float64Array(slots).fill(EMPTY);
    this.#next = new Uint8Array(sets);
    this.#mask = sets - 1;
    this.#ways = ways;
    this.#bytes = sizes;
    this.#perByte = sizes.map((bytes) => 1 / bytes);
    this.#used = sizes.map(() => 0);
  }

  /** The slot that translates an address under a tag; {@link MISS} if there is none. */
  lookup(tag: number, address: number): number {
    const slot = this.#find(tag, address, 0);
    if (slot !== MISS || this.#huge === 0) return slot;
    for (let level = 1; level < this.#used.length; level++) {
      if (this.#used[level] === 0) continue;
      const huge = this.#find(tag, address, level);
      if (huge !== MISS) return huge;
    }
    return MISS;
  }

  #find(tag: number, address: number, level: number): number {
    const number = Math.floor(address * this.#perByte[level]!);
    const key = keyOf(number, level);
    const first = (number & this.#mask) * this.#ways;
    for (let slot = first; slot < first + this.#ways; slot++)
      if (this.#keys[slot] === key && this.#tags[slot] === tag) return slot;
    return MISS;
  }

  /** Fills a slot. @returns the slot */
  insert(tag: number, address: number, level: number, entry: Entry, canary: number): number {
    const number = Math.floor(address * this.#perByte[level]!);
    const set = number & this.#mask;
    let slot = this.#find(tag, address, level);
    if (slot === MISS) {
      slot = set * this.#ways + this.#next[set]!;
      this.#next[set] = (this.#next[set]! + 1) % this.#ways;
      this.drop(slot);
      this.#count(level, 1);
    }
    this.levels[slot] = level;
    this.#tags[slot] = tag;
    this.#keys[slot] = keyOf(number, level);
    this.flags[slot] = entryFlags(entry);
    this.frames[slot] = entryTarget(entry);
    this.canaries[slot] = canary;
    return slot;
  }

  /** Empties a slot. */
  drop(slot: number): void {
    const level = this.levels[slot]!;
    if (level === EMPTY) return;
    this.#count(level, -1);
    this.levels[slot] = EMPTY;
    this.#keys[slot] = EMPTY;
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
      for (let slot = 0; slot < this.levels.length; slot++) if (this.#covers(scope, slot)) this.drop(slot);
      return;
    }
    this.#dropPages(scope, scope.asid);
    if (scope.globals) this.#dropPages(scope, GLOBAL_TAG);
  }

  /** Drops what is cached under a tag. */
  clear(tag: number): void {
    for (let slot = 0; slot < this.levels.length; slot++) if (this.#tags[slot] === tag) this.drop(slot);
  }

  /** Is anything cached under a tag? */
  any(tag: number): boolean {
    return this.#tags.some((held, slot) => held === tag && this.levels[slot] !== EMPTY);
  }

  #dropPages(scope: Scope, tag: number): void {
    for (let level = 0; level < this.#used.length; level++) {
      if (this.#used[level] === 0) continue;
      const bytes = this.#bytes[level]!;
      for (let at = Math.floor(scope.leaves.start / bytes) * bytes; at < scope.leaves.end; at += bytes) {
        const slot = this.#find(tag, at, level);
        if (slot !== MISS && this.#covers(scope, slot)) this.drop(slot);
      }
    }
  }

  #covers(scope: Scope, slot: number): boolean {
    const level = this.levels[slot]!;
    if (level === EMPTY || (scope.level !== undefined && scope.level !== level)) return false;
    const tag = this.#tags[slot]!;
    if (tag === GLOBAL_TAG ? !scope.globals : scope.asid !== ALL_ASIDS && scope.asid !== tag) return false;
    if (scope.data === true && (this.flags[slot]! & NX) === 0) return false;
    const start = numberOf(this.#keys[slot]!) * this.#bytes[level]!;
    return start < scope.leaves.end && start + this.#bytes[level]! > scope.leaves.start;
  }
}

function keyOf(number: number, level: number): number {
  return number * LEVELS + level;
}

function numberOf(key: number): number {
  return Math.floor(key / LEVELS);
}

/** Is an entry of a level a leaf? */
export function isLeaf(entry: Entry, level: number): boolean {
  return level === 0 || (entry & PSE) !== 0;
}

/** The number of the frame within what a leaf maps. */
export function frameOffset(address: number, leafBytes: number, pageBytes: number): number {
  return Math.floor((address % leafBytes) / pageBytes);
}
