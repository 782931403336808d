/**
 * Page tables as memory has them: which cell leads to a page, and what it maps.
 */
import {
  type Address,
  type BootOptions,
  type Entry,
  entryPresent,
  entryTarget,
  type Geometry,
  Page,
  PSE,
  pteDirty,
  tableEntries,
} from '@mmu-gather/core/stepped';
import type { Layout } from '../layout.ts';
import type { State } from '../state.ts';

/** A row of physical pages. */
export interface Frames {
  /** The first. */
  readonly first: Address;
  /** How many. */
  readonly count: number;
}

/** The page tables of one machine. */
export class PageTables {
  /** Number of levels. */
  readonly levels: number;
  /** Number of pages below a root. */
  readonly pages: number;
  /** Pages below an entry of each level. */
  readonly pagesPerEntry: readonly number[];
  readonly #state: State;
  readonly #layout: Layout;
  readonly #options: BootOptions;
  /** Level of the cell that leafCell found last. */
  #level = 0;

  constructor(state: State, layout: Layout, options: BootOptions) {
    this.#state = state;
    this.#layout = layout;
    this.#options = options;
    const slots = slotsPerLevel(options.geometry);
    this.levels = slots.length;
    this.pages = slots[0]!;
    this.pagesPerEntry = slots.map((n) => this.pages / n);
  }

  /** The leaf entry that memory holds for a page under a root now; 0 if there is none. */
  inMemory(root: Address, page: number): Entry {
    const cell = this.leafCell(root, page);
    return cell === 0 ? 0 : this.#state.words[cell]!;
  }

  /** The frame that memory maps a page under a root to; 0 if there is no present entry. */
  frameInMemory(root: Address, page: number): Address {
    const cell = this.leafCell(root, page);
    const entry = cell === 0 ? 0 : this.#state.words[cell]!;
    return entryPresent(entry) ? this.frame(entry, this.#level, page) : 0;
  }

  /** The frame that an entry, were it in this cell on the way to a page, would map the page to; 0 if it is not present. */
  frameAt(cell: Address, entry: Entry, root: Address, page: number): Address {
    return entryPresent(entry) ? this.frame(entry, this.#levelOf(cell, root, page), page) : 0;
  }

  /** The frame that an entry of a level maps a page to. */
  frame(entry: Entry, level: number, page: number): Address {
    const target = entryTarget(entry);
    return level === 0 ? target : target + (page % this.pagesPerEntry[level]!) * Page.words;
  }

  /** The cell of the leaf entry for a page under a root; 0 if a table is missing. */
  leafCell(root: Address, page: number): Address {
    let table = root;
    for (let level = this.levels - 1; ; level--) {
      if (table === 0) return 0;
      const cell = this.#cellAt(table, level, page);
      const entry = this.#state.words[cell]!;
      this.#level = level;
      if (level === 0 || (entry & PSE) !== 0) return cell;
      table = entryPresent(entry) ? entryTarget(entry) : 0;
    }
  }

  /** Is a cell on the way from a root to a page, as the tables above it are now? */
  isOnTheWay(cell: Address, root: Address, page: number): boolean {
    return this.#levelOf(cell, root, page) >= 0;
  }

  #levelOf(cell: Address, root: Address, page: number): number {
    let table = root;
    for (let level = this.levels - 1; table !== 0; level--) {
      const here = this.#cellAt(table, level, page);
      if (here === cell) return level;
      const entry = this.#state.words[here]!;
      table = level > 0 && entryPresent(entry) && (entry & PSE) === 0 ? entryTarget(entry) : 0;
    }
    return -1;
  }

  /** The entry of a level on the way from a root to a page; 0 if a table is missing. */
  entryAt(root: Address, level: number, page: number): Entry {
    let table = root;
    for (let l = this.levels - 1; table !== 0; l--) {
      const entry = this.#state.words[this.#cellAt(table, l, page)]!;
      if (l === level) return entry;
      table = entryPresent(entry) && (entry & PSE) === 0 ? entryTarget(entry) : 0;
    }
    return 0;
  }

  /** The frames that an entry maps: one, or with PSE a row of them, as at the lowest level that has huge leaves. */
  framesOf(entry: Entry): Frames {
    return { first: entryTarget(entry), count: (entry & PSE) === 0 ? 1 : this.pagesPerEntry[1]! };
  }

  /**
   * Does a dirty entry in any table map a page?
   * @param freed was a table given back?
   */
  mappedDirty(page: Address, freed: (cell: Address) => boolean): boolean {
    const { base, size, count } = this.#layout.pool('table');
    for (let cell = base; cell < base + size * count; cell++) {
      const entry = this.#state.words[cell]!;
      if (!pteDirty(entry) || !this.#layout.isEntry(this.#options, cell) || freed(cell)) continue;
      const { first, count: row } = this.framesOf(entry);
      if (page >= first && page < first + row * Page.words) return true;
    }
    return false;
  }

  #cellAt(table: Address, level: number, page: number): Address {
    return table + (Math.floor(page / this.pagesPerEntry[level]!) % tableEntries(this.#options.geometry, level));
  }
}

/** Entries of each level below one root. */
export function slotsPerLevel({ bits }: Geometry): number[] {
  return bits.map((_, level) => 2 ** bits.slice(level).reduce((a, b) => a + b, 0));
}
