/**
 * Unmapping pages of a file wherever they are mapped (mm/memory.c: unmap_mapping_range, mm/truncate.c).
 *
 *     lock iMmapLock for read
 *       each VMA of the file: a gather of its own; zap; flush; free
 *     unlock
 *
 * Contract: when it returns, no CPU can use an entry that was there before the call. The caller may then reuse page frames
 * that have no struct page, and drop pages from its cache. An munmap that is on its way in one of the mms has cleared entries and
 * not flushed them: while its VMA is still linked, the gather here finds that one open, and flushes for it. Once it is unlinked
 * nobody does, so it must have flushed before (trace T15). Locks: none of the mms' mmap_locks.
 */
import {
  type Address,
  type AddressSpace,
  type Cpu,
  FILE_PAGES,
  Mm,
  putPage,
  type Steps,
  tlbFinishMmu,
  tlbGatherMmu,
} from '@mmu-gather/core/stepped';
import { mappedRanges } from './mapping.ts';
import { filemapGetLocked, filemapRemove, unlockPage } from './mapping-cache.ts';
import { unmapPageRange } from './memory.ts';
import { pageMapcount } from './page.ts';

/**
 * unmap_mapping_range, unmap_mapping_pages.
 * @param pgoff index of the first page
 * @param evenCows private copies go, too (truncation); else only the file's own pages
 */
export function* unmapMappingRange(
  cpu: Cpu,
  mapping: AddressSpace,
  pgoff: number,
  pages: number,
  evenCows: boolean,
): Steps<void> {
  yield* cpu.downRead(mapping.iMmapLock);
  for (const { vma, start, end } of mappedRanges(cpu, mapping, pgoff, pages)) {
    const tlb = yield* tlbGatherMmu(cpu, Mm.at(cpu.read(vma.mm)));
    yield* unmapPageRange(cpu, tlb, vma, start, end, false, evenCows);
    yield* tlbFinishMmu(cpu, tlb, start, end);
  }
  yield* cpu.upRead(mapping.iMmapLock);
}

/**
 * truncate_pagecache: takes all pages from an index on out of the file. Faults that found a page before may map it once more
 * in between: each is unmapped again under its lock, and copies that were made of it after all.
 */
export function* truncatePagecache(cpu: Cpu, mapping: AddressSpace, pgoff: number): Steps<void> {
  const pages = FILE_PAGES - pgoff;
  yield* unmapMappingRange(cpu, mapping, pgoff, pages, true);
  for (let index = pgoff; index < FILE_PAGES; index++) {
    const page = yield* filemapGetLocked(cpu, mapping, index);
    if (page !== 0) yield* truncatePage(cpu, mapping, index, page);
  }
  yield* unmapMappingRange(cpu, mapping, pgoff, pages, true);
}

/** truncate_inode_folio: the page is locked, with a reference of the caller's. */
function* truncatePage(cpu: Cpu, mapping: AddressSpace, index: number, page: Address): Steps<void> {
  if ((yield* pageMapcount(cpu, page)) !== 0) yield* unmapMappingRange(cpu, mapping, index, 1, false);
  yield* filemapRemove(cpu, mapping, index, page);
  yield* unlockPage(cpu, page);
  yield* putPage(cpu, page);
  yield* putPage(cpu, page);
}
