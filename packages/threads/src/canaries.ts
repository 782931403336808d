/**
 * Canaries: oracles that look at each access while CPUs race.
 *
 *     O1    an access goes to the frame that was cached, and its canary is another one: it was freed since
 *     O2    an access goes beyond what claim.limit left standing
 *     O3    a store through an entry that was cached dirty, to a page that was declared clean
 *     O4    a walk reads a table whose canary is another one than when its pointer was read
 *     O8    a tag is loaded for another root, and what was cached under it is still there
 *     O13   a store to a page whose contents are taken for stable
 *     O5    a free object was written to, or freed twice; and what claim.that says
 *
 * None of them can be wrong about right code: whoever frees, limits or declares has waited until every CPU that may hold a translation has dropped it,
 * and a CPU drops between two accesses, never within one. A page that was written to after the operation which cleans it began is not
 * declared clean at all: memory may tell of that write.
 */
import {
  type Access,
  type Address,
  type CacheName,
  type Claims,
  type Extent,
  type OracleId,
  pageSize,
} from '@mmu-gather/core';
import type { Memory } from './memory.ts';
import type { Watcher } from './mmu.ts';
import type { Objects } from './objects.ts';

const NAME = 'canaries';
const LEVELS: Readonly<Record<Access, number>> = { write: 0, read: 1, none: 2 };
/** More pages than this in an address space have no limits: O2 is not asked. */
const MOST_PAGES = 4096;
/** Words of a page: when it was written to, times 2, plus 1 if it is clean; how many take it for stable. */
const PAGE_WORDS = 2;

/** Reports what an oracle found. Does not return. */
export type Violate = (oracle: OracleId, message: string) => never;

/** The oracles of one CPU. */
export class Canaries implements Watcher {
  readonly #memory: Memory;
  readonly #objects: Objects;
  readonly #violate: Violate;
  readonly #pageBytes: number;
  /** Pages of an address space; 0 if there are too many. */
  readonly #pages: number;
  readonly #frames: number;
  readonly #limits: number;
  /** The clock when this CPU entered the kernel last. */
  #entered = 0;

  /** Reserves their words. */
  static reserve(memory: Memory): void {
    memory.reserve(`${NAME}.frames`, memory.pools.page.count * PAGE_WORDS);
    memory.reserve(`${NAME}.limits`, memory.pools.table.count * limitedPages(memory));
  }

  constructor(memory: Memory, objects: Objects, violate: Violate) {
    this.#memory = memory;
    this.#objects = objects;
    this.#violate = violate;
    this.#pageBytes = pageSize(memory.kernel.geometry);
    this.#pages = limitedPages(memory);
    this.#frames = memory.part(`${NAME}.frames`);
    this.#limits = memory.part(`${NAME}.limits`);
  }

  // ---- what the Mmu tells ----

