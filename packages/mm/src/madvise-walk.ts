/**
 * MADV_FREE, MADV_COLD and MADV_PAGEOUT: entries stay and lose bits (mm/madvise.c: madvise_free_pte_range,
 * madvise_cold_or_pageout_pte_range); in the same walk MADV_PAGEOUT picks what reclaim is given (pageout.ts).
 *
 *     MADV_FREE                          another CPU                       reclaim
 *     lock PTL; entry := clean; unlock   holds the old entry, dirty
 *     flush                              from here on a write walks again
 *     return                             and sets the dirty bit            clean: drop the page; dirty: keep it
 *
 * If the call returned without that flush, a write through the old entry would leave no trace and be lost (bug B03).
 * Pages that others map are left alone. Locks: mmap_lock for read.
 */
import {
  ACCESSED,
  type Address,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cell,
  type Cpu,
  type Entry,
  entryCell,
  entryTarget,
  getPage,
  type Mm,
  type MmuGather,
  PG_LARGE,
  PG_LAZYFREE,
  pteDirty,
  ptePresent,
  putPage,
  type Steps,
  tlbChangePageSize,
  tlbEndPtes,
  tlbRemoveTlbEntry,
  tlbStartPtes,
  pageSize,
  isMigrationPte,
  isSwapPte,
  pteMkclean,
  pteMkold,
} from '@mmu-gather/core/stepped';
import { mayBeHuge } from './huge-memory.ts';
import { madviseHugePmd } from './huge-walk.ts';
import { pageAnon, pageFlags, pageMapcount, pageMarkLazyfree, pageSplitLarge, vmNormalPage } from './page.ts';
import {
  ptepGet,
  ptepGetAndClear,
  ptepTestAndClearYoung,
  ptlPtr,
  pteOffsetMapLock,
  pteUnmapUnlockLazy,
  setPteAt,
} from './page-table.ts';
import { walkPageRange } from './pagewalk.ts';
import { flushTlbBatchedPending } from './rmap.ts';
import type { Rmap } from './vmscan.ts';

/** What a walk does to pages that nobody else maps. */
export interface Advice {
  /** Their entries become clean, and they may be dropped. */
  readonly free: boolean;
  /** Young entries become old. */
  readonly ages: boolean;
  /** Takes those that reclaim shall have; null if that is not asked for. */
  readonly isolated: Rmap[] | null;
}

const FREE: Advice = { free: true, ages: true, isolated: null };
const COLD: Advice = { free: false, ages: true, isolated: null };

/** madvise_free_single_vma. */
export function madviseFreePageRange(cpu: Cpu, tlb: MmuGather, start: number, end: number): Steps<void> {
  return walkPageRange(cpu, tlb.mm, start, end, (c, pmd, from, to) => clearPteRange(c, tlb, pmd, from, to, FREE));
}

/** madvise_cold_page_range. */
export function madviseColdPageRange(cpu: Cpu, tlb: MmuGather, start: number, end: number): Steps<void> {
  return walkPageRange(cpu, tlb.mm, start, end, (c, pmd, from, to) => clearPteRange(c, tlb, pmd, from, to, COLD));
}

/** The entries of a range within one PTE table lose bits, under its PTL. */
export function* clearPteRange(
  cpu: Cpu,
  tlb: MmuGather,
  pmd: Cell,
  start: number,
  end: number,
  advice: Advice,
): Steps<void> {
  const { free } = advice;
  if (mayBeHuge(cpu, tlb.vma) && (yield* madviseHugePmd(cpu, tlb, pmd, start, end, advice))) return;
  yield* tlbChangePageSize(cpu, tlb, 0);
  const table = yield* pteOffsetMapLock(cpu, pmd);
  if (table === 0) return;
  yield* tlbStartPtes(cpu, tlb);
  yield* flushTlbBatchedPending(cpu, tlb.mm);
  yield* archEnterLazyMmuMode(cpu);
  const size = pageSize(cpu.kernel.geometry);
  let pte = entryCell(cpu.kernel.geometry, table, 0, start);
  for (let at = start; at < end; at += size, pte++) {
    let entry = yield* ptepGet(cpu, pte);
    if (cpu.kernel.profile.madviseSplits && (yield* mapsPart(cpu, entry))) {
      yield* dropPtlToSplit(cpu, tlb, table, entryTarget(entry));
      entry = yield* ptepGet(cpu, pte);
    }
    if (ptePresent(entry)) yield* clearPresentPte(cpu, tlb, pte, entry, at, advice);
    else if (free && isSwapPte(entry) && !isMigrationPte(entry)) yield* freeSwapPte(cpu, tlb.mm, at, pte, entry);
  }
  cpu.claim.observed(cpu.read(tlb.mm.pgd), { start, end });
  yield* tlbEndPtes(cpu, tlb, table);
  yield* pteUnmapUnlockLazy(cpu, table);
}

