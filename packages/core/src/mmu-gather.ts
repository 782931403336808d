/**
 * mmu_gather: unhook, then invalidate, then free (include/asm-generic/tlb.h, mm/mmu_gather.c).
 *
 *     tlb = tlbGatherMmu(cpu, mm)                    pending + 1
 *       lock PTL; clear entry                        mapping gone in memory, maybe cached by any CPU
 *       tlbRemoveTlbEntry(tlb, address, level)       hull and level of what was cleared
 *       tlbRemovePage(cpu, tlb, page)                the page must outlive the flush
 *       unlock PTL
 *       clear upper entry; tlbRemoveTable(...)       the same for page-table pages: freed_tables
 *     tlbFinishMmu(cpu, tlb)                         invalidate, free, pending - 1
 *
 * A gather is private to the CPU that opened it: a plain object, never shared. Freeing before `tlbFlushMmuTlbonly` is never
 * legal, unless each change of an entry has purged it (Backend.gathersPages). A gather that finds another one open cannot know what that one has cleared and not yet flushed, see
 * nested-finish.ts.
 */
import type { Cpu } from './cpu.ts';
import { deferralOf } from './deferral/index.ts';
import { deadMmNeedsNoFlush } from './fullmm.ts';
import { NO_GENERATION } from './generation.ts';
import { tlbAdjustRange, tlbFlushLevelRange, tlbResetRange, type Touched } from './gather-range.ts';
import { pageSize } from './geometry.ts';
import { countsLevels, uncountLevels } from './level-counters.ts';
import { type Mm, type Vma, VM_PFNMAP } from './mm.ts';
import { putPage } from './page.ts';
import { forceNestedFlush, looksAtPending } from './nested-finish.ts';
import { freedUnflushed, freeTables, tableCapacity, tlbRemoveTableOne } from './table-free.ts';
import {
  closeAlone,
  awaitEpoch,
  epochToAwait,
  joinEpoch,
  leaveEpoch,
  NO_EPOCH,
  NO_WAIT,
  openAlone,
} from './sync-finish.ts';
import { lowerPending, mmTlbFlushNested } from './tlb-flush-pending.ts';
import type { Steps } from './steps.ts';
import type { Address } from './struct.ts';

/** {@link MmuGather.pageLevel} of a gather that has not been told. */
export const NO_PAGE_SIZE: number = -1;

/** Deferred invalidation and freeing of one operation on one mm (struct mmu_gather). */
export interface MmuGather {
  /** The mm whose entries are cleared. */
  readonly mm: Mm;
  /** First touched address; with {@link MmuGather.end} the hull. */
  start: number;
  /** First address past what was touched; 0 when nothing is recorded (the maximum if fullmm). */
  end: number;
  /** The whole mm: it dies (exit, exec), or a nested finish says so. */
  fullmm: boolean;
  /** The mm dies: nobody will run it again. Unlike {@link MmuGather.fullmm} never true of a live one. */
  readonly exiting: boolean;
  /** The architecture asks for everything, whatever the range. */
  needFlushAll: boolean;
  /** A page-table page was unlinked since the last flush: walk caches and lazy CPUs matter. */
  freedTables: boolean;
  /** Bit n: leaf entries of level n were cleared (cleared_ptes, cleared_pmds, ...). */
  cleared: number;
  /**
   * Level of the pages that are recorded (page_size): 0 for base pages, {@link NO_PAGE_SIZE} if nobody said: in the gathers that the RFC of
   * 2021 puts where there were none.
   */
  pageLevel: number;
  /** The VMA between tlb_start_vma and tlb_end_vma (RFC 12); null outside. */
  vma: Vma | null;
  /** What was noted may map pages without struct page: the current VMA's, or (`pfnmapFlush: 'unlink'`) that of any since the last flush. */
  vmaPfn: boolean;
  /** What was changed since tlb_start_ptes (RFC 15: cleared_ptes_in_table); null before, behind tlb_end_ptes, and where nobody asks (deferral/scheme.ts). */
  bracket: Touched | null;
  /** Generation of the newest deferral (RFC 15: tlb.defer_gen); 0 if none was recorded. */
  deferGen: number;
  /** An entry was noted that no generation in {@link MmuGather.deferGen} covers yet. */
  untracked: boolean;
  /** The epoch that it joined (sync-finish.ts). */
  readonly epoch: number;
  /** Bit n: this gather is counted among those that cleared level n (level-counters.ts). */
  counted: number;
  /** Pages to free after the flush. */
  pages: Address[];
  /** Room that they take in batches: a row of pages takes that of one. */
  batched: number;
  /** Page-table pages to free after the flush. */
  tables: Address[];
}

