/**
 * Huge pages of anonymous memory: an entry of level 1 that maps a whole PTE table's worth of pages (mm/huge_memory.c).
 *
 * A huge page is a row of pages; each has counts of its own, as if it were always mapped by itself. Linux keeps one count for
 * the row; what a mapping holds, and what is freed with it, is the same. With each huge entry a PTE table is deposited, so that
 * a split need not allocate. Entries are changed under mm.pageTableLock; what is deferred is recorded in their own table.
 *
 *     split, under the lock                        any CPU
 *     exchange the huge entry by an invalid one    may hold the huge entry; no new one can be cached
 *     flush                                        holds nothing for the range
 *     fill the deposited table; install it         caches small entries
 *
 * Without the flush a CPU could hold entries of both sizes for one address, which processors do not promise to survive (O14).
 * Dirty and accessed bits are those that the exchange brought back: the hardware sets them up to that moment.
 *
 * Huge pages appear in VMAs with VM_HUGEPAGE only, by a write fault or by khugepaged.ts; by a read fault one of zeroes, where the kernel has such a
 * page, which is shared by all and counted by nobody. Hinting faults do not move huge pages, and who looks for one page of a row (reclaim, migration, KSM) splits it first.
 */
import {
  ACCESSED,
  type Address,
  type Cell,
  type Cpu,
  countsLevels,
  type Entry,
  entryClear,
  entryFlags,
  entryIndex,
  entryNone,
  entryPresent,
  entrySize,
  entryTarget,
  getPage,
  mkEntry,
  type Mm,
  type MmuGather,
  Page,
  pteDirty,
  pteWrite,
  PRESENT,
  pageSize,
  PROTNONE,
  PSE,
  putPage,
  type Steps,
  tableDeposit,
  tableEntries,
  tlbChangePageSize,
  tlbEndPtes,
  tlbFlushLevelRange,
  tlbFlushMmu,
  tlbRemovePages,
  tlbRemoveTlbEntry,
  tlbStartPtes,
  type Vma,
  VM_HUGEPAGE,
  VM_NOHUGEPAGE,
  VM_UFFD_WP,
  maybeMkwrite,
  mkPte,
  pteClearUffdWp,
  pteMkclean,
  pteMkdirty,
  pteMkold,
  pteMksoftDirty,
  pteMkspecial,
  pteMkwrite,
  pteMkyoung,
  pteModify,
  pteProtnone,
  pteWrprotect,
  VM_ACCESS_FLAGS,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import type { Advice } from './madvise-walk.ts';
import {
  initRefcount,
  pageAddNewAnonRmap,
  pageAnonExclusive,
  pageDupAnonRmap,
  pageMapcount,
  pageMarkLazyfree,
  pageRemoveRmap,
  wpCanReuseAnonPage,
} from './page.ts';
import {
  newTable,
  pmdOffset,
  pmdPopulate,
  ptepGetAndClear,
  ptepSetWrprotect,
  setPteAt,
  setPteUnlinked,
  updateMmuCache,
} from './page-table.ts';
import { anonPrepare, upgradeEntry } from './vmf.ts';

/** pmd_trans_huge: the entry maps a huge page, or is taken away from one for a moment. */
export function pmdTransHuge(entry: Entry): boolean {
  return (entry & PSE) !== 0;
}

/** May there be huge pages in a VMA? A walker of any other need not look. */
export function mayBeHuge(cpu: Cpu, vma: Vma | null): boolean {
  return vma !== null && (cpu.read(vma.flags) & VM_HUGEPAGE) !== 0;
}

/** Shall a fault make huge pages in a VMA with these flags? */
export function hugeWanted(vmFlags: number): boolean {
  return (vmFlags & (VM_HUGEPAGE | VM_NOHUGEPAGE)) === VM_HUGEPAGE;
}

/** HPAGE_PMD_SIZE: bytes of a huge page. */
export function hugeSize(cpu: Cpu): number {
  return entrySize(cpu.kernel.geometry, 1);
}

/** The pages of a huge page, by the first of them. */
export function hugePages(cpu: Cpu, first: Address): Address[] {
  return Array.from({ length: tableEntries(cpu.kernel.geometry, 0) }, (_, i) => first + i * Page.words);
}

/** The table that an entry of level 1 is in. */
function pmdTable(cpu: Cpu, pmd: Cell, address: number): Address {
  return pmd - entryIndex(cpu.kernel.geometry, 1, address);
}

/** The first address that the huge page around an address maps. */
export function hugeStart(cpu: Cpu, address: number): number {
  return address - (address % hugeSize(cpu));
}

/** transhuge_vma_suitable: does the huge page around an address fit into its VMA? */
export function hugeFits(cpu: Cpu, vma: Vma, address: number): boolean {
  const start = hugeStart(cpu, address);
  return cpu.read(vma.start) <= start && start + hugeSize(cpu) <= cpu.read(vma.end);
}

/** alloc_anon_folio of the largest order: a row of zeroed pages, each with the reference that its mapping will keep. */
export function* allocHugePage(cpu: Cpu): Steps<Address> {
  const first = yield* cpu.alloc('page', tableEntries(cpu.kernel.geometry, 0));
  for (const page of hugePages(cpu, first)) initRefcount(cpu, page);
  return first;
}

/** pgtable_trans_huge_deposit: a table stands ready for the huge entry that is about to appear. Under mm.pageTableLock. */
function pgtableDeposit(cpu: Cpu, pmd: Cell, address: number, table: Address): void {
  const { geometry } = cpu.kernel;
  const list = tableDeposit(geometry, pmdTable(cpu, pmd, address));
  cpu.write(tableDeposit(geometry, table), cpu.read(list));
  cpu.write(list, table);
}

/** pgtable_trans_huge_withdraw. Under mm.pageTableLock. */
function pgtableWithdraw(cpu: Cpu, pmd: Cell, address: number): Address {
  const { geometry } = cpu.kernel;
  const list = tableDeposit(geometry, pmdTable(cpu, pmd, address));
  const table = cpu.read(list);
  cpu.write(list, cpu.read(tableDeposit(geometry, table)));
  return table;
}

/** pmd_mkinvalid: the hardware cannot use it, software still sees a huge page. */
function pmdMkinvalid(entry: Entry): Entry {
  return entryClear(entry, PRESENT | PROTNONE);
}

/** pmdp_invalidate_ad: takes the entry away from the hardware. @returns what it was, with all bits that the hardware set */
function pmdpInvalidateAd(cpu: Cpu, mm: Mm, pmd: Cell, seen: Entry, address: number): Steps<Entry> {
  return cpu.kernel.backend.pte.pmdpEstablish(cpu, mm, hugeStart(cpu, address), pmd, pmdMkinvalid(seen));
}

/** pmdp_invalidate: and from every TLB. Under mm.pageTableLock. */
function* pmdpInvalidate(cpu: Cpu, mm: Mm, pmd: Cell, seen: Entry, address: number): Steps<Entry> {
  const old = yield* pmdpInvalidateAd(cpu, mm, pmd, seen, address);
  yield* flushPmdTlbRange(cpu, mm, address);
  return old;
}

/** flush_pmd_tlb_range. */
function flushPmdTlbRange(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const start = hugeStart(cpu, address);
  return cpu.kernel.backend.flushTlbRange(cpu, mm, start, start + hugeSize(cpu), 1);
}

/** pmdp_huge_get_and_clear_full. Under mm.pageTableLock. */
function pmdpHugeGetAndClearFull(cpu: Cpu, { mm, fullmm }: MmuGather, pmd: Cell, start: number): Steps<Entry> {
  const { pmdpHugeGetAndClear } = cpu.kernel.backend.pte;
  if (pmdpHugeGetAndClear === null || fullmm) return ptepGetAndClear(cpu, mm, start, pmd, 1);
  return pmdpHugeGetAndClear(cpu, mm, start, pmd);
}

// ---- faults ----

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

/** is_huge_zero_pmd. */
function isHugeZero(cpu: Cpu, entry: Entry): boolean {
  const { hugeZeroPage } = cpu.kernel;
  return hugeZeroPage !== 0 && entryTarget(entry) === hugeZeroPage;
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

// ---- split ----

/** split_huge_pmd: from here on the range is mapped by a PTE table, whatever it was before. */
export function* splitHugePmd(cpu: Cpu, mm: Mm, pmd: Cell, address: number): Steps<void> {
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  if (pmdTransHuge(seen)) yield* splitHugePmdLocked(cpu, mm, pmd, seen, address);
  yield* cpu.spinUnlock(mm.pageTableLock);
}

/** __split_huge_zero_page_pmd: nothing leads anywhere until the small entries are there. */
function* splitHugeZero(cpu: Cpu, mm: Mm, pmd: Cell, address: number): Steps<void> {
  const start = hugeStart(cpu, address);
  const old = yield* ptepGetAndClear(cpu, mm, start, pmd, 1);
  yield* flushPmdTlbRange(cpu, mm, address);
  const table = pgtableWithdraw(cpu, pmd, address);
  const entry = mkEntry(cpu.kernel.zeroPage, entryFlags(entryClear(old, PSE)));
  for (let i = 0; i < tableEntries(cpu.kernel.geometry, 0); i++) {
    yield* setPteUnlinked(cpu, mm, start + i * pageSize(cpu.kernel.geometry), table + i, entry);
  }
  yield* pmdPopulate(cpu, pmd, table);
}

/** __split_huge_pmd_locked, for anonymous memory. */
function* splitHugePmdLocked(cpu: Cpu, mm: Mm, pmd: Cell, seen: Entry, address: number): Steps<void> {
  if (isHugeZero(cpu, seen)) {
    yield* splitHugeZero(cpu, mm, pmd, address);
    return;
  }
  const { splitFlush, splitDirty } = cpu.kernel.profile;
  const old = yield* pmdpInvalidateAd(cpu, mm, pmd, seen, address);
  if (splitFlush === 'invalidate') yield* flushPmdTlbRange(cpu, mm, address);
  const source = splitDirty === 'exchanged' ? old : seen;
  const flags = entryFlags(entryClear(source, PSE));
  const table = pgtableWithdraw(cpu, pmd, address);
  const pages = hugePages(cpu, entryTarget(source));
  let at = hugeStart(cpu, address);
  for (let i = 0; i < pages.length; i++, at += pageSize(cpu.kernel.geometry)) {
    yield* setPteUnlinked(cpu, mm, at, table + i, mkEntry(pages[i]!, flags));
  }
  yield* pmdPopulate(cpu, pmd, table);
}

/**
 * What each walker of a range asks first at an entry of level 1: a part of a huge page is split off it.
 * @returns true if a huge page is there and the range covers it as a whole
 */
function* wholeHugePmd(cpu: Cpu, mm: Mm, pmd: Cell, start: number, end: number): Steps<boolean> {
  if (!pmdTransHuge(yield* cpu.readOnce(pmd))) return false;
  if (end - start >= hugeSize(cpu)) return true;
  yield* splitHugePmd(cpu, mm, pmd, start);
  return false;
}

/** pmd_offset for who looks for one page of a VMA, by the reverse map or by its address (TTU_SPLIT_HUGE_PMD): splits a huge page. */
export function* pmdOffsetSplit(cpu: Cpu, mm: Mm, vma: Vma, address: number): Steps<Cell> {
  const pmd = yield* pmdOffset(cpu, mm, address);
  if (pmd !== 0 && mayBeHuge(cpu, vma) && pmdTransHuge(yield* cpu.readOnce(pmd))) {
    yield* splitHugePmd(cpu, mm, pmd, address);
  }
  return pmd;
}

// ---- walkers ----

/** zap_huge_pmd. @returns false if there is no huge page */
export function* zapHugePmd(cpu: Cpu, tlb: MmuGather, pmd: Cell, start: number, end: number): Steps<boolean> {
  const { mm } = tlb;
  if (!(yield* wholeHugePmd(cpu, mm, pmd, start, end))) return false;
  yield* tlbChangePageSize(cpu, tlb, 1);
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  if (!pmdTransHuge(seen)) {
    yield* cpu.spinUnlock(mm.pageTableLock);
    return false;
  }
  // Others find the entry gone without its lock, so what it was must be on record by then. tlb_flush_pending was raised long before.
  const { unlinkTable, deferral } = cpu.kernel.profile;
  const recordFirst = unlinkTable === 'after-record' && (deferral !== 'counter' || countsLevels(cpu));
  yield* tlbStartPtes(cpu, tlb);
  const old = recordFirst
    ? yield* pmdpInvalidateAd(cpu, mm, pmd, seen, start)
    : yield* pmdpHugeGetAndClearFull(cpu, tlb, pmd, start);
  tlbRemoveTlbEntry(cpu, tlb, start, 1);
  yield* tlbEndPtes(cpu, tlb, pmdTable(cpu, pmd, start));
  if (recordFirst) yield* pmdpHugeGetAndClearFull(cpu, tlb, pmd, start);
  const table = pgtableWithdraw(cpu, pmd, start);
  const pages = isHugeZero(cpu, old) ? [] : hugePages(cpu, entryTarget(old));
  for (const page of pages) yield* pageRemoveRmap(cpu, page);
  const full = pages.length > 0 && (yield* tlbRemovePages(cpu, tlb, pages));
  cpu.claim.observed(cpu.read(mm.pgd), { start, end });
  yield* cpu.spinUnlock(mm.pageTableLock);
  // zap_deposited_table: no entry has led to it since it was deposited.
  yield* cpu.free('table', table);
  if (full) yield* tlbFlushMmu(cpu, tlb);
  return true;
}

/** What change_huge_pmd is asked for. */
export interface HugeChange {
  /** The mm. */
  readonly mm: Mm;
  /** The caller's gather; null if it flushes its whole range. */
  readonly tlb: MmuGather | null;
  /** The new vm_page_prot. */
  readonly prot: number;
  /** can_change_pmd_writable: whether an entry may become writable without a fault; null if none may. */
  readonly writable: ((entry: Entry) => Steps<boolean>) | null;
  /** For NUMA hinting: an entry that is away already stays so, and nothing changes. */
  readonly hinting: boolean;
}

/** The exchange of change_huge_pmd. */
function takeAway(cpu: Cpu, mm: Mm, pmd: Cell, seen: Entry, start: number): Steps<Entry> {
  switch (cpu.kernel.profile.hugeProtect) {
    case 'flush':
      return pmdpInvalidate(cpu, mm, pmd, seen, start);
    case 'gather':
      return pmdpInvalidateAd(cpu, mm, pmd, seen, start);
    case 'clear':
      return ptepGetAndClear(cpu, mm, start, pmd, 1);
  }
}

/** change_huge_pmd. @returns how many pages changed; null if there is no huge page */
export function* changeHugePmd(
  cpu: Cpu,
  change: HugeChange,
  pmd: Cell,
  start: number,
  end: number,
): Steps<number | null> {
  const { mm, tlb } = change;
  if (!(yield* wholeHugePmd(cpu, mm, pmd, start, end))) return null;
  if (tlb !== null) yield* tlbChangePageSize(cpu, tlb, 1);
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  const huge = pmdTransHuge(seen);
  const changes = huge && !(change.hinting && pteProtnone(seen));
  if (changes) {
    if (tlb !== null) yield* tlbStartPtes(cpu, tlb);
    const old = yield* takeAway(cpu, mm, pmd, seen, start);
    const changed = pteModify(old, change.prot);
    const writable = change.writable !== null && !pteWrite(changed) && (yield* change.writable(changed));
    const entry = writable ? pteMkwrite(changed) : changed;
    yield* setPteAt(cpu, mm, start, pmd, entry, 1);
    if (tlb !== null) {
      const { profile, backend } = cpu.kernel;
      if (profile.needsFlush === 'always' || backend.hugePmdNeedsFlush(old, entry))
        tlbFlushLevelRange(tlb, start, hugeSize(cpu), 1);
      yield* tlbEndPtes(cpu, tlb, pmdTable(cpu, pmd, start));
      cpu.claim.observed(cpu.read(mm.pgd), { start, end });
    }
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (!huge) return null;
  return changes ? tableEntries(cpu.kernel.geometry, 0) : 0;
}

/**
 * madvise_free_huge_pmd, and the huge part of MADV_COLD and MADV_PAGEOUT. Reclaim, which has no place for so many pages in a row, splits it
 * (in Linux once it has it), and is given the pages one by one.
 * @returns false if there is no huge page, or none any more
 */
export function* madviseHugePmd(
  cpu: Cpu,
  tlb: MmuGather,
  pmd: Cell,
  start: number,
  end: number,
  { free, ages, isolated }: Advice,
): Steps<boolean> {
  const { mm } = tlb;
  // Nobody's page cannot be given up, nor grow old.
  if (cpu.kernel.hugeZeroPage !== 0 && isHugeZero(cpu, yield* cpu.readOnce(pmd))) return true;
  if (!(yield* wholeHugePmd(cpu, mm, pmd, start, end))) return false;
  yield* tlbChangePageSize(cpu, tlb, 1);
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  const huge = pmdTransHuge(seen);
  const alone = huge && (yield* pageMapcount(cpu, entryTarget(seen))) === 1;
  if (alone) {
    if ((ages && (seen & ACCESSED) !== 0) || (free && pteDirty(seen))) {
      yield* tlbStartPtes(cpu, tlb);
      const flushes = free || cpu.kernel.profile.coldHuge === 'flush';
      const old = yield* (flushes ? pmdpInvalidate : pmdpInvalidateAd)(cpu, mm, pmd, seen, start);
      yield* setPteAt(cpu, mm, start, pmd, free ? pteMkclean(pteMkold(old)) : pteMkold(old), 1);
      tlbRemoveTlbEntry(cpu, tlb, start, 1);
      yield* tlbEndPtes(cpu, tlb, pmdTable(cpu, pmd, start));
    }
    if (free) for (const page of hugePages(cpu, entryTarget(seen))) yield* pageMarkLazyfree(cpu, page);
    cpu.claim.observed(cpu.read(mm.pgd), { start, end });
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  const splits = alone && isolated !== null;
  if (splits) yield* splitHugePmd(cpu, mm, pmd, start);
  return huge && !splits;
}

/**
 * clear_soft_dirty_pmd, pmdp_test_and_clear_young: a huge entry loses what `clear` takes from it; nothing if there is none. The whole
 * range is one huge page.
 * @param tlb takes note of it; null if the caller flushes, or nobody need
 * @param flush at once, as the first of the two does
 */
export function* clearHugePmd(
  cpu: Cpu,
  mm: Mm,
  tlb: MmuGather | null,
  pmd: Cell,
  start: number,
  clear: (entry: Entry) => Entry,
  flush: boolean,
): Steps<void> {
  if (!pmdTransHuge(yield* cpu.readOnce(pmd))) return;
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  if (pmdTransHuge(seen)) {
    if (tlb !== null) yield* tlbStartPtes(cpu, tlb);
    const old = yield* pmdpInvalidateAd(cpu, mm, pmd, seen, start);
    if (flush) yield* flushPmdTlbRange(cpu, mm, start);
    yield* setPteAt(cpu, mm, start, pmd, clear(old), 1);
    if (tlb !== null) {
      tlbFlushLevelRange(tlb, start, hugeSize(cpu), 1);
      cpu.claim.observed(cpu.read(mm.pgd), { start, end: start + hugeSize(cpu) });
      yield* tlbEndPtes(cpu, tlb, pmdTable(cpu, pmd, start));
    }
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
}

/**
 * copy_huge_pmd: fork shares the whole page, which it has seen without the lock, read-only on both sides. The caller flushes the parent.
 * @returns false if there is no huge page any more
 */
export function* copyHugePmd(cpu: Cpu, mm: Mm, oldMm: Mm, pmd: Cell, oldPmd: Cell, address: number): Steps<boolean> {
  const table = yield* newTable(cpu, mm);
  yield* cpu.spinLock(mm.pageTableLock);
  yield* cpu.spinLock(oldMm.pageTableLock);
  const old = yield* cpu.readOnce(oldPmd);
  const huge = pmdTransHuge(old);
  if (huge) {
    const pages = isHugeZero(cpu, old) ? [] : hugePages(cpu, entryTarget(old));
    for (const page of pages) {
      yield* getPage(cpu, page);
      yield* pageDupAnonRmap(cpu, page);
    }
    if (pteWrite(old)) yield* ptepSetWrprotect(cpu, oldMm, address, oldPmd, old, 1);
    pgtableDeposit(cpu, pmd, address, table);
    yield* setPteAt(cpu, mm, address, pmd, pteClearUffdWp(pteMkold(pteWrprotect(old))), 1);
  }
  yield* cpu.spinUnlock(oldMm.pageTableLock);
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (huge) return true;
  yield* cpu.free('table', table);
  return false;
}

/**
 * move_huge_pmd: the entry moves with its deposited table, soft-dirty as what move_ptes moves, and the old place is flushed before the
 * lock is dropped. mmap_lock for write. @returns false if there is no huge page
 */
export function* moveHugePmd(cpu: Cpu, mm: Mm, from: number, to: number, oldPmd: Cell, newPmd: Cell): Steps<boolean> {
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(oldPmd);
  const huge = pmdTransHuge(seen);
  if (huge) {
    const old = yield* ptepGetAndClear(cpu, mm, from, oldPmd, 1);
    pgtableDeposit(cpu, newPmd, to, pgtableWithdraw(cpu, oldPmd, from));
    yield* setPteAt(cpu, mm, to, newPmd, pteMksoftDirty(old), 1);
    if (entryPresent(old) && cpu.kernel.profile.movePmd !== 'no-flush') yield* flushPmdTlbRange(cpu, mm, from);
    cpu.claim.moved(cpu.read(mm.pgd), { start: from, end: from + hugeSize(cpu) });
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  return huge;
}