/** Does an entry map a part of a large folio? */
function* mapsPart(cpu: Cpu, entry: Entry): Steps<boolean> {
  const page = ptePresent(entry) ? vmNormalPage(entry) : 0;
  return page !== 0 && ((yield* pageFlags(cpu, page)) & PG_LARGE) !== 0;
}

/**
 * The next entry maps a part of a large folio, which is split without the PTL. What was changed so far is recorded first: whoever
 * takes the PTL meanwhile must find it (trace T30). mmap_lock keeps the table.
 */
function* dropPtlToSplit(cpu: Cpu, tlb: MmuGather, table: Address, page: Address): Steps<void> {
  const { madviseRelock, madviseDrains } = cpu.kernel.profile;
  const ends = madviseRelock === 'ends-bracket';
  const ptl = ptlPtr(cpu, table);
  yield* getPage(cpu, page);
  if (ends) yield* tlbEndPtes(cpu, tlb, table);
  yield* archLeaveLazyMmuMode(cpu);
  yield* cpu.spinUnlock(ptl);
  yield* pageSplitLarge(cpu, page);
  yield* putPage(cpu, page);
  yield* cpu.spinLock(ptl);
  if (ends) yield* tlbStartPtes(cpu, tlb);
  // Reclaim may have emptied the next entries while nobody held the lock (bug B12).
  if (madviseDrains === 'each-lock') yield* flushTlbBatchedPending(cpu, tlb.mm);
  yield* archEnterLazyMmuMode(cpu);
}

function* clearPresentPte(
  cpu: Cpu,
  tlb: MmuGather,
  pte: Cell,
  seen: Entry,
  address: number,
  { free, ages, isolated }: Advice,
): Steps<void> {
  const page = vmNormalPage(seen);
  if (page === 0 || (yield* pageMapcount(cpu, page)) !== 1) return;
  const { agingFlush } = cpu.kernel.profile;
  const young = ages && (seen & ACCESSED) !== 0;
  const clean = free && pteDirty(seen);
  if (clean || (young && agingFlush === 'always')) {
    const old = yield* ptepGetAndClear(cpu, tlb.mm, address, pte);
    yield* setPteAt(cpu, tlb.mm, address, pte, free ? pteMkclean(pteMkold(old)) : pteMkold(old));
    if (agingFlush !== 'none') tlbRemoveTlbEntry(cpu, tlb, address, 0);
  } else if (young) {
    // A young entry that is cached grants nothing more than the old one in memory.
    yield* ptepTestAndClearYoung(cpu, tlb.mm, address, pte, seen);
  }
  if (free) yield* pageMarkLazyfree(cpu, page);
  if (isolated !== null && (yield* hasPlace(cpu, page))) isolated.push({ page, mm: tlb.mm, address });
}

/** There is no swap space: a page goes to its file, or nowhere if MADV_FREE gave it up. */
function* hasPlace(cpu: Cpu, page: Address): Steps<boolean> {
  return !pageAnon(cpu, page) || ((yield* pageFlags(cpu, page)) & PG_LAZYFREE) !== 0;
}

/** What is swapped out need not come back. */
function* freeSwapPte(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry): Steps<void> {
  yield* setPteAt(cpu, mm, address, pte, 0);
  yield* putPage(cpu, entryTarget(entry));
}
