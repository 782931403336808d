/**
 * khugepaged: small pages become a huge one, behind the back of the task (mm/khugepaged.c).
 *
 *     collapse_huge_page, mmap_lock and VMA lock   any CPU of the mm
 *     clear the pmd
 *     flush                                        holds neither leaves of the range nor the path to its table
 *     wait for walkers with interrupts off         GUP-fast that found the table has its reference, or will find the pmd changed
 *     references as expected? copy                 an access faults, and waits for mmap_lock
 *     install the huge entry; deposit the table    caches the huge entry
 *
 * A lazy CPU needs no flush for the leaves' sake, but it may speculate through its cached path to the table, which is freed
 * one day without another flush: the flush must say that tables are freed (x86: rangeFreesTables, CVE-2025-22045).
 *
 * Once the table is unlinked nobody takes its lock any more, nor does he need to who has unlinked it. mm.pageTableLock is for what stands
 * beside the entry: tables that are deposited for others.
 *
 * retract_page_tables takes the table away from a range of a file that has a huge page now. Its entries are gone already;
 * what may still be there are walkers that found the table.
 */
import {
  type Address,
  type AddressSpace,
  type Cell,
  type Cpu,
  entryCell,
  entryNone,
  entryTarget,
  Mm,
  pageSize,
  ptePresent,
  putPage,
  type Steps,
  tableEntries,
  tlbRemoveTableSyncOne,
  type Vma,
  VM_HUGEPAGE,
  VM_NOHUGEPAGE,
  pteUffdWp,
} from '@mmu-gather/core/stepped';
import { ENOMEM } from './errno.ts';
import { allocHugePage, mapHugePage } from './huge-fault.ts';
import { hugeFits, hugeWanted, hugePages, hugeSize, hugeStart } from './huge-memory.ts';
import { mappedRanges } from './mapping.ts';
import { mmdrop, mmgrab } from './mm-count.ts';
import { pageAlign } from './mmap.ts';
import { copyPage, pageAnon, pageRefcount, pageRemoveRmap, vmNormalPage } from './page.ts';
import {
  leadsToTable,
  pmdOffset,
  pmdPopulate,
  ptepGet,
  pteOffsetMapLock,
  pteUnmapUnlock,
  setPteUnlinked,
} from './page-table.ts';
import { findVma, vmaLookup, vmaModifyFlags, vmaNext, vmasOf } from './vma.ts';
import { mmapWriteUnlock, vmaAssertWriteLocked, vmaStartWrite } from './vma-lock.ts';

/**
 * hugepage_madvise, MADV_HUGEPAGE: from now on huge pages are wanted in the range.
 * @param wanted or not any more, MADV_NOHUGEPAGE: those that are there stay
 * @returns 0 or a negative errno
 */
