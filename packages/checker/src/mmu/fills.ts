/**
 * Fills: what walks bring into the sets. There are no fill events: whatever stands in memory on a way that a CPU can walk is in its sets, at once.
 *
 *     walk      from the root, through memory's entries and through cached pointers to tables; under weak through older entries, too
 *     look up   in the table of translations, where hardware has one; its misses, where a handler fills that from page tables at any time
 *
 * What is found at a place that a broadcast has doomed the way to is doomed as well; what memory has now is not.
 */
import {
  type Address,
  type BootOptions,
  type ContiguousHint,
  type Entry,
  entryFlags,
  entryPresent,
  entryTarget,
  mkEntry,
  Page,
  PRESENT,
  PSE,
  tableEntries,
} from '@mmu-gather/core/stepped';
import type { Layout } from '../layout.ts';
import type { State } from '../state.ts';
import type { Lookups } from './lookups.ts';
import type { PageTables } from './page-tables.ts';
import type { Sets } from './sets.ts';
import type { EntryValues } from './values.ts';

/** Told of what a fill brings. */
export interface FillHost {
  /** Was the object at this address given back? */
  freed(address: Address): boolean;
  /** Is a CPU in user mode, with its interrupt side idle? */
  inUser(cpu: number): boolean;
  /** A walk can read a freed table (O4). */
  freedTable(cpu: number, table: Address): void;
  /** A huge leaf and a smaller one may be cached for the same address (O14). */
  twoSizes(cpu: number, page: number, kernel: boolean): void;
  /** Under weak: calls back with older values of an entry that a walk may still read, and the CPUs whose broadcasts doom that. */
  olderEntries?: ((cpu: number, cell: Address, visit: (entry: Entry, doomed: number) => void) => void) | undefined;
  /** Under weak: looks into the table of translations in each way in which a CPU's hardware may read it, see weak/walkers.ts. */
  lookUps?: (
    cpu: number,
    look: (load: (cell: Address) => number) => readonly Entry[],
    found: (entries: readonly Entry[], doomed: number) => void,
  ) => void;
  /** The table of translations has two entries for one address (O14). */
  foundTwice(cpu: number, page: number): void;
}

/** Fills of one machine. */
export class Fills {
  readonly #state: State;
  readonly #layout: Layout;
  readonly #options: BootOptions;
  readonly #host: FillHost;
  readonly #values: EntryValues;
  readonly #tables: PageTables;
  readonly #sets: Sets;
  readonly #lookups: Lookups;
  readonly #contiguous: ContiguousHint | undefined;
  readonly #cacheable: number;
  /** Something was added. */
  #filled = false;

  /** @param cacheable bits that a leaf must have to be cached */
  constructor(
    state: State,
    layout: Layout,
    options: BootOptions,
    host: FillHost,
    parts: { values: EntryValues; tables: PageTables; sets: Sets; lookups: Lookups },
    cacheable: number,
  ) {
    this.#state = state;
    this.#layout = layout;
    this.#options = options;
    this.#host = host;
    this.#values = parts.values;
    this.#tables = parts.tables;
    this.#sets = parts.sets;
    this.#lookups = parts.lookups;
    this.#contiguous = options.backend.isa.contiguous;
    this.#cacheable = cacheable;
  }

