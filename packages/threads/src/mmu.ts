/**
 * Mmu: how one CPU translates. It looks into its TLB, then walks page tables (through its walk cache, with the root that is loaded), or looks into
 * the architecture's table of translations.
 *
 *     read entries by marked loads       somebody may be changing them
 *     set accessed and dirty bits        compare and exchange on memory's entry; if it changed, walk again
 *
 * An access is one port call: no interrupt and no broadcast is taken between its walk and its last look at memory. So whoever waited for
 * this CPU knows that it is not in the middle of one.
 */
import {
  ACCESSED,
  type Address,
  type Cell,
  DIRTY,
  type Entry,
  entryPresent,
  entrySet,
  entrySize,
  entryTarget,
  type Isa,
  type Kernel,
  Mm,
  Page,
  PRESENT,
  PSE,
  RW,
  type Scope,
  tableEntries,
  USER,
} from '@mmu-gather/core';
import type { Memory } from './memory.ts';
import { GLOBAL_TAG, frameOffset, isLeaf, MISS, Tlb } from './tlb.ts';
import { WalkCache } from './walk-cache.ts';

/** Before the first context load. */
const NO_TAG = -1;

/** What is asked of each fill and each walk; oracles do. */
export interface Watcher {
  /** Canary of a table when a pointer to it is read. 0 if nobody minds. */
  tableCanary(table: Address): number;
  /** A table is read through a pointer that was read when its canary was this. */
  tableRead(table: Address, canary: number): void;
  /** Canary of a frame when a translation to it is cached. */
  frameCanary(frame: Address): number;
  /** A translation that is dirty already was cached, or made dirty: of so many pages in a row. */
  dirtied(frame: Address, pages: number): void;
  /** A context is loaded and what is cached under its tag stays, of a root that was another one. */
  tagKept(tag: number): void;
}

/** The loaded context. */
interface Context {
  root: Address;
  canary: number;
  asid: number;
}

/** The MMU of one CPU. */
export class Mmu {
  /** Its TLB. */
  readonly tlb: Tlb;
  readonly #memory: Memory;
  readonly #kernel: Kernel;
  readonly #isa: Isa;
  readonly #id: number;
  readonly #watcher: Watcher;
  readonly #walks: WalkCache;
  /** Bytes that an entry maps, and entries of a table, by level. */
  readonly #bytes: readonly number[];
  readonly #entries: readonly number[];
  readonly #readable: number = 0;
  readonly #writable: number = 0;
  /** Flags of an entry that a load or a store can use as it is cached. */
  readonly #loadHit: number = 0;
  readonly #storeHit: number = 0;
  readonly #context: Context = { root: 0, canary: 0, asid: -1 };
  #tag = NO_TAG;
  /** Root that was loaded under each tag, with its canary. */
  readonly #roots: Map<number, readonly [root: Address, canary: number]> = new Map();
  /** Where the walk of last ended. */
  #cell: Cell = 0;
  #level = 0;

