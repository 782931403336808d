/**
 * Kinds: which cells mean something to the machine itself, beside what code makes of them.
 *
 *     entry          of a page table
 *     translation    of the hash table or TSB, or of the process table: MMUs read it, too
 *     in tables      a store changes what TLBs may hold, or which generation covers that
 *     watched        an oracle looks at every store
 */
import { type Address, type BootOptions, type Cell, type Kernel, Mm, Page } from '@mmu-gather/core/stepped';
import type { Layout } from './layout.ts';

/** Where an mm keeps its root table. */
export const PGD: number = Mm.fields.indexOf('pgd');
/** Its generation. */
export const TLB_GEN: number = Mm.fields.indexOf('tlbGen');
/** The generation that is completed. */
export const COMPLETED: number = Mm.fields.indexOf('tlbGenCompleted');
/** Where a page keeps its contents. */
export const DATA: number = Page.fields.indexOf('data');

/** The kinds of a machine's cells. */
export class Kinds {
  readonly #options: BootOptions;
  readonly #layout: Layout;
  readonly #kernel: Kernel;

  constructor(options: BootOptions, layout: Layout, kernel: Kernel) {
    this.#options = options;
    this.#layout = layout;
    this.#kernel = kernel;
  }

  /** Is it a page-table entry? */
  isEntry(cell: Cell): boolean {
    return this.#layout.isEntry(this.#options, cell);
  }

  /** All page-table entries. */
  get entries(): Cell[] {
    const { base, size, count } = this.#layout.pool('table');
    return Array.from({ length: size * count }, (_, i) => base + i).filter((cell) => this.isEntry(cell));
  }

  /** Is it a word of another table that MMUs read? */
  isTranslation(cell: Cell): boolean {
    const { translationTable, processTable } = this.#kernel.backend;
    const isIn = (base: Address, count: number): boolean => cell >= base && cell < base + count;
    return (
      (translationTable !== null && isIn(translationTable.base, translationTable.words)) ||
      (processTable !== null && isIn(processTable, this.#options.backend.isa.asids))
    );
  }

  /** Is it where the kernel's own root is? */
  isKernelRoot(cell: Cell): boolean {
    return cell === this.#kernel.initMm + PGD;
  }

  /** Is it the generation of an mm? */
  isGeneration(cell: Cell): boolean {
    return this.#layout.isField('mm', TLB_GEN, cell);
  }

  /** Does a store change what TLBs may hold, or which generation covers it? */
  isInTables(cell: Cell): boolean {
    return this.isMapping(cell) || this.isGeneration(cell);
  }

  /** Does a store change what TLBs may hold? */
  isMapping(cell: Cell): boolean {
    return this.isEntry(cell) || this.isTranslation(cell) || this.isKernelRoot(cell);
  }

  /** Does an oracle look at stores to it, though they change no tables? */
  isWatched(cell: Cell): boolean {
    return (
      this.#layout.isField('mm', COMPLETED, cell) ||
      this.#layout.isField('page', DATA, cell) ||
      cell === this.#kernel.zeroPage + DATA
    );
  }
}
