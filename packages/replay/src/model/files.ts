/**
 * Files: the page cache as far as a recording lets it be known.
 *
 * Memory that processes share without a file holds what was touched in it. Of real files it is assumed that every page is
 * cached, unless the recording tells how many pages a fault mapped (rss_stat); then the faulting page and the first ones of
 * its window are taken. Mappings that the recording only implies (what exec made) are files, too.
 */
import { type Address, type Cpu, Page, putPage } from '@mmu-gather/core';
import { allocFilePage, type PageCache } from '@mmu-gather/mm';
import type { PageCache as SteppedCache } from '@mmu-gather/mm/stepped';
import type { Host } from './host.ts';

/** fault_around_bytes of 64 KiB. */
const FAULT_AROUND = 16;
/** Pages that are kept in any case. */
const FIRST_LIMIT = 65_536;
/** What kind of file a number names is told by its remainder. */
const KINDS = 3;
const REAL = 1;
const SHARED_MEMORY = 2;
const IMPLIED = 0;

/** The page cache of the machine under replay. */
export class Files implements PageCache {
  readonly faultAround: number = FAULT_AROUND;
  readonly #pages = new Map<number, Map<number, Address>>();
  /** Pages in all of them, and how many may be before those that nobody maps are dropped. */
  #count = 0;
  #limit = FIRST_LIMIT;
  #files = 1;
  #faulting = 0;
  /** Pages that the fault at work may still map beside its own; null if that is not known. */
  #more: number | null = null;

  /** A mapping of a file. */
  open(): number {
    return this.#files++ * KINDS + REAL;
  }
  /** Memory that processes share without a file. */
  openShared(): number {
    return this.#files++ * KINDS + SHARED_MEMORY;
  }
  /** A mapping that nobody saw being made. */
  openImplied(): number {
    return this.#files++ * KINDS + IMPLIED;
  }
  /** Whether a mapping is one of {@link openImplied}. */
  isImplied(file: number): boolean {
    return file !== 0 && file % KINDS === IMPLIED;
  }
  /** Whether a mapping is one of {@link open}. */
  isReal(file: number): boolean {
    return file % KINDS === REAL;
  }

  /** Before a fault: which page of its file it is for, and how many pages it mapped, if that was recorded. */
  expect(index: number, pages: number | null): void {
    this.#faulting = index;
    this.#more = pages === null ? null : Math.max(0, pages - 1);
  }

  /** The page at an index, read in if need be. */
  fault(cpu: Cpu, file: number, index: number): Address {
    let pages = this.#pages.get(file);
    let page = pages?.get(index);
    if (page !== undefined) return page;
    if (this.#count >= this.#limit) {
      this.#shrink(cpu);
      pages = this.#pages.get(file);
    }
    if (pages === undefined) this.#pages.set(file, (pages = new Map()));
    pages.set(index, (page = allocFilePage(cpu, file, 0)));
    this.#count++;
    return page;
  }

  /** The same page if it is cached, else 0. */
  cached(cpu: Cpu, file: number, index: number): Address {
    if (file % KINDS === SHARED_MEMORY) return this.#pages.get(file)?.get(index) ?? 0;
    if (index !== this.#faulting && this.#more !== null && this.#more-- <= 0) return 0;
    return this.fault(cpu, file, index);
  }

  /** Drops pages that only the cache holds. That shared memory was touched must be remembered. */
  #shrink(cpu: Cpu): void {
    for (const [file, pages] of this.#pages) {
      if (file % KINDS === SHARED_MEMORY) continue;
      for (const [index, page] of pages) {
        if (cpu.read(Page.at(page).refcount) !== 1) continue;
        putPage(cpu, page);
        pages.delete(index);
        this.#count--;
      }
      if (pages.size === 0) this.#pages.delete(file);
    }
    this.#limit = Math.max(FIRST_LIMIT, 2 * this.#count);
  }

  /** The same page cache for the stepped build. */
  stepped(host: Host): SteppedCache {
    const fault = (id: number, file: number, index: number): Address => this.fault(host.cpu(id), file, index);
    const cached = (id: number, file: number, index: number): Address => this.cached(host.cpu(id), file, index);
    return {
      faultAround: FAULT_AROUND,
      *fault(cpu, file, index) {
        return fault(cpu.id, file, index);
      },
      *cached(cpu, file, index) {
        return cached(cpu.id, file, index);
      },
    };
  }
}
