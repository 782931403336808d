/**
 * Unmapping: entries are cleared under their PTL and noted in a gather; pages are freed after its flush (mm/memory.c).
 *
 *     zapPteRange, for each PTE table:
 *       lock PTL
 *         flushTlbBatchedPending       reclaim may have emptied entries of this table and not flushed them yet
 *         for each entry: clear, note in the gather, drop its rmap, queue its page; stop if another task waits for the CPU
 *         if a dirty file page was met, or the queue is full: flush now
 *       unlock PTL
 *       if flushed: free what is queued; go on where it stopped
 *
 * A dirty file page may not lose its rmap before the flush (trace T9): whoever cleans it would find it unmapped, would not
 * wait for this PTL, and would miss writes through stale entries. That is why the flush stands under the lock.
 *
 * Locks: mmap_lock, at least for read, or the VMA is detached. Claims: the gather saw the range (O10).
 */
import {
  type Address,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cell,
  type Cpu,
  type Entry,
  entryAddrEnd,
  entryCell,
  entryNone,
  entryTarget,
  type Mm,
  type MmuGather,
  pteDirty,
  ptePresent,
  putPage,
  type Steps,
  tlbChangePageSize,
  tlbEndPtes,
  tlbEndVma,
  tlbFlushMmu,
  tlbFlushMmuTlbonly,
  tlbRemovePage,
  tlbRemoveTable,
  tlbRemoveTlbEntry,
  tlbStartPtes,
  tlbStartVma,
  type Vma,
  pageSize,
  tableEntries,
  isMigrationPte,
} from '@mmu-gather/core/stepped';
import { hugeSize, mayBeHuge } from './huge-memory.ts';
import { zapHugePmd } from './huge-walk.ts';
import { pageAnon, pageMarkDirty, pageRemoveRmap, vmNormalPage } from './page.ts';
import { ptepGet, ptepGetAndClearFull, pteOffsetMapLock, pteUnmapUnlock, setPteAt, topLevel } from './page-table.ts';
import { flushTlbBatchedPending } from './rmap.ts';
import { claimWithin } from './vma.ts';

/** unmap_vmas: zaps VMAs as a whole; those that a range cuts were split. Claims that mmap_lock keeps the tables (O16). */
export function* unmapVmas(cpu: Cpu, tlb: MmuGather, vmas: readonly Vma[]): Steps<void> {
  cpu.claim.held(tlb.mm.mmapLock);
  for (const vma of vmas) yield* unmapPageRange(cpu, tlb, vma, cpu.read(vma.start), cpu.read(vma.end), false);
}

/**
 * unmap_page_range: zaps a range within one VMA.
 * @param reclaimPt free PTE tables that the range covers as a whole (zap_details.reclaim_pt), if the profile does that
 * @param evenCows private copies of file pages, and what is swapped out of them, go too (zap_details.even_cows)
 */
export function* unmapPageRange(
  cpu: Cpu,
  tlb: MmuGather,
  vma: Vma,
  start: number,
  end: number,
  reclaimPt: boolean,
  evenCows = true,
): Steps<void> {
  claimWithin(cpu, vma, start, end);
  tlbStartVma(cpu, tlb, vma);
  const reclaim = reclaimPt && cpu.kernel.profile.ptReclaim;
  yield* zapTableRange(cpu, tlb, cpu.read(tlb.mm.pgd), topLevel(cpu), start, end, reclaim, evenCows);
  yield* tlbEndVma(cpu, tlb);
}

/** zap_p4d_range, zap_pud_range, zap_pmd_range: absent tables are skipped as a whole. */
function* zapTableRange(
  cpu: Cpu,
  tlb: MmuGather,
  table: Address,
  level: number,
  start: number,
  end: number,
  reclaim: boolean,
  evenCows: boolean,
): Steps<void> {
  const geometry = cpu.kernel.geometry;
  let cell = entryCell(geometry, table, level, start);
  for (let at = start; at < end; cell++) {
    const next = entryAddrEnd(geometry, level, at, end);
    if (level === 1) {
      const huge = mayBeHuge(cpu, tlb.vma) && (yield* zapHugePmd(cpu, tlb, cell, at, next));
      if (!huge) yield* zapPteRange(cpu, tlb, cell, at, next, reclaim, evenCows);
    } else {
      const entry = yield* cpu.readOnce(cell);
      if (!entryNone(entry)) yield* zapTableRange(cpu, tlb, entryTarget(entry), level - 1, at, next, reclaim, evenCows);
    }
    at = next;
  }
}

/** A dirty file page was cleared: flush before the PTL is dropped. */
const FORCE_FLUSH = 1;
/** The queue of pages is full: flush, and go on behind this entry. */
const FORCE_BREAK = 2;

