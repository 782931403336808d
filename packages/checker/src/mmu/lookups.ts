/**
 * Lookups: what hardware finds that looks into tables of its own: translations (`Backend.translationTable`), and roots by tag
 * (`Backend.processTable`).
 */
import {
  type Address,
  type Backend,
  type Entry,
  entryClear,
  entryFlags,
  mkEntry,
  PSE,
  type TranslationTable,
} from '@mmu-gather/core/stepped';
import type { State } from '../state.ts';
import type { PageTables } from './page-tables.ts';

/** The hardware's own tables. */
export class Lookups {
  /** The table of translations, if the hardware has one. */
  readonly translations: TranslationTable | null;
  /** First word of the table of roots, if it has one. */
  readonly roots: Address | null;
  readonly #state: State;
  readonly #tables: PageTables;
  readonly #pageSize: number;
  readonly #cacheable: number;

  /** @param cacheable bits that a leaf must have to be cached */
  constructor(state: State, backend: Backend, tables: PageTables, pageSize: number, cacheable: number) {
    this.#state = state;
    this.translations = backend.translationTable;
    this.roots = backend.processTable;
    this.#tables = tables;
    this.#pageSize = pageSize;
    this.#cacheable = cacheable;
  }

  /** What the table of translations has for a page under an ASID, as a CPU sees it. @param load the newest words, if not given */
  entries(
    cpu: number,
    asid: number,
    page: number,
    load: (cell: Address) => number = (cell) => this.#state.words[cell]!,
  ): readonly Entry[] {
    return this.translations!.lookup(load, asid, page * this.#pageSize, cpu);
  }

  /** What a miss handler finds for a page in page tables, as a page of its own; 0 if nothing that may be cached. */
  missed(root: Address, page: number): Entry {
    const entry = this.#tables.inMemory(root, page);
    if ((entry & this.#cacheable) !== this.#cacheable) return 0;
    if ((entry & PSE) === 0) return entry;
    return mkEntry(this.#tables.frameInMemory(root, page), entryFlags(entryClear(entry, PSE)));
  }

  /** The root that the table of roots has for a tag. */
  rootOf(asid: number): Address {
    return this.#state.words[this.roots! + asid]!;
  }
}
