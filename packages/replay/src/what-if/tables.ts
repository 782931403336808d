/**
 * Tables: where each page-table page hangs, as the running code links and unlinks them, so that a cell tells its address.
 *
 *     cell ── table ── the cell that points to it ── ... ── a root that some CPU has loaded
 *
 * A table that does not lead to such a root is walkable for nobody: what changes in it matters to no TLB.
 */
import {
  type Address,
  type Cell,
  entryPresent,
  entrySize,
  entryTarget,
  type Geometry,
  maxEntries,
  PSE,
} from '@mmu-gather/core';

/** Where a cell is in page tables. */
export interface Place {
  /** The root that it is under. */
  readonly root: Address;
  /** Level of its table: 0 for PTEs. */
  readonly level: number;
  /** First address that it maps. */
  readonly address: number;
  /** When the newest link on the way to it was made, by the clock of who asks. */
  readonly linked: number;
}

/** A page-table page. */
interface Table {
  /** The cell that points to it; 0 for none. */
  parent: Cell;
  /** When that was written. */
  linked: number;
  /** Leaf entries in it that hardware may use. */
  leaves: number;
}

/** All page-table pages of a machine. */
export class Tables {
  readonly #geometry: Geometry;
  readonly #entries: number;
  readonly #top: number;
  readonly #tables = new Map<Address, Table>();
  /** The table of each cell, by cell; 0 for cells of no table. */
  #tableOf = new Float64Array(1 << 16);
  readonly #read: (cell: Cell) => number;
  /** Leaf entries under each root that was loaded. */
  readonly #roots = new Map<Address, number>();

  /** The newest change, which memory may not hold yet. */
  #newest: { readonly cell: Cell; readonly value: number } = { cell: 0, value: 0 };

  /** @param read what a cell holds now */
  constructor(geometry: Geometry, read: (cell: Cell) => number) {
    this.#geometry = geometry;
    this.#entries = maxEntries(geometry);
    this.#top = geometry.bits.length - 1;
    this.#read = read;
  }

  /** A page-table page was allocated, all entries none. */
  add(address: Address): void {
    const end = address + this.#entries;
    if (end > this.#tableOf.length) {
      const larger = new Float64Array(2 ** Math.ceil(Math.log2(end + 1)));
      larger.set(this.#tableOf);
      this.#tableOf = larger;
    }
    this.#tableOf.fill(address, address, end);
    this.#tables.set(address, { parent: 0, linked: 0, leaves: 0 });
    this.#roots.delete(address);
  }

  /** The table that a cell is an entry of; 0 if it is none. */
  tableOf(cell: Cell): Address {
    return this.#tableOf[cell] ?? 0;
  }

  /** A CPU loads a root: from now on its entries can be cached. */
  root(address: Address): void {
    if (!this.#roots.has(address) && this.#tables.has(address)) this.#roots.set(address, this.#leavesUnder(address));
  }

  /** Leaf entries under a root. */
  leaves(root: Address): number {
    return this.#roots.get(root) ?? 0;
  }

  /** The table that an entry points to; 0 for a leaf, and for what hardware may not use. */
  pointee(entry: number): Address {
    if (!entryPresent(entry) || (entry & PSE) !== 0) return 0;
    const target = entryTarget(entry);
    return this.#tables.has(target) ? target : 0;
  }

  /** An entry has changed. @returns where it is; null if it is under no root that was loaded */
  change(cell: Cell, old: number, value: number, now: number): Place | null {
    this.#newest = { cell, value };
    const table = this.#tables.get(this.tableOf(cell))!;
    const place = this.place(cell);
    const [from, to] = [this.pointee(old), this.pointee(value)];
    let leaves = 0;
    if (from !== 0) {
      leaves -= place === null ? 0 : this.#leavesUnder(from);
      const left = this.#tables.get(from)!;
      if (left.parent === cell) left.parent = 0;
    } else if (entryPresent(old)) {
      table.leaves--;
      leaves--;
    }
    if (to !== 0) {
      Object.assign(this.#tables.get(to)!, { parent: cell, linked: now });
      leaves += place === null ? 0 : this.#leavesUnder(to);
    } else if (entryPresent(value)) {
      table.leaves++;
      leaves++;
    }
    if (place !== null) this.#roots.set(place.root, this.leaves(place.root) + leaves);
    return place;
  }

  /** Base pages that an entry of a level leads to. */
  pages(level: number): number {
    return entrySize(this.#geometry, level) / entrySize(this.#geometry, 0);
  }

  /** Where a cell is; null if it is under no root that was loaded. */
  place(cell: Cell): Place | null {
    let [at, depth, linked] = [cell, 0, 0];
    const path: number[] = [];
    for (;;) {
      const address = this.tableOf(at);
      path.push(at - address);
      if (this.#roots.has(address)) return { root: address, ...this.#named(path, this.#top - depth), linked };
      const table = this.#tables.get(address);
      if (table === undefined || table.parent === 0 || depth === this.#top) return null;
      linked = Math.max(linked, table.linked);
      at = table.parent;
      depth++;
    }
  }

  /** The leaf entry for an address under a root, or what stands at an upper level in its place. */
  entry(root: Address, level: number, address: number): number {
    let table = root;
    for (let l = this.#top; ; l--) {
      const cell = table + (Math.floor(address / entrySize(this.#geometry, l)) % this.#entries);
      const entry = cell === this.#newest.cell ? this.#newest.value : this.#read(cell);
      if (l === level) return entry;
      table = this.pointee(entry);
      if (table === 0) return 0;
    }
  }

  /** Calls back for each entry below a table that hardware may use. @param start the first address that the table maps */
  forEach(
    table: Address,
    level: number,
    start: number,
    found: (level: number, address: number, entry: number) => void,
  ): void {
    const size = entrySize(this.#geometry, level);
    for (let i = 0; i < 2 ** this.#geometry.bits[level]!; i++) {
      const entry = this.#read(table + i);
      if (!entryPresent(entry)) continue;
      found(level, start + i * size, entry);
      const below = this.pointee(entry);
      if (below !== 0) this.forEach(below, level - 1, start + i * size, found);
    }
  }

  /** Level and address of a path of indices, from the entry upwards to a root. */
  #named(path: readonly number[], level: number): { level: number; address: number } {
    const address = path.reduce((sum, index, up) => sum + index * entrySize(this.#geometry, level + up), 0);
    return { level, address };
  }

  #leavesUnder(table: Address): number {
    const { leaves } = this.#tables.get(table)!;
    let sum = leaves;
    for (let i = 0; i < this.#entries; i++) {
      const below = this.pointee(this.#read(table + i));
      if (below !== 0) sum += this.#leavesUnder(below);
    }
    return sum;
  }
}
