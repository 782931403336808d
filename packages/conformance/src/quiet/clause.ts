/**
 * Clauses of O17: what must be so when all is quiet. Each is one function that looks at the books of an end.
 */
import type { Address } from '@mmu-gather/core/stepped';
import type { Books } from './books.ts';

/** One thing that must be so. */
export interface Clause {
  /** Its name, one word. */
  readonly id: string;
  /** What must be so, in one line. */
  readonly says: string;
  /** What is not so, in one line; undefined if all is well. */
  find(end: Books, own: Own): string | undefined;
}

/** What the code of a scenario keeps for itself at its end, beside what mm operations do. */
export interface Hold {
  /** The page, mm or table. A table that is named may stay, though nothing leads to it. */
  readonly object: Address;
  /** References to it that no entry, no file and no CPU accounts for; from the first number to the second. None if not given. */
  readonly references?: number | readonly [from: number, to: number];
  /** Mappings of the page that no entry accounts for: entries that the scenario has cleared itself. None if not given. */
  readonly mappings?: number | readonly [from: number, to: number];
  /** Swap entries that name the page may stay when it is freed: who freed it stands for the end of its slot. */
  readonly slotFreed?: boolean;
}

/** What belongs to the scenario. */
export interface Own {
  /** Does an object count what it should, if `found` refer to it? */
  counts(object: Address, what: 'references' | 'mappings', count: number, found: number): boolean;
  /** Was this object there behind the setup already, and nothing led to it, nor counted it? */
  apart(object: Address): boolean;
  /** See {@link Hold.slotFreed}. */
  slotFreed(page: Address): boolean;
}
