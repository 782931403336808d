/**
 * Files: the page cache as far as a recording lets it be known.
 *
 * Memory that processes share without a file holds what was touched in it. Of real files it is assumed that every page is
 * cached, unless the recording tells how many pages a fault mapped (rss_stat); then the faulting page and the first ones of
 * its window are taken. Mappings that the recording only implies (what exec made) are files, too.
 */
import { type Address, AddressSpace, type Cpu, Page, putPage } from '@mmu-gather/core';
import { allocFileMapping, allocFilePage, type Backing, type PageCache } from '@mmu-gather/mm';
import type { Descriptors } from './descriptors.ts';
import type { PageCache as SteppedCache } from '@mmu-gather/mm/stepped';
import type { Host } from './host.ts';

/** fault_around_bytes of 64 KiB. */
const FAULT_AROUND = 16;
/** Pages that are kept in any case. */
const FIRST_LIMIT = 16_384;
/** Pages are many: the field is found by offset, without a handle for each. */
const REFCOUNT = Page.fields.indexOf('refcount');
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
  /** Where files that are mapped by descriptors are mapped. */
  readonly #mappings = new Map<number, AddressSpace>();
  #limit = FIRST_LIMIT;
  #files = 1;
  /** System V segments by id: the file that stands for each, and its bytes. */
  readonly #segments = new Map<number, { readonly backing: Backing; readonly length: number }>();
  /** Files that turned out to be memory: nothing is ever written out. */
  readonly #inMemory = new Set<number>();
  /** Where reads faulted in mappings whose ends are not known: starts of what faults map around them, by the address of the mm. */
  readonly #implied = new Map<number, Set<number>>();
  readonly #disk: boolean;
  #faulting = 0;
  /** Pages that the fault at work may still map beside its own; null if that is not known. */
  #more: number | null = null;

  /** @param disk files lie on one */
  constructor(disk: boolean) {
    this.#disk = disk;
  }

  /** A mapping of a file. */
  open(): number {
    return this.#files++ * KINDS + REAL;
  }
  /** Memory that processes share without a file, mapped from its first page on. */
  openShared(cpu: Cpu): Backing {
    const file = this.#files++ * KINDS + SHARED_MEMORY;
    return { file, pgoff: 0, mapping: this.#open(cpu, file) };
  }

  /** A file of a disk, mapped from its first page on, whose pages several processes may share. */
  openMapped(cpu: Cpu): Backing {
    const file = this.open();
    return { file, pgoff: 0, mapping: this.#open(cpu, file) };
  }

  /** Where a new file is mapped. */
  #open(cpu: Cpu, file: number): Address {
    const made = allocFileMapping(cpu, file);
    this.#mappings.set(file, made);
    return made.address;
  }
  /** A mapping that nobody saw being made. */
  openImplied(): number {
    return this.#files++ * KINDS + IMPLIED;
  }
  /**
   * What a file is mapped as that is shared and written to, so that it matters which one it is. Others are taken to be closed by now
   * when their number names the next one, as those of libraries are.
   */
  backing(cpu: Cpu, fds: Descriptors, fd: number, pgoff: number): Backing {
    const known = fds.file(fd);
    const mapping = this.#mappings.get(known);
    // A file that nobody maps any more may have been closed, too.
    if (mapping !== undefined && cpu.read(mapping.iMmap) !== 0) return { file: known, pgoff, mapping: mapping.address };
    if (mapping !== undefined) this.#forget(cpu, known, mapping);
    const file = this.open();
    fds.set(fd, file);
    return { file, pgoff, mapping: this.#open(cpu, file) };
  }

  /** Bytes of a System V segment; null if it was not seen yet. */
  segment(id: number): number | null {
    return this.#segments.get(id)?.length ?? null;
  }

  /** A read faults in a mapping whose ends are not known: what lies around it may be mapped, too. @param page its address */
  readsImplied(space: number, page: number, pageSize: number): void {
    const windows = this.#implied.get(space);
    const window = page - (page % (FAULT_AROUND * pageSize));
    if (windows === undefined) this.#implied.set(space, new Set([window]));
    else windows.add(window);
  }

  /** Whether a page, of which it is known by now that it is in such a mapping, was mapped around a fault. */
  wasAround(space: number, page: number, pageSize: number): boolean {
    return this.#implied.get(space)?.has(page - (page % (FAULT_AROUND * pageSize))) === true;
  }

  /** An address space is another one now. */
  forgetImplied(space: number): void {
    this.#implied.delete(space);
  }

  /** What stands for a segment. */
  openSegment(cpu: Cpu, id: number, length: number): Backing {
    let segment = this.#segments.get(id);
    if (segment === undefined) this.#segments.set(id, (segment = { backing: this.openShared(cpu), length }));
    return segment.backing;
  }

  /** A fault showed that a file is memory (tmpfs, memfd). */
  inMemory(file: number): void {
    this.#inMemory.add(file);
  }

  /** Whether what is written to a file goes to a disk some day. */
  isOnDisk(file: number): boolean {
    return this.#disk && file !== 0 && file % KINDS !== SHARED_MEMORY && !this.#inMemory.has(file);
  }

  /** Where a file is mapped; null if that is not known. */
  mapping(file: number): AddressSpace | null {
    return this.#mappings.get(file) ?? null;
  }

  /** The cached pages of a file from one index to another, in order. */
  pagesOf(file: number, from: number, to: number): [index: number, page: Address][] {
    const pages = [...(this.#pages.get(file) ?? [])].filter(([index]) => index >= from && index < to);
    return pages.toSorted(([a], [b]) => a - b);
  }

  /** Pages leave the cache of a file: nobody maps them any more. */
  drop(cpu: Cpu, file: number, from: number, to: number): void {
    for (const [index, page] of this.pagesOf(file, from, to)) {
      putPage(cpu, page);
      this.#pages.get(file)!.delete(index);
      this.#count--;
    }
  }

  #forget(cpu: Cpu, file: number, mapping: AddressSpace): void {
    this.drop(cpu, file, 0, Infinity);
    this.#pages.delete(file);
    this.#mappings.delete(file);
    cpu.free('mapping', mapping.address);
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
    if (file % KINDS === IMPLIED) return 0;
    if (index !== this.#faulting && this.#more !== null && this.#more-- <= 0) return 0;
    return this.fault(cpu, file, index);
  }

  /** Drops pages that only the cache holds. That shared memory was touched must be remembered. */
  #shrink(cpu: Cpu): void {
    for (const [file, pages] of this.#pages) {
      if (file % KINDS === SHARED_MEMORY) continue;
      for (const [index, page] of pages) {
        if (cpu.read(page + REFCOUNT) !== 1) continue;
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
