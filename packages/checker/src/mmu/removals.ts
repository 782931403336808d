/**
 * Removals: for observers, which entry values go, and whether hardware would still find them; and all that a CPU holds.
 */
import { type Address, type Entry, entryPresent, PSE } from '@mmu-gather/core/stepped';
import type { Lookups } from './lookups.ts';
import type { PageTables } from './page-tables.ts';
import type { Sets, SetWord } from './sets.ts';
import type { EntryValues } from './values.ts';

/** An entry value that an invalidation or a context load removed from what a CPU may hold. */
export interface Removal {
  /** The CPU. */
  readonly cpu: number;
  /** The ASID, or the tag of kernel entries. */
  readonly tag: number;
  /** Level of the entry. */
  readonly level: number;
  /** First page that it maps. */
  readonly page: number;
  /** Whether it is a leaf, and not a pointer to a table. */
  readonly leaf: boolean;
  /** Whether the hardware would not find this value any more where it looks: in page tables, or in a table of translations. */
  readonly old: boolean;
}

/** An entry value that a CPU may hold. */
export interface Held extends Omit<Removal, 'cpu'> {
  /** The value. */
  readonly entry: Entry;
  /** Pages that an entry of its level leads to. */
  readonly pages: number;
}

/** Looks at what the sets hold and lose. */
export class Removals {
  readonly #values: EntryValues;
  readonly #tables: PageTables;
  readonly #sets: Sets;
  readonly #lookups: Lookups;
  readonly #rootOf: (cpu: number, tag: number) => Address;

  /** @param rootOf the root under a tag of a CPU */
  constructor(
    parts: { values: EntryValues; tables: PageTables; sets: Sets; lookups: Lookups },
    rootOf: (cpu: number, tag: number) => Address,
  ) {
    this.#values = parts.values;
    this.#tables = parts.tables;
    this.#sets = parts.sets;
    this.#lookups = parts.lookups;
    this.#rootOf = rootOf;
  }

  /** Tells of values of a word of a set that go. */
  tell({ cpu, tag, level, slot, w }: SetWord, gone: number, removed: (removal: Removal) => void): void {
    const page = slot * this.#tables.pagesPerEntry[level]!;
    const now = this.#findable(cpu, tag, level, page);
    this.#values.forEach(w, gone, (entry) => {
      removed({ cpu, tag, level, page, leaf: isLeaf(entry, level), old: !now.includes(entry) });
    });
  }

  /** All that a CPU may hold, under whatever tag: leaves, and pointers to tables. */
  held(cpu: number): Held[] {
    const found: Held[] = [];
    for (let tag = 0; tag <= this.#sets.asids; tag++) {
      for (let level = 0; level < this.#tables.levels; level++) {
        const pages = this.#tables.pagesPerEntry[level]!;
        for (let page = 0; page < this.#tables.pages; page += pages) {
          const now = this.#tables.entryAt(this.#rootOf(cpu, tag), level, page);
          this.#sets.forEach(this.#sets.atPage(cpu, tag, level, page), (entry) => {
            found.push({ tag, level, page, pages, leaf: isLeaf(entry, level), old: entry !== now, entry });
          });
        }
      }
    }
    return found;
  }

  /** What the hardware of a CPU could find now for a page under a tag, at a level. */
  #findable(cpu: number, tag: number, level: number, page: number): readonly Entry[] {
    const root = this.#rootOf(cpu, tag);
    const table = tag === this.#sets.asids ? null : this.#lookups.translations;
    if (table === null) return [this.#tables.entryAt(root, level, page)];
    if (table.missesAnytime !== true) return this.#lookups.entries(cpu, tag, page);
    // Such a table is that of the context that is loaded; what a miss of any other one would find there is in page tables.
    const found = tag === this.#sets.liveAsid(cpu) ? this.#lookups.entries(cpu, tag, page) : [];
    return [...found, this.#lookups.missed(root, page)];
  }
}

function isLeaf(entry: Entry, level: number): boolean {
  return level === 0 || (entry & PSE) !== 0 || !entryPresent(entry);
}