/** @param alone nobody may wait for it (sync-finish.ts) */
function* gather(cpu: Cpu, mm: Mm, fullmm: boolean, alone: boolean): Steps<MmuGather> {
  const epoch = alone ? NO_EPOCH : yield* joinEpoch(cpu, mm);
  const tlb: MmuGather = {
    mm,
    start: 0,
    end: 0,
    fullmm,
    exiting: fullmm,
    needFlushAll: false,
    freedTables: false,
    cleared: 0,
    pageLevel: NO_PAGE_SIZE,
    vma: null,
    vmaPfn: false,
    bracket: null,
    deferGen: NO_GENERATION,
    untracked: false,
    epoch,
    counted: 0,
    pages: [],
    batched: 0,
    tables: [],
  };
  tlbResetRange(cpu, tlb);
  if (alone) yield* openAlone(cpu, mm);
  yield* cpu.atomicAdd(mm.tlbFlushPending, 1);
  return tlb;
}

/**
 * tlb_gather_mmu: opens a gather on a live mm.
 * @param alone it takes other locks than PTLs while it is open, so that nobody may wait for it (sync-finish.ts)
 */
export function tlbGatherMmu(cpu: Cpu, mm: Mm, alone = false): Steps<MmuGather> {
  return gather(cpu, mm, false, alone);
}

/** tlb_gather_mmu_fullmm: opens a gather on an mm that nobody will run again. */
export function tlbGatherMmuFullmm(cpu: Cpu, mm: Mm): Steps<MmuGather> {
  return gather(cpu, mm, true, true);
}

/**
 * tlb_change_page_size: what is recorded from here on is of another level. Where an invalidation drops pages of one size only
 * (MMU_GATHER_PAGE_SIZE), what was recorded so far is flushed. Not under a PTL.
 */
export function* tlbChangePageSize(cpu: Cpu, tlb: MmuGather, level: number): Steps<void> {
  const changes = tlb.pageLevel !== NO_PAGE_SIZE && tlb.pageLevel !== level;
  if (changes && cpu.kernel.backend.gatherPageSize && !tlb.fullmm && !tlb.needFlushAll) yield* tlbFlushMmu(cpu, tlb);
  tlb.pageLevel = level;
}

/** tlb_start_vma. */
export function tlbStartVma(cpu: Cpu, tlb: MmuGather, vma: Vma): void {
  cpu.claim.that(tlb.vma === null, 'O16', 'tlb_start_vma between tlb_start_vma and tlb_end_vma');
  tlb.vma = vma;
  const pfn = (cpu.read(vma.flags) & VM_PFNMAP) !== 0;
  tlb.vmaPfn = pfn || (cpu.kernel.profile.pfnmapFlush === 'unlink' && tlb.vmaPfn);
}

/** tlb_end_vma. */
export function* tlbEndVma(cpu: Cpu, tlb: MmuGather): Steps<void> {
  tlb.vma = null;
  if (tlb.fullmm) return;
  const { mergeVmas, pfnmapFlush } = cpu.kernel.profile;
  if (!mergeVmas || (pfnmapFlush === 'vma-end' && tlb.vmaPfn)) yield* tlbFlushMmuTlbonly(cpu, tlb);
}

/**
 * tlb_free_vmas: VMAs are about to be unlinked. A driver may reuse page frames as soon as it cannot find the VMA any more, so they are
 * flushed before.
 */
export function* tlbFreeVmas(cpu: Cpu, tlb: MmuGather): Steps<void> {
  if (tlb.fullmm || cpu.kernel.profile.pfnmapFlush !== 'unlink') return;
  if (tlb.vmaPfn) yield* tlbFlushMmuTlbonly(cpu, tlb);
}

/** tlb_remove_tlb_entry and its sisters: a present entry of a level was cleared. After the write, under its PTL. */
export function tlbRemoveTlbEntry(cpu: Cpu, tlb: MmuGather, address: number, level: number): void {
  tlbFlushLevelRange(tlb, address, cpu.kernel.entrySizes[level]!, level);
}

