/**
 * Faults on file mappings (mm/memory.c: do_fault, mm/filemap.c). The page cache is the one of the file's mapping, or, for files
 * that are only numbers, one that the caller describes.
 *
 *     read                 the page and up to `faultAround` cached neighbours, read-only (or writable if shared memory)
 *     write, private       a copy in anonymous memory; the file page is not mapped
 *     write, shared        the page, writable and dirty
 *
 * A page of a mapping stays locked until it is mapped: truncation waits, and then finds it mapped. Page frames without struct
 * page are mapped by their driver, never by a fault.
 *
 * Neighbours that fault-around maps widen the hulls of later flushes: it must map what the kernel would have mapped.
 */
import {
  type Address,
  type AddressSpace,
  type Cell,
  type Cpu,
  type Entry,
  entryIndex,
  entryNone,
  getPage,
  putPage,
  type Steps,
  tableEntries,
  VM_PFNMAP,
  VM_SHARED,
  type Vma,
  VM_WRITE,
  pageSize,
  maybeMkwrite,
  mkPte,
  pteMkdirty,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import { VM_FAULT_SIGBUS } from './errno.ts';
import { vmaMapping } from './mapping.ts';
import { filemapGetLocked, unlockPage } from './mapping-cache.ts';
import { allocZeroedPage, copyPage, pageAddRmap, pageMarkDirty } from './page.ts';
import { pteLock, ptepGet, pteUnmapUnlock, setPteAt, updateMmuCache } from './page-table.ts';
import { anonPrepare, installAnonPage, lockSame, type Vmf } from './vmf.ts';

/** do_fault. */
export function* doFault(cpu: Cpu, vmf: Vmf): Steps<number> {
  if ((vmf.vmFlags & VM_PFNMAP) !== 0) return VM_FAULT_SIGBUS;
  if (!vmf.write) return yield* doReadFault(cpu, vmf);
  return (vmf.vmFlags & VM_SHARED) === 0 ? yield* doCowFault(cpu, vmf) : yield* doSharedFault(cpu, vmf);
}

/** linear_page_index. */
function pageIndex(cpu: Cpu, vmf: Vmf, address: number): number {
  const pages = (address - cpu.read(vmf.vma.start)) / pageSize(cpu.kernel.geometry);
  return cpu.read(vmf.vma.pgoff) + pages;
}

/** The mapping of a VMA's file if it holds the file's pages itself; null if the PageCache knows them. */
function cacheOf(cpu: Cpu, vma: Vma): AddressSpace | null {
  const mapping = vmaMapping(cpu, vma);
  return mapping === null || cpu.read(mapping.file) !== 0 ? null : mapping;
}

/** __do_fault: the page, with a reference for the fault; locked if its file has a mapping. */
function* faultPage(cpu: Cpu, vmf: Vmf): Steps<Address> {
  const mapping = cacheOf(cpu, vmf.vma);
  if (mapping !== null) return yield* filemapGetLocked(cpu, mapping, pageIndex(cpu, vmf, vmf.address));
  const page = yield* vmf.files.fault(cpu, cpu.read(vmf.vma.file), pageIndex(cpu, vmf, vmf.address));
  if (page !== 0) yield* getPage(cpu, page);
  return page;
}

/** Whoever waits for the page may go on. The fault's reference is the entry's now, if there is one. */
function* releaseFaultPage(cpu: Cpu, vmf: Vmf, page: Address, mapped: boolean): Steps<void> {
  if (cacheOf(cpu, vmf.vma) !== null) yield* unlockPage(cpu, page);
  if (!mapped) yield* putPage(cpu, page);
}

/** do_read_fault: what is cached around the address, and if it was not cached, the page itself. */
function* doReadFault(cpu: Cpu, vmf: Vmf): Steps<number> {
  if (vmf.files.faultAround > 1 && (yield* doFaultAround(cpu, vmf))) return 0;
  const page = yield* faultPage(cpu, vmf);
  if (page === 0) return VM_FAULT_SIGBUS;
  yield* releaseFaultPage(cpu, vmf, page, yield* finishFault(cpu, vmf, page, false));
  return 0;
}

/**
 * do_fault_around: the aligned window around the address, cut to the VMA and to the PTE table.
 * @returns true if the page itself is mapped now; false, too, if the table is gone
 */
function* doFaultAround(cpu: Cpu, vmf: Vmf): Steps<boolean> {
  const geometry = cpu.kernel.geometry;
  const size = pageSize(geometry);
  const width = vmf.files.faultAround;
  const offset = entryIndex(geometry, 0, vmf.address);
  const tableStart = vmf.address - offset * size;
  const vmaFirst = (cpu.read(vmf.vma.start) - tableStart) / size;
  const vmaEnd = (cpu.read(vmf.vma.end) - tableStart) / size;
  const aligned = offset - (offset % width);
  const from = Math.max(aligned, vmaFirst);
  // The window starts where the kernel's does, so it is not aligned at its end if the VMA starts inside of it.
  const to = Math.min(from + width, tableEntries(geometry, 0), vmaEnd);
  const locked = yield* pteLock(cpu, vmf.pmd, vmf.table);
  return locked && (yield* filemapMapPages(cpu, vmf, from, to));
}

/** filemap_map_pages: what is cached for the empty entries `from` to `to` of the table, whose lock it drops. @returns as do_fault_around */
function* filemapMapPages(cpu: Cpu, vmf: Vmf, from: number, to: number): Steps<boolean> {
  const geometry = cpu.kernel.geometry;
  const file = cpu.read(vmf.vma.file);
  const prot = vmPageProt(vmf.vmFlags);
  for (let i = from; i < to; i++) {
    if (!entryNone(yield* ptepGet(cpu, vmf.table + i))) continue;
    const address = vmf.address + (i - entryIndex(geometry, 0, vmf.address)) * pageSize(geometry);
    const page = yield* vmf.files.cached(cpu, file, pageIndex(cpu, vmf, address));
    if (page === 0) continue;
    yield* getPage(cpu, page);
    yield* pageAddRmap(cpu, page);
    yield* setFilePte(cpu, vmf, address, vmf.table + i, mkPte(page, prot));
  }
  const mapped = !entryNone(yield* ptepGet(cpu, vmf.pte));
  yield* pteUnmapUnlock(cpu, vmf.table);
  return mapped;
}

/** The end of set_pte_range, under the PTL. */
function* setFilePte(cpu: Cpu, vmf: Vmf, address: number, pte: Cell, entry: Entry): Steps<void> {
  yield* setPteAt(cpu, vmf.mm, address, pte, entry);
  yield* updateMmuCache(cpu, vmf.mm, address, pte, entry);
}

/** do_cow_fault: a private copy at once. */
function* doCowFault(cpu: Cpu, vmf: Vmf): Steps<number> {
  yield* anonPrepare(cpu, vmf.vma);
  const page = yield* allocZeroedPage(cpu);
  const source = yield* faultPage(cpu, vmf);
  if (source === 0) {
    yield* putPage(cpu, page);
    return VM_FAULT_SIGBUS;
  }
  yield* copyPage(cpu, page, source);
  const entry = maybeMkwrite(pteMkdirty(mkPte(page, vmPageProt(vmf.vmFlags))), vmf.vmFlags);
  yield* installAnonPage(cpu, vmf, page, entry);
  yield* releaseFaultPage(cpu, vmf, source, false);
  return 0;
}

/** do_shared_fault. The page is locked until it is dirty (fault_dirty_shared_page): who cleans it comes before the entry, or after the mark. */
function* doSharedFault(cpu: Cpu, vmf: Vmf): Steps<number> {
  const page = yield* faultPage(cpu, vmf);
  if (page === 0) return VM_FAULT_SIGBUS;
  const mapped = yield* finishFault(cpu, vmf, page, true);
  if (mapped) yield* pageMarkDirty(cpu, page);
  yield* releaseFaultPage(cpu, vmf, page, mapped);
  return 0;
}

/** finish_fault: maps a file page. @returns false if the entry is not empty any more */
function* finishFault(cpu: Cpu, vmf: Vmf, page: Address, write: boolean): Steps<boolean> {
  if (!(yield* lockSame(cpu, vmf))) return false;
  yield* pageAddRmap(cpu, page);
  const entry = mkPte(page, vmPageProt(vmf.vmFlags));
  const writable = write && (vmf.vmFlags & VM_WRITE) !== 0;
  const granted = writable ? maybeMkwrite(pteMkdirty(entry), VM_WRITE) : entry;
  yield* setFilePte(cpu, vmf, vmf.address, vmf.pte, granted);
  yield* pteUnmapUnlock(cpu, vmf.table);
  return true;
}