  tableCanary(table: Address): number {
    if (this.#memory.indexIn('table', table) < 0) return 0;
    return this.#objects.canary('table', table);
  }

  tableRead(table: Address, canary: number): void {
    const index = this.#memory.indexIn('table', table);
    if (index < 0) return;
    if (canary % 2 === 0 || this.#objects.canary('table', table) !== canary)
      this.#violate('O4', `a walk reads table ${index}, which was freed`);
  }

  frameCanary(frame: Address): number {
    return this.#memory.indexIn('page', frame) < 0 ? 0 : this.#objects.canary('page', frame);
  }

  dirtied(frame: Address, pages: number): void {
    const first = this.#frameAt(frame);
    if (first < 0) return;
    const now = Atomics.add(this.#memory.control, this.#memory.global.clock, 1) + 1;
    for (let at = first; at < first + pages * PAGE_WORDS; at += PAGE_WORDS)
      Atomics.store(this.#memory.control, at, 2 * now);
  }

  tagKept(tag: number): void {
    this.#violate('O8', `tag ${tag} is loaded for another address space, and what was cached under it is still there`);
  }

  // ---- what the port tells ----

  /** This CPU entered the kernel. */
  entersKernel(): void {
    this.#entered = Atomics.load(this.#memory.control, this.#memory.global.clock);
  }

  /** An object was allocated: what was said of its address before means nothing. */
  allocated(cache: CacheName, object: Address): void {
    const { control } = this.#memory;
    if (cache === 'page') control.fill(0, this.#frameAt(object), this.#frameAt(object) + PAGE_WORDS);
    if (cache !== 'table') return;
    const limits = this.#limits + this.#memory.indexIn('table', object) * this.#pages;
    control.fill(0, limits, limits + this.#pages);
  }

  /** An access goes through a translation. @param canary that of the frame when it was cached */
  access(root: Address, address: number, frame: Address, canary: number, write: boolean): void {
    const index = this.#memory.indexIn('page', frame);
    if (index >= 0 && (canary % 2 === 0 || this.#objects.canary('page', frame) !== canary))
      this.#violate(
        'O1',
        `${write ? 'a store to' : 'a load from'} ${hex(address)} goes to page ${index}, which was freed`,
      );
    this.#checkLimit(root, address, write);
    if (write && index >= 0) this.#checkStore(address, index, this.#frameAt(frame));
  }

  #checkLimit(root: Address, address: number, write: boolean): void {
    const at = this.#limitAt(root, Math.floor(address / this.#pageBytes));
    const limit = at < 0 ? LEVELS.write : Atomics.load(this.#memory.control, at);
    if (limit === LEVELS.none || (limit === LEVELS.read && write))
      this.#violate(
        'O2',
        `${write ? 'a store to' : 'a load from'} ${hex(address)}, which an operation has left ${limit === LEVELS.none ? 'unmapped' : 'read-only'}`,
      );
  }

  #checkStore(address: number, index: number, at: number): void {
    if (Atomics.load(this.#memory.control, at) % 2 !== 0)
      this.#violate('O3', `a store to ${hex(address)} leaves no trace: page ${index} was declared clean`);
    if (Atomics.load(this.#memory.control, at + 1) > 0)
      this.#violate('O13', `a store to ${hex(address)}: the contents of page ${index} are taken for stable`);
  }

  // ---- claims ----

  /** What kernel code on this CPU claims. */
  readonly claims: Claims = {
    limit: (root, range, access) => this.#limit(root, range, LEVELS[access]),
    clean: (page) => this.#clean(page),
    stable: (page, begins) => this.#stable(page, begins),
    that: (holds, oracle, message) => {
      if (!holds) this.#violate(oracle, message);
    },
    settled: nothing,
    observed: nothing,
    finished: nothing,
    changing: nothing,
    caughtUp: nothing,
    moved: nothing,
    reassigned: nothing,
    held: nothing,
    irqsOff: nothing,
  };

  #limit(root: Address, { start, end }: Extent, level: number): void {
    const first = Math.floor(start / this.#pageBytes);
    const past = Math.min(this.#pages, Math.ceil(end / this.#pageBytes));
    for (let page = first; page < past; page++) Atomics.store(this.#memory.control, this.#limitAt(root, page), level);
  }

  #clean(page: Address): void {
    const at = this.#frameAt(page);
    if (at < 0) return;
    const seen = Atomics.load(this.#memory.control, at);
    if (seen >> 1 <= this.#entered) Atomics.compareExchange(this.#memory.control, at, seen, seen | 1);
  }

  #stable(page: Address, begins: boolean): void {
    const at = this.#frameAt(page);
    if (at >= 0) Atomics.add(this.#memory.control, at + 1, begins ? 1 : -1);
  }

  #frameAt(frame: Address): number {
    const index = this.#memory.indexIn('page', frame);
    return index < 0 ? -1 : this.#frames + index * PAGE_WORDS;
  }

  #limitAt(root: Address, page: number): number {
    const index = this.#memory.indexIn('table', root);
    return index < 0 || page >= this.#pages ? -1 : this.#limits + index * this.#pages + page;
  }
}

function limitedPages(memory: Memory): number {
  const pages = 2 ** memory.kernel.geometry.bits.reduce((a, b) => a + b, 0);
  return memory.options.canaries === true && pages <= MOST_PAGES ? pages : 0;
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}

function nothing(): void {}
