/**
 * clear_refs: tracking of what a program writes to (fs/proc/task_mmu.c: clear_refs_write).
 *
 *     clear_refs                                    another CPU
 *     lock mmap_lock for write
 *       pending + 1
 *       each entry: read-only, soft-dirty off       writes through its old entry, without a trace
 *       flush the mm
 *       pending - 1
 *     unlock                                        a write faults, and the fault marks the entry
 *
 * Contract: a write after the return faults. The write lock keeps faults out until the flush, so nobody copies or reuses a page
 * that can still be written; the counter is for those who take PTLs without it (reclaim, KSM, migration). Faults that hold the lock of
 * their VMA only do run in between. That is right, for what was writable is exclusive: such a fault takes the page and copies nothing.
 */
import {
  ACCESSED,
  type Cell,
  type Cpu,
  decTlbFlushPending,
  type Entry,
  entryCell,
  incTlbFlushPending,
  type Mm,
  type MmuGather,
  pageSize,
  ptePresent,
  SOFT_DIRTY,
  type Steps,
  tlbEndPtes,
  tlbEndVma,
  tlbFinishMmu,
  tlbFlushLevelRange,
  tlbGatherMmu,
  tlbStartPtes,
  tlbStartVma,
  type Vma,
  VM_PFNMAP,
  pteClearSoftDirty,
  pteMkold,
  pteWrprotect,
} from '@mmu-gather/core/stepped';
import { EINVAL } from './errno.ts';
import { mmuNotifierEnd, mmuNotifierStart } from './mmu-notifier.ts';
import { pmdTransHuge } from './huge-memory.ts';
import { clearHugePmd } from './huge-walk.ts';
import { vmNormalPage } from './page.ts';
import {
  pmdOffset,
  ptepGet,
  ptepModifyProtCommit,
  ptepModifyProtStart,
  pteOffsetMapLock,
  ptepTestAndClearYoung,
  pteUnmapUnlock,
} from './page-table.ts';
import { walkPageRange } from './pagewalk.ts';
import { flushTlbBatchedPending } from './rmap.ts';
import { vmaLookup, vmasOf } from './vma.ts';
import { mmapWriteUnlock } from './vma-lock.ts';

/** Clear the accessed bits of all pages. */
export const CLEAR_REFS_ALL: number = 1;
/** Clear the soft-dirty bits of all pages, so that the next write to each is noticed. */
export const CLEAR_REFS_SOFT_DIRTY: number = 4;
/** Reset the peak of resident pages; no entry changes. */
export const CLEAR_REFS_MM_HIWATER_RSS: number = 5;

/** clear_refs_write: a write to /proc/PID/clear_refs. @returns 0 or a negative errno */
export function* clearRefsWrite(cpu: Cpu, mm: Mm, type: number): Steps<number> {
  if (![CLEAR_REFS_ALL, CLEAR_REFS_SOFT_DIRTY, CLEAR_REFS_MM_HIWATER_RSS].includes(type)) return -EINVAL;
  yield* cpu.downWrite(mm.mmapLock);
  if (type === CLEAR_REFS_MM_HIWATER_RSS) {
    // The counter is not modelled. As posted, RFC 06 finishes here what it did not begin.
    if (cpu.kernel.profile.clearRefs === 'gather-unpaired') yield* decTlbFlushPending(cpu, mm);
  } else if (cpu.kernel.profile.clearRefs === 'pending-mm') {
    yield* clearPending(cpu, mm, type);
  } else {
    yield* clearGathering(cpu, mm, type);
  }
  yield* mmapWriteUnlock(cpu, mm);
  return 0;
}

/** clear_refs_test_walk: VMAs of frames without struct page are left alone. */
function clearedVmas(cpu: Cpu, mm: Mm): readonly Vma[] {
  return vmasOf(cpu, mm).filter((vma) => (cpu.read(vma.flags) & VM_PFNMAP) === 0);
}

/** 5.11.14 on. Accessed bits need no flush: that a page is used more than it looks costs only a guess of reclaim's. */
function* clearPending(cpu: Cpu, mm: Mm, type: number): Steps<void> {
  const softDirty = type === CLEAR_REFS_SOFT_DIRTY;
  if (softDirty) yield* incTlbFlushPending(cpu, mm);
  if (softDirty) yield* mmuNotifierStart(cpu, mm);
  for (const vma of clearedVmas(cpu, mm)) {
    const visit = (c: Cpu, pmd: Cell, start: number, end: number): Steps<void> =>
      clearPteRange(c, mm, null, pmd, start, end, softDirty);
    yield* walkPageRange(cpu, mm, cpu.read(vma.start), cpu.read(vma.end), visit);
  }
  if (!softDirty) return;
  const { clearRefsNotifierEnd } = cpu.kernel.profile;
  if (clearRefsNotifierEnd === 'before-flush') yield* mmuNotifierEnd(cpu, mm);
  yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
  if (clearRefsNotifierEnd === 'after-flush') yield* mmuNotifierEnd(cpu, mm);
  yield* decTlbFlushPending(cpu, mm);
}

