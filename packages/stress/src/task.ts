/**
 * Task: what one CPU runs, and where its random choices come from.
 */
import type { Mm } from '@mmu-gather/core';
import type { Chance, ThreadCpu } from '@mmu-gather/threads';
import { PAGE, PAGES, type Shared } from './space.ts';

/** Pages around which most of what CPUs do happens. */
const HOT_PAGES = 12;
/** Pages of the longest range: more than one PTE table maps. */
const LONGEST = 12;

/** A range of addresses. */
export interface Range {
  /** First address. */
  readonly start: number;
  /** Bytes. */
  readonly length: number;
}

/** One CPU's task. */
export class Task {
  /** The CPU. */
  readonly cpu: ThreadCpu;
  /** Words that all share. */
  readonly shared: Shared;
  /** What it decides by. */
  readonly chance: Chance;
  /** The mm that it runs, with a reference of its own. */
  mm: Mm;

  constructor(cpu: ThreadCpu, shared: Shared, chance: Chance, mm: Mm) {
    this.cpu = cpu;
    this.shared = shared;
    this.chance = chance;
    this.mm = mm;
  }

  /** The address of some page, mostly of a few. */
  page(): number {
    return PAGE * this.chance.below(this.chance.once(8) ? PAGES : HOT_PAGES);
  }

  /** Some pages in a row. */
  range(): Range {
    const start = this.page();
    const pages = Math.min(1 + this.chance.below(LONGEST), PAGES - start / PAGE);
    return { start, length: pages * PAGE };
  }
}