/** Pages that fit before the gather must flush. */
export function gatherCapacity(cpu: Cpu): number {
  const { bundle, batch, batches, spare } = cpu.kernel.profile.gatherBatch;
  return bundle - spare + batches * (batch - spare);
}

/** What was queued takes a place in the batch. @returns true if that was the last one */
function takesPlace(cpu: Cpu, tlb: MmuGather): boolean {
  const capacity = gatherCapacity(cpu);
  cpu.claim.that(tlb.end !== 0, 'O16', 'a page was queued and no entry recorded');
  cpu.claim.that(tlb.batched < capacity, 'O16', 'a page was queued in a gather that is full');
  return ++tlb.batched >= capacity;
}

/**
 * __tlb_remove_page: queues a page whose entry was just recorded. Where the change of the entry has purged it everywhere already
 * (MMU_GATHER_NO_GATHER), the page is freed at once: its rmap must be gone.
 * @returns true if the gather is full: the caller must call {@link tlbFlushMmu} once it has dropped the PTL.
 */
export function* tlbRemovePage(cpu: Cpu, tlb: MmuGather, page: Address): Steps<boolean> {
  if (!cpu.kernel.backend.gathersPages) {
    yield* putPage(cpu, page);
    return false;
  }
  tlb.pages.push(page);
  return takesPlace(cpu, tlb);
}

/** tlb_remove_page_size, __tlb_remove_folio_pages: all pages of a huge one, which take one place. See {@link tlbRemovePage}. */
export function* tlbRemovePages(cpu: Cpu, tlb: MmuGather, pages: readonly Address[]): Steps<boolean> {
  if (!cpu.kernel.backend.gathersPages) {
    for (const page of pages) yield* putPage(cpu, page);
    return false;
  }
  tlb.pages.push(...pages);
  return takesPlace(cpu, tlb);
}

/**
 * p?d_free_tlb and tlb_remove_table: a table of `level` was unlinked from the entry that maps `address`; its page is freed
 * after the flush. The hull takes one page at the table's first address: a one-page invalidation drops the whole walk path.
 */
export function* tlbRemoveTable(cpu: Cpu, tlb: MmuGather, table: Address, address: number, level: number): Steps<void> {
  tlbNoteTable(cpu, tlb, address);
  if (level + 1 < cpu.kernel.geometry.bits.length) tlb.cleared |= 1 << (level + 1);
  const { tableFreed } = cpu.kernel.backend;
  if (tableFreed !== null) yield* tableFreed(cpu, tlb);
  if (yield* freedUnflushed(cpu, tlb)) {
    yield* cpu.free('table', table);
    return;
  }
  const { tableBatchFails, tableRemoveOne } = cpu.kernel.profile;
  if (tlb.tables.length === 0 && tableBatchFails && (yield* cpu.mayFail()) !== 0) {
    if (tableRemoveOne !== 'unflushed') yield* tlbFlushMmuTlbonly(cpu, tlb);
    yield* tlbRemoveTableOne(cpu, table);
    return;
  }
  cpu.claim.that(tlb.tables.length < tableCapacity(cpu), 'O16', 'a table was queued in a batch that is full');
  tlb.tables.push(table);
  if (tlb.tables.length >= tableCapacity(cpu)) {
    yield* tlbFlushMmuTlbonly(cpu, tlb);
    yield* tlbTableFlush(cpu, tlb);
  }
}

/**
 * What p?d_free_tlb notes of any table, and all that p4d_free_tlb does of a level that is folded at run time: there is no table, but the
 * gather takes note as if there were (seen on 6.18).
 */
export function tlbNoteTable(cpu: Cpu, tlb: MmuGather, address: number): void {
  tlbAdjustRange(tlb, address, pageSize(cpu.kernel.geometry));
  tlb.freedTables = true;
}

/** tlb_flush_mmu_tlbonly: invalidates what was recorded; nothing if nothing was. Legal under a PTL. */
export function* tlbFlushMmuTlbonly(cpu: Cpu, tlb: MmuGather): Steps<void> {
  if (!tlb.freedTables && tlb.cleared === 0 && !tlb.needFlushAll) return;
  if (!deadMmNeedsNoFlush(cpu, tlb)) yield* deferralOf(cpu).flush(cpu, tlb);
  tlbResetRange(cpu, tlb);
  // Nothing is noted now. In Linux, too, a flush in the middle of a VMA forgets it; what is special fills no batch of pages.
  if (cpu.kernel.profile.pfnmapFlush === 'unlink') tlb.vmaPfn = false;
}