  constructor(memory: Memory, id: number, watcher: Watcher) {
    this.#memory = memory;
    this.#kernel = memory.kernel;
    this.#isa = memory.kernel.backend.isa;
    this.#id = id;
    this.#watcher = watcher;
    const { geometry } = memory.kernel;
    this.#bytes = geometry.bits.map((_, level) => entrySize(geometry, level));
    this.#entries = geometry.bits.map((_, level) => tableEntries(geometry, level));
    this.tlb = new Tlb(memory.options.tlb ?? { sets: 64, ways: 4 }, this.#bytes);
    this.#walks = new WalkCache(this.#bytes);
    this.#readable = PRESENT | USER | (this.#isa.accessed === 'software' ? ACCESSED : 0);
    this.#writable = this.#readable | RW | (this.#isa.dirty === 'software' ? DIRTY : 0);
    this.#loadHit = this.#readable;
    this.#storeHit = this.#writable | (this.#isa.cleanWalks ? DIRTY : 0);
  }

  /** The root that is loaded; 0 if there is no user part. */
  get root(): Address {
    return this.#context.root;
  }

  /** The tag under which user code's translations are cached. */
  get tag(): number {
    return this.#tag;
  }

  /** Loads a context. */
  load(root: Address, asid: number, noflush: boolean): void {
    const canary = root === 0 ? 0 : this.#watcher.tableCanary(root);
    for (let tag = asid; tag <= asid + (this.#isa.pairedAsids === true ? 1 : 0); tag++) {
      if (noflush) this.#checkTag(tag, root, canary);
      else this.#clear(tag);
      if (root !== 0) this.#roots.set(tag, [root, canary]);
    }
    this.#context.root = root;
    this.#context.canary = canary;
    this.#context.asid = asid;
    this.#tag = asid + (this.#isa.pairedAsids === true ? 1 : 0);
  }

  /** Drops what a scope covers. */
  invalidate(scope: Scope): void {
    this.tlb.invalidate(scope);
    this.#walks.invalidate(scope);
    if (scope.roots === true && this.#kernel.backend.processTable !== null) this.#findRoot();
  }

  /** The slot of a base page through which an access goes as it is cached; {@link MISS} if that takes more ({@link Mmu.translate}). */
  hit(address: number, write: boolean): number {
    return this.tlb.hit(this.#tag, address, write ? this.#storeHit : this.#loadHit);
  }

  /**
   * The slot of the TLB through which an access goes; {@link MISS} if it faults.
   * @param write it stores
   */
  translate(address: number, write: boolean): number {
    const hit = write ? this.#storeHit : this.#loadHit;
    const need = write ? this.#writable : this.#readable;
    const slot = this.tlb.lookup(this.#tag, address);
    if (slot < 0) return this.#fill(address, need, write);
    const flags = this.tlb.flags(slot);
    if ((flags & hit) === hit) return slot;
    // A fault drops what it used, unless hardware may go on to use it: then the kernel must drop it.
    if ((flags & need) !== need && this.#isa.cachesInvalid !== undefined) return MISS;
    this.tlb.drop(slot);
    return this.#fill(address, need, write);
  }

  /** The frame of an address that a slot translates. */
  frame(slot: number, address: number): Address {
    const level = this.tlb.level(slot);
    const first = this.tlb.frame(slot);
    if (level === 0) return first;
    return first + frameOffset(address, this.#bytes[level]!, this.#bytes[0]!) * Page.words;
  }

  /** The slot for a load of the kernel through its own page table; {@link MISS} if it faults. */
  translateKernel(address: number): number {
    const slot = this.tlb.lookup(GLOBAL_TAG, address);
    if (slot >= 0) return slot;
    const root = this.#memory.words.read(Mm.at(this.#kernel.initMm).pgd);
    const entry = root === 0 ? 0 : this.#walk(GLOBAL_TAG, root, this.#watcher.tableCanary(root), address);
    return (entry & PRESENT) === 0 ? MISS : this.#insert(GLOBAL_TAG, address, entry);
  }

  /** Walks ahead of any access, as hardware may at any time with the context that is loaded. */
  speculate(address: number): void {
    if (this.#context.root === 0 || this.#kernel.backend.translationTable !== null) return;
    if (this.tlb.lookup(this.#tag, address) === MISS) this.#fill(address, this.#readable, false);
  }

  /** Fills the TLB for an access. @returns the slot, or {@link MISS} if memory does not allow it */
  #fill(address: number, need: number, write: boolean): number {
    if (this.#kernel.backend.translationTable !== null) return this.#lookUp(address, need);
    const { root, canary } = this.#context;
    if (root === 0) return MISS;
    for (;;) {
      const entry = this.#walk(this.#tag, root, canary, address);
      if ((entry & need) !== need) return MISS;
      const marked = entrySet(entry, ACCESSED | (write ? DIRTY : 0));
      if (marked === entry || this.#memory.words.compareExchange(this.#cell, entry, marked) === entry)
        return this.#insert(this.#tag, address, marked);
    }
  }

  /** The architecture's table of translations. What is there twice is found once. */
  #lookUp(address: number, need: number): number {
    const { asid } = this.#context;
    const load = (cell: Cell): number => this.#memory.words.load(cell);
    for (const entry of this.#kernel.backend.translationTable!.lookup(load, asid, address, this.#id)) {
      if ((entry & need) !== need) continue;
      this.#level = (entry & PSE) === 0 ? 0 : 1;
      return this.#insert(this.#tag, address, entry);
    }
    return MISS;
  }

  #insert(tag: number, address: number, entry: Entry): number {
    const frame = entryTarget(entry);
    if (tag !== GLOBAL_TAG && (entry & DIRTY) !== 0)
      this.#watcher.dirtied(frame, this.#bytes[this.#level]! / this.#bytes[0]!);
    return this.tlb.insert(tag, address, this.#level, entry, this.#watcher.frameCanary(frame));
  }

  /** The leaf entry for an address, 0 if there is none. Its cell and its level are noted. */
  #walk(tag: number, root: Address, canary: number, address: number): Entry {
    let level = this.#bytes.length - 1;
    let table = root;
    let seen = canary;
    for (let cached = 1; cached < this.#bytes.length; cached++) {
      const slot = this.#walks.lookup(tag, address, cached);
      if (slot < 0) continue;
      level = cached - 1;
      table = this.#walks.tables[slot]!;
      seen = this.#walks.canaries[slot]!;
      break;
    }
    for (; ; level--) {
      this.#watcher.tableRead(table, seen);
      const cell = table + (Math.floor(address / this.#bytes[level]!) % this.#entries[level]!);
      const entry = this.#memory.words.load(cell);
      if (!entryPresent(entry)) return 0;
      if (isLeaf(entry, level)) {
        this.#cell = cell;
        this.#level = level;
        return entry;
      }
      table = entryTarget(entry);
      seen = this.#watcher.tableCanary(table);
      this.#walks.insert(tag, address, level, table, seen);
    }
  }

  /** What was cached of the table of roots is dropped: the root is found there anew. */
  #findRoot(): void {
    const { asid } = this.#context;
    if (asid <= 0) return;
    this.#context.root = this.#memory.words.load(this.#kernel.backend.processTable! + asid);
    this.#context.canary = this.#context.root === 0 ? 0 : this.#watcher.tableCanary(this.#context.root);
  }

  #clear(tag: number): void {
    this.tlb.clear(tag);
    this.#walks.clear(tag);
  }

  #checkTag(tag: number, root: Address, canary: number): void {
    const held = this.#roots.get(tag);
    if (root === 0 || held === undefined || (held[0] === root && held[1] === canary)) return;
    if (this.tlb.any(tag) || this.#walks.any(tag)) this.#watcher.tagKept(tag);
  }
}