  /** Walks all pages below a root, under a tag of a CPU. */
  walk(cpu: number, tag: number, root: Address): void {
    this.#filled = false;
    this.#walk(cpu, tag, this.#tables.levels - 1, root, 0, 0);
    if (this.#filled && this.#sizesDiffer()) this.#checkSizes(cpu, tag);
  }

  /** Caches what the table of translations holds for an ASID. */
  lookUp(cpu: number, asid: number): void {
    this.#filled = false;
    for (let page = 0; page < this.#tables.pages; page++) {
      const entries = this.#lookups.entries(cpu, asid, page);
      if (entries.length > 1) this.#host.foundTwice(cpu, page);
      this.#found(cpu, asid, page, entries, 0);
      this.#host.lookUps?.(
        cpu,
        (load) => this.#lookups.entries(cpu, asid, page, load),
        (older, doomed) => this.#found(cpu, asid, page, older, doomed),
      );
    }
    if (this.#filled && this.#sizesDiffer()) this.#checkSizes(cpu, asid);
  }

  /** Entries of the table of translations. @param doomed CPUs whose broadcasts will have removed them */
  #found(cpu: number, asid: number, page: number, entries: readonly Entry[], doomed: number): void {
    for (const entry of entries) {
      if ((entry & this.#cacheable) !== this.#cacheable) continue;
      this.#add(this.#sets.atPage(cpu, asid, (entry & PSE) === 0 ? 0 : 1, page), entry, doomed);
    }
  }

  /** Caches what a miss handler finds for each page now, in pieces of the size of base pages. */
  miss(cpu: number, asid: number, root: Address): void {
    for (let page = 0; page < this.#tables.pages; page++) {
      const part = this.#lookups.missed(root, page);
      if (part !== 0) this.#add(this.#sets.atPage(cpu, asid, 0, page), part, 0);
    }
  }

  /** @param doomed CPUs whose broadcasts have doomed the way to the table */
  #walk(cpu: number, tag: number, level: number, table: Address, prefix: number, doomed: number): void {
    if (this.#host.freed(table)) {
      this.#host.freedTable(cpu, table);
      return;
    }
    if (this.#layout.indexIn('table', table) < 0) return;
    const entries = tableEntries(this.#options.geometry, level);
    for (let i = 0; i < entries; i++) {
      const slot = prefix * entries + i;
      this.#read(cpu, tag, level, slot, this.#state.words[table + i]!, doomed);
      this.#host.olderEntries?.(cpu, table + i, (entry, by) => this.#read(cpu, tag, level, slot, entry, doomed | by));
      if (level > 0) this.#walkOn(cpu, tag, level, slot);
    }
  }

  /** Walks through the pointers to tables that may be cached for a path. */
  #walkOn(cpu: number, tag: number, level: number, slot: number): void {
    const at = this.#sets.at(cpu, tag, level, slot);
    const { doomed } = this.#sets;
    this.#sets.forEach(at, (pointer, number) => {
      if ((pointer & PSE) !== 0 || !entryPresent(pointer)) return;
      const by = doomed.issuers === 0 ? 0 : this.#sets.doomedBy(at, number);
      this.#walk(cpu, tag, level - 1, entryTarget(pointer), slot, by);
    });
  }

  /** A walk has read an entry. */
  #read(cpu: number, tag: number, level: number, slot: number, entry: Entry, doomed: number): void {
    const bits = level === 0 || (entry & PSE) !== 0 ? this.#cacheable : PRESENT;
    if ((entry & bits) === bits) {
      this.#add(this.#sets.at(cpu, tag, level, slot), entry, doomed);
      if (level === 0) this.#addBlock(cpu, tag, slot, entry, doomed);
    } else if (this.#options.backend.isa.cachesInvalid !== undefined && !entryPresent(entry))
      this.#add(this.#sets.at(cpu, tag, level, slot), 0, doomed);
  }

  /** What an entry that belongs to a block says of the others. */
  #addBlock(cpu: number, tag: number, slot: number, entry: Entry, doomed: number): void {
    if (this.#contiguous === undefined || (entry & this.#contiguous.flag) === 0) return;
    const { entries } = this.#contiguous;
    const first = slot - (slot % entries);
    for (let other = first; other < first + entries; other++) {
      const frame = entryTarget(entry) + (other - slot) * Page.words;
      if (other !== slot) this.#add(this.#sets.at(cpu, tag, 0, other), mkEntry(frame, entryFlags(entry)), doomed);
    }
  }

  #add(at: number, entry: Entry, doomed: number): void {
    if (this.#sets.add(at, entry, doomed)) this.#filled = true;
  }

  // ---- leaves of two sizes ----

  /** Are there leaves of more than one size? */
  #sizesDiffer(): boolean {
    return (
      this.#values.huge.some((bits) => bits !== 0) ||
      (this.#contiguous?.conflicts === true && this.#values.inBlocks.some((bits) => bits !== 0))
    );
  }

  /** Looks for a huge leaf with a smaller one below it. */
  #checkSizes(cpu: number, tag: number): void {
    for (let page = 0; page < this.#tables.pages; page++) {
      let sizes = 0;
      for (let level = 0; level < this.#tables.levels; level++) if (this.#hasLeaf(cpu, tag, level, page)) sizes++;
      if (sizes > 1 || this.#inAndOutOfBlock(cpu, tag, page)) this.#host.twoSizes(cpu, page, tag === this.#sets.asids);
    }
  }

  #hasLeaf(cpu: number, tag: number, level: number, page: number): boolean {
    const at = this.#sets.atPage(cpu, tag, level, page);
    const { absent, huge } = this.#values;
    return level === 0 ? this.#sets.intersects(at, absent, true) : this.#sets.intersects(at, huge);
  }

  /** May a page be cached as one of a block, and by itself? */
  #inAndOutOfBlock(cpu: number, tag: number, page: number): boolean {
    if (this.#contiguous?.conflicts !== true) return false;
    const { flag } = this.#contiguous;
    let within = false;
    let alone = false;
    this.#sets.forEach(this.#sets.at(cpu, tag, 0, page), (entry) => {
      if (!entryPresent(entry)) return;
      if ((entry & flag) === 0) alone = true;
      else within = true;
    });
    return within && alone;
  }
}