/** tlb_table_flush: hands the batch on to be freed (table-free.ts). Only after {@link tlbFlushMmuTlbonly}. */
function tlbTableFlush(cpu: Cpu, tlb: MmuGather): Steps<void> {
  const tables = tlb.tables;
  tlb.tables = [];
  return freeTables(cpu, tables);
}

/** tlb_flush_mmu_free: tables first, then pages. Only after {@link tlbFlushMmuTlbonly}. */
function* tlbFlushMmuFree(cpu: Cpu, tlb: MmuGather): Steps<void> {
  if (tlb.tables.length > 0) yield* tlbTableFlush(cpu, tlb);
  const pages = tlb.pages;
  tlb.pages = [];
  tlb.batched = 0;
  for (const page of pages) yield* putPage(cpu, page);
}

/** tlb_flush_mmu: invalidate, then free. Not under a PTL. */
export function* tlbFlushMmu(cpu: Cpu, tlb: MmuGather): Steps<void> {
  if (cpu.kernel.profile.freePages === 'before-flush') {
    yield* tlbFlushMmuFree(cpu, tlb);
    yield* tlbFlushMmuTlbonly(cpu, tlb);
    return;
  }
  yield* tlbFlushMmuTlbonly(cpu, tlb);
  yield* tlbFlushMmuFree(cpu, tlb);
}

/**
 * tlb_finish_mmu: flushes, frees, and lowers the pending counter, in this order.
 * When it returns, every absence or demotion that this gather saw under a PTL is flushed (oracle O10): by its own forced flush, or by
 * others for whom it waits.
 * @param start first address of the operation; used only by the nested forms that flush a range
 * @param end first address past it
 */
export function* tlbFinishMmu(cpu: Cpu, tlb: MmuGather, start: number, end: number): Steps<void> {
  const { mm } = tlb;
  const { finishSync } = cpu.kernel.profile;
  cpu.claim.that(tlb.vma === null, 'O16', 'a gather ends between tlb_start_vma and tlb_end_vma');
  cpu.claim.that(tlb.bracket === null, 'O16', 'a gather ends between tlb_start_ptes and tlb_end_ptes');
  let awaited = NO_WAIT;
  if (!looksAtPending(cpu)) {
    yield* forceNestedFlush(cpu, tlb, start, end);
  } else if (yield* mmTlbFlushNested(cpu, mm)) {
    if (finishSync === 'epoch') awaited = yield* epochToAwait(cpu, mm, tlb.epoch);
    const waits = finishSync === 'counter' || finishSync === 'wait-first' || awaited !== NO_WAIT;
    if (!waits) yield* forceNestedFlush(cpu, tlb, start, end);
  }
  yield* flushAndClose(cpu, tlb);
  if (finishSync === 'counter') yield* cpu.waitFor(mm.tlbFlushPending, 'equal', 0);
  yield* awaitEpoch(cpu, mm, awaited);
  cpu.claim.finished();
}

/** The gather's own flush, and the end of what it was counted in. */
function* flushAndClose(cpu: Cpu, tlb: MmuGather): Steps<void> {
  const { mm } = tlb;
  const { decPending, levelDec, finishSync } = cpu.kernel.profile;
  if (decPending === 'before-flush') yield* closeGather(cpu, tlb);
  if (countsLevels(cpu) && levelDec === 'before-flush') yield* uncountLevels(cpu, tlb);
  yield* tlbFlushMmu(cpu, tlb);
  if (finishSync === 'wait-first') yield* cpu.waitFor(mm.tlbFlushPending, 'equal', 1);
  if (decPending === 'after-flush') yield* closeGather(cpu, tlb);
  if (countsLevels(cpu) && levelDec === 'after-flush') yield* uncountLevels(cpu, tlb);
}

/** dec_tlb_flush_pending of a gather. */
function* closeGather(cpu: Cpu, tlb: MmuGather): Steps<void> {
  yield* lowerPending(cpu, tlb.mm);
  if (tlb.epoch !== NO_EPOCH) yield* leaveEpoch(cpu, tlb.mm, tlb.epoch);
  else yield* closeAlone(cpu, tlb.mm);
}
