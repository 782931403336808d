/**
 * WalkCache: pointers to page tables that one CPU holds, direct-mapped by level. What hardware calls paging-structure or walk caches.
 */
import { ALL_ASIDS, type Address, type Scope } from '@mmu-gather/core';
import { GLOBAL_TAG } from './tlb.ts';

const EMPTY = -1;
/** Slots of a level. A power of two. */
const SLOTS = 16;

/** One CPU's walk cache. */
export class WalkCache {
  /** Table that each slot leads to. */
  readonly tables: Float64Array;
  /** Canary of that table at the fill. */
  readonly canaries: Int32Array;
  readonly #tags: Int32Array;
  readonly #numbers: Float64Array;
  readonly #bytes: readonly number[];
  /** Slots in use. */
  #used = 0;

  /** @param bytes that an entry of each level maps */
  constructor(bytes: readonly number[]) {
    const slots = bytes.length * SLOTS;
    this.tables = new Float64Array(slots);
    this.canaries = new Int32Array(slots);
    this.#tags = new Int32Array(slots);
    this.#numbers = new Float64Array(slots).fill(EMPTY);
    this.#bytes = bytes;
  }

  /** The slot of the entry of a level that leads towards an address; -1 if it is not cached. */
  lookup(tag: number, address: number, level: number): number {
    const number = Math.floor(address / this.#bytes[level]!);
    const slot = level * SLOTS + (number & (SLOTS - 1));
    return this.#numbers[slot] === number && this.#tags[slot] === tag ? slot : EMPTY;
  }

  /** Keeps the pointer that an entry of a level holds. */
  insert(tag: number, address: number, level: number, table: Address, canary: number): void {
    const number = Math.floor(address / this.#bytes[level]!);
    const slot = level * SLOTS + (number & (SLOTS - 1));
    if (this.#numbers[slot] === EMPTY) this.#used++;
    this.#numbers[slot] = number;
    this.#tags[slot] = tag;
    this.tables[slot] = table;
    this.canaries[slot] = canary;
  }

  /** Drops what a scope covers: pointers that lead to an address in `walks`. */
  invalidate(scope: Scope): void {
    const { start, end } = scope.walks;
    if (start >= end || this.#used === 0) return;
    for (let slot = 0; slot < this.#numbers.length; slot++) {
      const number = this.#numbers[slot]!;
      if (number === EMPTY) continue;
      const tag = this.#tags[slot]!;
      if (tag === GLOBAL_TAG ? !scope.globals : scope.asid !== ALL_ASIDS && scope.asid !== tag) continue;
      const bytes = this.#bytes[Math.floor(slot / SLOTS)]!;
      if (number * bytes < end && (number + 1) * bytes > start) this.#drop(slot);
    }
  }

  /** Drops what is cached under a tag. */
  clear(tag: number): void {
    for (let slot = 0; slot < this.#numbers.length; slot++) if (this.#tags[slot] === tag) this.#drop(slot);
  }

  #drop(slot: number): void {
    if (this.#numbers[slot] === EMPTY) return;
    this.#numbers[slot] = EMPTY;
    this.#used--;
  }

  /** Is anything cached under a tag? */
  any(tag: number): boolean {
    return this.#tags.some((held, slot) => held === tag && this.#numbers[slot] !== EMPTY);
  }
}