/** With a gather: RFC 06, or 5.11.0, which noted nothing in it. */
function* clearGathering(cpu: Cpu, mm: Mm, type: number): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm);
  const noted = cpu.kernel.profile.clearRefs === 'flush-if-nested' ? null : tlb;
  const softDirty = type === CLEAR_REFS_SOFT_DIRTY;
  if (softDirty) yield* mmuNotifierStart(cpu, mm);
  for (const vma of clearedVmas(cpu, mm)) {
    const visit = (c: Cpu, pmd: Cell, start: number, end: number): Steps<void> =>
      clearPteRange(c, mm, noted, pmd, start, end, softDirty);
    tlbStartVma(cpu, tlb, vma);
    yield* walkPageRange(cpu, mm, cpu.read(vma.start), cpu.read(vma.end), visit);
    yield* tlbEndVma(cpu, tlb);
  }
  const { clearRefsNotifierEnd } = cpu.kernel.profile;
  if (softDirty && clearRefsNotifierEnd === 'before-flush') yield* mmuNotifierEnd(cpu, mm);
  yield* tlbFinishMmu(cpu, tlb, 0, cpu.kernel.taskSize);
  if (softDirty && clearRefsNotifierEnd === 'after-flush') yield* mmuNotifierEnd(cpu, mm);
}

/** clear_refs_pte_range: the entries of a range within one PTE table, under its PTL. @param tlb takes what changed */
function* clearPteRange(
  cpu: Cpu,
  mm: Mm,
  tlb: MmuGather | null,
  pmd: Cell,
  start: number,
  end: number,
  softDirty: boolean,
): Steps<void> {
  const table = yield* pteOffsetMapLock(cpu, pmd);
  if (table === 0) {
    yield* clearHugePmd(cpu, mm, tlb, pmd, start, (pte) => cleared(pte, softDirty), softDirty);
    return;
  }
  if (tlb !== null) {
    // A flush of the whole mm would cover what reclaim has deferred; that of a gather covers what it noted.
    yield* tlbStartPtes(cpu, tlb);
    if (cpu.kernel.profile.helpersSettle) yield* flushTlbBatchedPending(cpu, mm);
  }
  const size = pageSize(cpu.kernel.geometry);
  let pte = entryCell(cpu.kernel.geometry, table, 0, start);
  for (let at = start; at < end; at += size, pte++) {
    const seen = yield* ptepGet(cpu, pte);
    if (!ptePresent(seen)) continue;
    if (!softDirty && ((seen & ACCESSED) === 0 || vmNormalPage(seen) === 0)) continue;
    if (softDirty) yield* clearSoftDirty(cpu, mm, at, pte);
    else yield* ptepTestAndClearYoung(cpu, mm, at, pte, seen);
    if (tlb !== null) tlbFlushLevelRange(tlb, at, size, 0);
  }
  if (tlb !== null) {
    cpu.claim.observed(cpu.read(mm.pgd), { start, end });
    yield* tlbEndPtes(cpu, tlb, table);
  }
  yield* pteUnmapUnlock(cpu, table);
}

/** clear_soft_dirty. */
function* clearSoftDirty(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<void> {
  const old = yield* ptepModifyProtStart(cpu, mm, address, pte);
  yield* ptepModifyProtCommit(cpu, mm, address, pte, old, cleared(old, true));
}

function cleared(pte: Entry, softDirty: boolean): Entry {
  return softDirty ? pteClearSoftDirty(pteWrprotect(pte)) : pteMkold(pte);
}

/** pagemap_read: was the page at an address written to since clear_refs? False if nothing is there. */
export function* pagemapSoftDirty(cpu: Cpu, mm: Mm, address: number): Steps<boolean> {
  yield* cpu.downRead(mm.mmapLock);
  let softDirty = false;
  const pmd = vmaLookup(cpu, mm, address) === null ? 0 : yield* pmdOffset(cpu, mm, address);
  const table = pmd === 0 ? 0 : yield* pteOffsetMapLock(cpu, pmd);
  if (table !== 0) {
    softDirty = ((yield* ptepGet(cpu, entryCell(cpu.kernel.geometry, table, 0, address))) & SOFT_DIRTY) !== 0;
    yield* pteUnmapUnlock(cpu, table);
  } else if (pmd !== 0) {
    const huge = yield* cpu.readOnce(pmd);
    softDirty = pmdTransHuge(huge) && (huge & SOFT_DIRTY) !== 0;
  }
  yield* cpu.upRead(mm.mmapLock);
  return softDirty;
}