/** zap_pte_range: the entries of a range within one PTE table. */
function* zapPteRange(
  cpu: Cpu,
  tlb: MmuGather,
  pmd: Cell,
  start: number,
  end: number,
  reclaim: boolean,
  evenCows: boolean,
): Steps<void> {
  const geometry = cpu.kernel.geometry;
  const size = pageSize(geometry);
  const root = cpu.read(tlb.mm.pgd);
  const whole = reclaim && end - start >= hugeSize(cpu);
  // zap_pmd_range looks here on every architecture; what it finds shows only where pages of two sizes are not gathered together.
  if (cpu.kernel.backend.gatherPageSize && entryNone(yield* cpu.readOnce(pmd))) {
    cpu.claim.observed(root, { start, end });
    return;
  }
  yield* tlbChangePageSize(cpu, tlb, 0);
  let at = start;
  while (at < end) {
    const table = yield* pteOffsetMapLock(cpu, pmd);
    if (table === 0) {
      cpu.claim.observed(root, { start: at, end });
      return;
    }
    yield* tlbStartPtes(cpu, tlb);
    yield* flushTlbBatchedPending(cpu, tlb.mm);
    yield* archEnterLazyMmuMode(cpu);
    const dirty: Address[] = [];
    const from = at;
    let force = 0;
    let pte = entryCell(geometry, table, 0, at);
    for (; at < end && (force & FORCE_BREAK) === 0; at += size, pte++) {
      const entry = yield* ptepGet(cpu, pte);
      if (entryNone(entry) || (!evenCows && isCopy(cpu, entry))) continue;
      if (cpu.kernel.needResched?.(cpu.id) === true) break;
      if (ptePresent(entry)) force |= yield* zapPresentPte(cpu, tlb, pte, entry, at, dirty);
      else yield* zapNonpresentPte(cpu, tlb.mm, at, pte, entry);
    }
    // Others find the table gone without its lock, so what was cleared in it must be on record by then.
    const { unlinkTable, ptReclaimUnlink } = cpu.kernel.profile;
    const recordFirst = unlinkTable === 'after-record';
    const leaveFirst = ptReclaimUnlink === 'after-section';
    if (leaveFirst) yield* archLeaveLazyMmuMode(cpu);
    let unlinked = false;
    if (recordFirst) yield* tlbEndPtes(cpu, tlb, table);
    if (whole && at >= end) unlinked = yield* tryGetAndClearPmd(cpu, pmd, table, from > start);
    if (!recordFirst) yield* tlbEndPtes(cpu, tlb, table);
    if (!leaveFirst) yield* archLeaveLazyMmuMode(cpu);
    if (force !== 0) {
      yield* tlbFlushMmuTlbonly(cpu, tlb);
      for (const page of dirty) yield* pageRemoveRmap(cpu, page);
    }
    cpu.claim.observed(root, { start: from, end: at });
    yield* pteUnmapUnlock(cpu, table);
    if (force !== 0) yield* tlbFlushMmu(cpu, tlb);
    if (unlinked) yield* tlbRemoveTable(cpu, tlb, table, start, 0);
  }
}

/** should_zap_cows, should_zap_folio: is it a private copy of a file's page, in memory or swapped out? A swap entry names its page, too. */
function isCopy(cpu: Cpu, entry: Entry): boolean {
  const page = vmNormalPage(entry);
  return page !== 0 && pageAnon(cpu, page);
}

/**
 * zap_present_ptes. The exchange says whether the page is dirty; up to it the hardware may still set the bit.
 * @param dirty takes pages whose rmap goes after the flush (delayed rmap, 6.2 on)
 */
function* zapPresentPte(
  cpu: Cpu,
  tlb: MmuGather,
  pte: Cell,
  seen: Entry,
  address: number,
  dirty: Address[],
): Steps<number> {
  const entry = yield* ptepGetAndClearFull(cpu, tlb.mm, address, pte, seen, tlb.fullmm);
  tlbRemoveTlbEntry(cpu, tlb, address, 0);
  const page = vmNormalPage(entry);
  if (page === 0) return 0;
  let force = 0;
  let delayed = false;
  if (pteDirty(entry) && !pageAnon(cpu, page)) {
    const { backend, profile } = cpu.kernel;
    yield* pageMarkDirty(cpu, page);
    // tlb_delay_rmap: only a page that the gather keeps.
    delayed = profile.delayedRmap && backend.gathersPages;
    if (delayed || (!profile.delayedRmap && profile.zapDirtyFlush === 'under-lock')) force = FORCE_FLUSH;
  }
  if (delayed) dirty.push(page);
  else yield* pageRemoveRmap(cpu, page);
  return (yield* tlbRemovePage(cpu, tlb, page)) ? FORCE_FLUSH | FORCE_BREAK : force;
}

/** zap_nonpresent_ptes: swap and migration entries; no TLB holds them. */
function* zapNonpresentPte(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry): Steps<void> {
  yield* setPteAt(cpu, mm, address, pte, 0);
  // The page of a migration entry belongs to the migration, that of a swap entry to the slot.
  if (!isMigrationPte(entry)) yield* putPage(cpu, entryTarget(entry));
}

/**
 * try_get_and_clear_pmd, try_to_free_pte (mm/pt_reclaim.c): unlinks the PTE table that was just emptied. PTL held; the lock of the upper
 * table, which Linux takes, too, has nothing to do here: who puts a table in looks for none there, and whoever takes one out takes its PTL.
 * @param recheck the PTL was dropped on the way, so faults may have filled entries again
 * @returns true if the table is unlinked; the caller puts it into the gather
 */
function* tryGetAndClearPmd(cpu: Cpu, pmd: Cell, table: Address, recheck: boolean): Steps<boolean> {
  if (recheck) {
    const entries = tableEntries(cpu.kernel.geometry, 0);
    for (let i = 0; i < entries; i++) if (!entryNone(yield* ptepGet(cpu, table + i))) return false;
  }
  yield* cpu.writeOnce(pmd, 0);
  return true;
}
