/**
 * Faults on huge pages (handle_mm_fault, do_huge_pmd_*): one appears where a write finds nothing, and one of zeroes where a read does.
 */
import {
  type Address,
  type Cell,
  type Cpu,
  entryNone,
  entryTarget,
  maybeMkwrite,
  mkPte,
  type Mm,
  PSE,
  pteMkdirty,
  pteMkspecial,
  pteMkyoung,
  pteModify,
  pteProtnone,
  pteWrite,
  pteWrprotect,
  putPage,
  type Steps,
  tableEntries,
  VM_ACCESS_FLAGS,
  VM_UFFD_WP,
  type Vma,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import { initRefcount, pageAddNewAnonRmap, pageAnonExclusive, wpCanReuseAnonPage } from './page.ts';
import { newTable, ptepGetAndClear, setPteAt, updateMmuCache } from './page-table.ts';
import { anonPrepare, upgradeEntry } from './vmf.ts';
import { hugeFits, hugePages, hugeStart, hugeWanted, pmdTransHuge } from './huge-memory.ts';
import { flushPmdTlbRange, isHugeZero, pgtableDeposit, pgtableWithdraw } from './huge-entry.ts';
import { splitHugePmd } from './huge-split.ts';

/** alloc_anon_folio of the largest order: a row of zeroed pages, each with the reference that its mapping will keep. */
export function* allocHugePage(cpu: Cpu): Steps<Address> {
  const first = yield* cpu.alloc('page', tableEntries(cpu.kernel.geometry, 0));
  for (const page of hugePages(cpu, first)) initRefcount(cpu, page);
  return first;
}

/**
 * The part of __handle_mm_fault for huge pages: makes one where a write finds nothing, and decides about writes to read-only
 * ones. mmap_lock for read.
 * @returns true if the access can be tried again; false if there is, or shall be, a PTE table
 */
export function* handleHugeFault(
  cpu: Cpu,
  mm: Mm,
  vma: Vma,
  pmd: Cell,
  address: number,
  write: boolean,
): Steps<boolean> {
  const orig = yield* cpu.readOnce(pmd);
  if (entryNone(orig)) {
    if (!write && cpu.kernel.hugeZeroPage === 0) return false;
    if (cpu.read(vma.file) !== 0 || !hugeFits(cpu, vma, address)) return false;
    if (!hugeWanted(cpu.read(vma.flags))) return false;
    if (write) yield* doHugePmdAnonymousPage(cpu, mm, vma, pmd, address);
    else yield* setHugeZeroPage(cpu, mm, pmd, address, cpu.read(vma.flags));
    return true;
  }
  if (!pmdTransHuge(orig)) return false;
  return yield* handleHugePmd(cpu, mm, vma, pmd, address, write);
}

/** do_huge_pmd_anonymous_page. */
function* doHugePmdAnonymousPage(cpu: Cpu, mm: Mm, vma: Vma, pmd: Cell, address: number): Steps<void> {
  const vmFlags = cpu.read(vma.flags);
  yield* anonPrepare(cpu, vma);
  const first = yield* allocHugePage(cpu);
  const table = yield* newTable(cpu, mm);
  yield* cpu.spinLock(mm.pageTableLock);
  const none = entryNone(yield* cpu.readOnce(pmd));
  if (none) yield* mapHugePage(cpu, mm, pmd, address, table, first, vmFlags);
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (none) return;
  for (const page of hugePages(cpu, first)) yield* putPage(cpu, page);
  yield* cpu.free('table', table);
}

/** set_huge_zero_folio: under the huge entry a table is deposited, as under any other. */
function* setHugeZeroPage(cpu: Cpu, mm: Mm, pmd: Cell, address: number, vmFlags: number): Steps<void> {
  const table = yield* newTable(cpu, mm);
  yield* cpu.spinLock(mm.pageTableLock);
  const none = entryNone(yield* cpu.readOnce(pmd));
  if (none) {
    pgtableDeposit(cpu, pmd, address, table);
    const entry = pteMkspecial(mkPte(cpu.kernel.hugeZeroPage, vmPageProt(vmFlags) | PSE));
    yield* setPteAt(cpu, mm, hugeStart(cpu, address), pmd, pteWrprotect(entry), 1);
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (none) return;
  yield* cpu.free('table', table);
}

/** do_huge_zero_wp_pmd: a huge page of its own takes the place of the one of zeroes, which no TLB may hold then. */
function* doHugeZeroWpPmd(cpu: Cpu, mm: Mm, vma: Vma, pmd: Cell, address: number): Steps<void> {
  yield* anonPrepare(cpu, vma);
  const first = yield* allocHugePage(cpu);
  yield* cpu.spinLock(mm.pageTableLock);
  const same = isHugeZero(cpu, yield* cpu.readOnce(pmd));
  if (same) {
    yield* ptepGetAndClear(cpu, mm, hugeStart(cpu, address), pmd, 1);
    yield* flushPmdTlbRange(cpu, mm, address);
    const table = pgtableWithdraw(cpu, pmd, address);
    yield* mapHugePage(cpu, mm, pmd, address, table, first, cpu.read(vma.flags));
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (same) return;
  for (const page of hugePages(cpu, first)) yield* putPage(cpu, page);
}

/** map_anon_folio_pmd: a huge page that nobody else sees yet becomes reachable, with a table deposited. Under mm.pageTableLock. */
export function* mapHugePage(
  cpu: Cpu,
  mm: Mm,
  pmd: Cell,
  address: number,
  table: Address,
  first: Address,
  vmFlags: number,
): Steps<void> {
  cpu.claim.that(entryNone(cpu.read(pmd)), 'O16', 'a huge page takes the place of what is there');
  for (const page of hugePages(cpu, first)) pageAddNewAnonRmap(cpu, page);
  pgtableDeposit(cpu, pmd, address, table);
  // The zeroes of the pages before the entry. Pairs with the address dependency of who walks to them, the hardware included.
  yield* cpu.smpWmb();
  const entry = maybeMkwrite(pteMkdirty(mkPte(first, vmPageProt(vmFlags) | PSE)), vmFlags);
  yield* setPteAt(cpu, mm, hugeStart(cpu, address), pmd, entry, 1);
  yield* updateMmuCache(cpu, mm, hugeStart(cpu, address), pmd, entry);
}

/** huge_pmd_set_accessed, do_huge_pmd_wp_page. */
function* handleHugePmd(cpu: Cpu, mm: Mm, vma: Vma, pmd: Cell, address: number, write: boolean): Steps<boolean> {
  const vmFlags = cpu.read(vma.flags);
  const start = hugeStart(cpu, address);
  yield* cpu.spinLock(mm.pageTableLock);
  // Under the lock an entry is never taken away for a moment.
  let entry = yield* cpu.readOnce(pmd);
  if (pteProtnone(entry) && (vmFlags & VM_ACCESS_FLAGS) !== 0) {
    // do_huge_pmd_numa_page, without a move: a hint was taken, and the page is there again.
    const restored = pteMkyoung(pteModify(entry, vmPageProt(vmFlags)));
    yield* setPteAt(cpu, mm, start, pmd, restored, 1);
    yield* updateMmuCache(cpu, mm, start, pmd, restored);
    entry = restored;
  }
  const copies = pmdTransHuge(entry) && write && !pteWrite(entry);
  const zero = copies && isHugeZero(cpu, entry);
  const reuse = copies && !zero && (vmFlags & VM_UFFD_WP) === 0 && (yield* canReuseHugePage(cpu, entryTarget(entry)));
  if (pmdTransHuge(entry) && (!copies || reuse)) {
    const young = write ? pteMkdirty(pteMkyoung(entry)) : pteMkyoung(entry);
    yield* upgradeEntry(cpu, mm, start, pmd, entry, reuse ? maybeMkwrite(young, vmFlags) : young, write, 1);
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (!copies || reuse) return true;
  if (zero && cpu.kernel.hugeZeroWrite === 'huge') {
    yield* doHugeZeroWpPmd(cpu, mm, vma, pmd, address);
    return true;
  }
  // Copies are made page by page.
  yield* splitHugePmd(cpu, mm, pmd, address);
  return false;
}

/** Is every page of the row ours alone? */
function* canReuseHugePage(cpu: Cpu, first: Address): Steps<boolean> {
  const exclusive = cpu.kernel.profile.anonReuse === 'exclusive';
  for (const page of hugePages(cpu, first)) {
    if (exclusive && (yield* pageAnonExclusive(cpu, page))) continue;
    if (!(yield* wpCanReuseAnonPage(cpu, page))) return false;
  }
  return true;
}