export function* hugepageMadvise(cpu: Cpu, mm: Mm, start: number, length: number, wanted = true): Steps<number> {
  const end = start + pageAlign(cpu, length);
  yield* cpu.downWrite(mm.mmapLock);
  let covered = start;
  for (let vma = findVma(cpu, mm, start); vma !== null && cpu.read(vma.start) <= covered && covered < end; ) {
    const flags = cpu.read(vma.flags);
    const to = Math.min(end, cpu.read(vma.end));
    const others = wanted ? (flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE : flags | VM_NOHUGEPAGE;
    vma = vmaNext(cpu, yield* vmaModifyFlags(cpu, mm, vma, covered, to, others));
    covered = to;
  }
  yield* mmapWriteUnlock(cpu, mm);
  return covered < end ? -ENOMEM : 0;
}

/**
 * collapse_huge_page. Holds mmap_lock and the lock of the VMA for write from before the table is unlinked until the huge page is
 * there; mmap_lock stands for the lock of the reverse map, too.
 * @returns true if the range is a huge page now
 */
export function* collapseHugePage(cpu: Cpu, mm: Mm, address: number): Steps<boolean> {
  const start = hugeStart(cpu, address);
  const first = yield* allocHugePage(cpu);
  yield* cpu.downWrite(mm.mmapLock);
  const vma = vmaLookup(cpu, mm, start);
  const done = vma !== null && suitable(cpu, vma, start) && (yield* collapseRange(cpu, mm, vma, start, first));
  yield* mmapWriteUnlock(cpu, mm);
  if (!done) for (const page of hugePages(cpu, first)) yield* putPage(cpu, page);
  return done;
}

/** hugepage_vma_revalidate. */
function suitable(cpu: Cpu, vma: Vma, start: number): boolean {
  return hugeWanted(cpu.read(vma.flags)) && cpu.read(vma.file) === 0 && hugeFits(cpu, vma, start);
}

function* collapseRange(cpu: Cpu, mm: Mm, vma: Vma, start: number, first: Address): Steps<boolean> {
  const pmd = yield* pmdOffset(cpu, mm, start);
  const entry = pmd === 0 ? 0 : yield* cpu.readOnce(pmd);
  if (!leadsToTable(entry)) return false;
  const table = entryTarget(entry);
  yield* vmaStartWrite(cpu, mm, vma);
  yield* pmdpCollapseFlush(cpu, mm, pmd, start, table);
  if (cpu.kernel.profile.collapseSync) yield* tlbRemoveTableSyncOne(cpu);
  const movable = yield* isolatePages(cpu, table);
  if (movable) yield* copyPages(cpu, mm, table, start, first);
  yield* cpu.spinLock(mm.pageTableLock);
  if (movable) yield* mapHugePage(cpu, mm, pmd, start, table, first, cpu.read(vma.flags));
  else yield* pmdPopulate(cpu, pmd, table);
  yield* cpu.spinUnlock(mm.pageTableLock);
  return movable;
}

/** pmdp_collapse_flush: unlinks a PTE table with all its entries. Until it is unlinked nobody else changes its upper entry. */
function* pmdpCollapseFlush(cpu: Cpu, mm: Mm, pmd: Cell, start: number, table: Address): Steps<void> {
  yield* cpu.writeOnce(pmd, 0);
  // The unit is a base page: small leaves must go.
  const { backend, profile } = cpu.kernel;
  if (profile.collapseFlush === 'flush') {
    const { pmdpCollapseFlush: flush } = backend.pte;
    if (flush !== null) yield* flush(cpu, mm, start, table);
    else yield* backend.flushTlbRange(cpu, mm, start, start + hugeSize(cpu), 0);
  }
}

/** __collapse_huge_page_isolate: every page is anonymous, and nobody but its mapping holds a reference. Absent ones will be zero. */
function* isolatePages(cpu: Cpu, table: Address): Steps<boolean> {
  let movable = true;
  for (let i = 0; i < tableEntries(cpu.kernel.geometry, 0) && movable; i++) {
    const entry = yield* ptepGet(cpu, table + i);
    if (entryNone(entry)) continue;
    const page = vmNormalPage(entry);
    movable = ptePresent(entry) && page !== 0 && pageAnon(cpu, page) && !pteUffdWp(entry);
    if (movable && cpu.kernel.profile.collapseRefs) movable = (yield* pageRefcount(cpu, page)) === 1;
  }
  return movable;
}

/**
 * __collapse_huge_page_copy: copies each page, then drops the old one. No CPU can reach any of them. Claims: so (O9), and that they do
 * not change while they are copied (O13).
 */
function* copyPages(cpu: Cpu, mm: Mm, table: Address, start: number, first: Address): Steps<void> {
  const { geometry } = cpu.kernel;
  const pages = hugePages(cpu, first);
  for (let i = 0; i < pages.length; i++) {
    const address = start + i * pageSize(geometry);
    const pte = entryCell(geometry, table, 0, address);
    const entry = yield* ptepGet(cpu, pte);
    if (entryNone(entry)) continue;
    const old = vmNormalPage(entry);
    cpu.claim.settled(cpu.read(mm.pgd), address);
    cpu.claim.stable(old, true);
    yield* copyPage(cpu, pages[i]!, old);
    cpu.claim.stable(old, false);
    yield* setPteUnlinked(cpu, mm, address, pte, 0);
    yield* pageRemoveRmap(cpu, old);
    yield* putPage(cpu, old);
  }
}

/**
 * retract_page_tables: the file has a huge page from index `pgoff` on, and its small pages are unmapped. Takes the table away
 * wherever the range is mapped as a whole. The lock of the file's mapping keeps VMAs from being unlinked, and nothing else: walkers
 * with mmap_lock or the lock of a VMA run on.
 */
export function* retractPageTables(cpu: Cpu, mapping: AddressSpace, pgoff: number): Steps<void> {
  const pages = tableEntries(cpu.kernel.geometry, 0);
  const exclusive = cpu.kernel.profile.retract === 'mmap-lock';
  const tables: Address[] = [];
  const mms: Mm[] = [];
  yield* cpu.downRead(mapping.iMmapLock);
  for (const { vma, start } of mappedRanges(cpu, mapping, pgoff, pages)) {
    const mm = Mm.at(cpu.read(vma.mm));
    if (!hugeFits(cpu, vma, start)) continue;
    if (!exclusive) {
      const table = yield* unlinkEmptyTable(cpu, mm, start, null);
      if (table !== 0) tables.push(table);
    } else if (!mms.includes(mm)) {
      yield* mmgrab(cpu, mm);
      mms.push(mm);
    }
  }
  yield* cpu.upRead(mapping.iMmapLock);
  for (const mm of mms) yield* retractExclusive(cpu, mm, mapping, pgoff);
  for (const table of tables) yield* freeRetracted(cpu, table);
}

/** Up to 6.4: with mmap_lock for write, for which Linux tries and gives up. */
function* retractExclusive(cpu: Cpu, mm: Mm, mapping: AddressSpace, pgoff: number): Steps<void> {
  const tables: Address[] = [];
  yield* cpu.downWrite(mm.mmapLock);
  for (const vma of vmasOf(cpu, mm)) {
    const start = cpu.read(vma.start) + (pgoff - cpu.read(vma.pgoff)) * pageSize(cpu.kernel.geometry);
    const inside = start >= cpu.read(vma.start) && start < cpu.read(vma.end);
    if (cpu.read(vma.mapping) !== mapping.address || !inside || !hugeFits(cpu, vma, start)) continue;
    yield* vmaStartWrite(cpu, mm, vma);
    const table = yield* unlinkEmptyTable(cpu, mm, start, vma);
    if (table !== 0) tables.push(table);
  }
  yield* mmapWriteUnlock(cpu, mm);
  for (const table of tables) yield* freeRetracted(cpu, table);
  yield* mmdrop(cpu, mm);
}

/** Unlinks and flushes a PTE table without entries. @param vma is locked for write; null if faults go on @returns the table, or 0 */
function* unlinkEmptyTable(cpu: Cpu, mm: Mm, address: number, vma: Vma | null): Steps<Address> {
  if (vma !== null) vmaAssertWriteLocked(cpu, vma);
  const pmd = yield* pmdOffset(cpu, mm, address);
  if (pmd === 0) return 0;
  const table = yield* pteOffsetMapLock(cpu, pmd);
  if (table === 0) return 0;
  let empty = true;
  for (let i = 0; i < tableEntries(cpu.kernel.geometry, 0) && empty; i++)
    empty = entryNone(yield* ptepGet(cpu, table + i));
  // The table's own lock keeps others from it; the lock of the file, mremap, which moves tables.
  if (empty) yield* pmdpCollapseFlush(cpu, mm, pmd, hugeStart(cpu, address), table);
  yield* pteUnmapUnlock(cpu, table);
  return empty ? table : 0;
}

/** pte_free_defer, or pte_free. */
function* freeRetracted(cpu: Cpu, table: Address): Steps<void> {
  const { retract, collapseSync } = cpu.kernel.profile;
  if (retract === 'deferred') {
    yield* cpu.freeRcu('table', table);
    return;
  }
  if (collapseSync) yield* tlbRemoveTableSyncOne(cpu);
  yield* cpu.free('table', table);
}
