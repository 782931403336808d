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

// What a cell is, as bits.
const ENTRY = 1;
const TRANSLATION = 2;
const KERNEL_ROOT = 4;
const GENERATION = 8;
const COMPLETION = 16;
const CONTENTS = 32;
const ZEROES = 64;
const MAPPING: number = ENTRY | TRANSLATION | KERNEL_ROOT;
const WATCHED: number = COMPLETION | CONTENTS | ZEROES;

/** The kinds of a machine's cells. */
export class Kinds {
  readonly #bits: Uint8Array;

  /** @param layout after everything of the arena was reserved */
  constructor(options: BootOptions, layout: Layout, kernel: Kernel) {
    const { translationTable, processTable } = kernel.backend;
    const bits = (this.#bits = new Uint8Array(layout.words));
    const mark = (first: Address, count: number, bit: number): void => {
      for (let cell = first; cell < first + count; cell++) bits[cell]! |= bit;
    };
    if (translationTable !== null) mark(translationTable.base, translationTable.words, TRANSLATION);
    if (processTable !== null) mark(processTable, options.backend.isa.asids, TRANSLATION);
    mark(kernel.initMm + PGD, 1, KERNEL_ROOT);
    mark(kernel.zeroPage + DATA, 1, ZEROES);
    for (let cell = 0; cell < bits.length; cell++) {
      if (layout.isEntry(options, cell)) mark(cell, 1, ENTRY);
      if (layout.isField('mm', TLB_GEN, cell)) mark(cell, 1, GENERATION);
      if (layout.isField('mm', COMPLETED, cell)) mark(cell, 1, COMPLETION);
      if (layout.isField('page', DATA, cell)) mark(cell, 1, CONTENTS);
    }
  }

  /** Is it a page-table entry? */
  isEntry(cell: Cell): boolean {
    return this.#is(cell, ENTRY);
  }

  /** All page-table entries. */
  get entries(): Cell[] {
    return Array.from(this.#bits.keys()).filter((cell) => this.isEntry(cell));
  }

  /** Is it a word of another table that MMUs read? */
  isTranslation(cell: Cell): boolean {
    return this.#is(cell, TRANSLATION);
  }

  /** Is it where the kernel's own root is? */
  isKernelRoot(cell: Cell): boolean {
    return this.#is(cell, KERNEL_ROOT);
  }

  /** Is it the generation of an mm? */
  isGeneration(cell: Cell): boolean {
    return this.#is(cell, GENERATION);
  }

  /** Is it the generation of an mm that is completed? */
  isCompletion(cell: Cell): boolean {
    return this.#is(cell, COMPLETION);
  }

  /** Is it the contents of a page? */
  isContents(cell: Cell): boolean {
    return this.#is(cell, CONTENTS);
  }

  /** Does a store change what TLBs may hold, or which generation covers it? */
  isInTables(cell: Cell): boolean {
    return this.#is(cell, MAPPING | GENERATION);
  }

  /** Does a store change what TLBs may hold? */
  isMapping(cell: Cell): boolean {
    return this.#is(cell, MAPPING);
  }

  /** Does an oracle look at stores to it, though they change no tables? */
  isWatched(cell: Cell): boolean {
    return this.#is(cell, WATCHED);
  }

  /** Is it read otherwise than by steps of kernel code that name it? */
  isRead(cell: Cell): boolean {
    return this.#is(cell, MAPPING | CONTENTS | ZEROES);
  }

  /** Does a store to it mean anything to the machine? */
  isAny(cell: Cell): boolean {
    return this.#bits[cell] !== 0;
  }

  /** Is it one of these? What is no cell of the arena is none. */
  #is(cell: Cell, kinds: number): boolean {
    return ((this.#bits[cell] ?? 0) & kinds) !== 0;
  }
}
