/**
 * Declared: what code has declared of physical pages, until it is so no longer.
 *
 *     clean     claim.clean                     until a dirty entry maps the page again, or it is freed
 *     stable    claim.stable(page, true)        until claim.stable(page, false), or it is freed
 *
 * Two words per page; and one that counts stable pages, for there is hardly ever one.
 */
import { type Address, type Entry, Page, pteDirty } from '@mmu-gather/core/stepped';
import type { Mmu } from './mmu/mmu.ts';
import type { State } from './state.ts';

const PAGE_WORDS = 2;
const CLEAN = 0;
const STABLE = 1;

/** The declarations of one machine. */
export class Declared {
  readonly #state: State;
  readonly #mmu: Mmu;
  readonly #base: number;
  readonly #pageNumber: (page: Address) => number;

  /** Words for so many physical pages. */
  static words(frames: number): number {
    return 1 + PAGE_WORDS * frames;
  }

  /** @param pageNumber number of a page among all pages, -1 if it is none of the pools */
  constructor(state: State, mmu: Mmu, base: number, pageNumber: (page: Address) => number) {
    this.#state = state;
    this.#mmu = mmu;
    this.#base = base;
    this.#pageNumber = pageNumber;
  }

  /** Was the page declared clean, and is it so still? */
  isClean(page: Address): boolean {
    return this.#holds(page, CLEAN);
  }

  /** Are the page's contents taken for stable? */
  isStable(page: Address): boolean {
    return this.#holds(page, STABLE);
  }

  /** Is any page stable? */
  get anyStable(): boolean {
    return this.#state.words[this.#base] !== 0;
  }

  /** The page is clean from here on, unless somebody has written to it again already: then memory tells of it. */
  clean(page: Address): void {
    this.#set(page, CLEAN, !this.#mmu.mappedDirty(page));
  }

  /** The page's contents are taken for stable from here on, or no longer. */
  stable(page: Address, begins: boolean): void {
    this.#set(page, STABLE, begins);
  }

  /** An entry was stored: if it is dirty, the pages that it maps are clean no more. */
  entryStored(entry: Entry): void {
    if (!pteDirty(entry)) return;
    const { first, count } = this.#mmu.framesOf(entry);
    for (let i = 0; i < count; i++) this.#set(first + i * Page.words, CLEAN, false);
  }

  /** The page was freed. */
  freed(page: Address): void {
    this.#set(page, CLEAN, false);
    this.#set(page, STABLE, false);
  }

  #holds(page: Address, what: number): boolean {
    const at = this.#at(page);
    return at >= 0 && this.#state.words[at + what] !== 0;
  }

  #set(page: Address, what: number, holds: boolean): void {
    const at = this.#at(page);
    if (at < 0 || holds === (this.#state.words[at + what] !== 0)) return;
    this.#state.set(at + what, holds ? 1 : 0);
    if (what === STABLE) this.#state.set(this.#base, this.#state.words[this.#base]! + (holds ? 1 : -1));
  }

  #at(page: Address): number {
    const number = this.#pageNumber(page);
    return number < 0 ? -1 : this.#base + 1 + PAGE_WORDS * number;
  }
}
