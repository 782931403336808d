/**
 * Reclaim's deferred flushes, and the flush that single-entry changes do (mm/rmap.c, mm/pgtable-generic.c).
 *
 *     reclaim, many pages of many mms            anybody else under the same PTL
 *     lock PTL
 *       clear entry
 *       batch |= CPUs of the mm
 *       mm.tlbFlushBatched: one more pending
 *     unlock PTL
 *                                                lock PTL; entry is none
 *                                                flushTlbBatchedPending: flush the mm if pending
 *                                                so "none" means "not cached"
 *     tryToUnmapFlush: flush all of the batch
 *     free the pages
 */
import {
  type Address,
  type Cpu,
  type Entry,
  type Mm,
  PG_DIRTY,
  PG_LAZYFREE,
  type PteAt,
  pteDirty,
  pteTlbFlushPending,
  putPage,
  type Steps,
  type TlbBatch,
  tlbUpdateGeneration,
  mkSwapPte,
  pteProtnone,
} from '@mmu-gather/core/stepped';
import { batchNoteGeneration, flushBatchGenerations, settleBatched } from './batch-generations.ts';
import {
  pageAnon,
  pageClearLazyfree,
  pageFlags,
  pageMarkDirty,
  pageRefcount,
  pageRemoveRmap,
  pageShareAnonRmap,
} from './page.ts';
import { ptepGet, ptepGetAndClear, pteUnmapUnlock, setPteAt } from './page-table.ts';
import { lockPteAtSplit, mapsPage } from './page-vma-mapped.ts';
import { vmaLookup } from './vma.ts';

/** TLB_FLUSH_BATCH_FLUSHED_SHIFT: the flushed count stands above the pending count. */
const FLUSHED = 1 << 16;
/** TLB_FLUSH_BATCH_PENDING_MASK. */
const PENDING_MASK = 0x7fff;

/**
 * pte_accessible: may some TLB hold this entry? A PROTNONE entry was accessible a moment ago; while a flush is pending for
 * the mm, that moment may not be over (3.13 on; without: bug B06, trace T12).
 */
export function* pteAccessible(cpu: Cpu, at: PteAt, entry: Entry): Steps<boolean> {
  if (cpu.kernel.backend.pteAccessible(entry)) return true;
  if (!pteProtnone(entry) || !cpu.kernel.profile.accessiblePending) return false;
  return yield* pteTlbFlushPending(cpu, at);
}

/** ptep_clear_flush: under the PTL; when it returns no TLB holds the entry. Claims that where it does not flush (O9). */
export function* ptepClearFlush(cpu: Cpu, at: PteAt): Steps<Entry> {
  const { ptepClearFlush: clearFlush } = cpu.kernel.backend.pte;
  if (clearFlush !== null) {
    const cleared = yield* clearFlush(cpu, at.mm, at.address, at.pte);
    cpu.claim.settled(cpu.read(at.mm.pgd), at.address);
    return cleared;
  }
  const entry = yield* ptepGetAndClear(cpu, at.mm, at.address, at.pte);
  const asked = cpu.kernel.profile.accessibleEntry === 'slot' ? yield* ptepGet(cpu, at.pte) : entry;
  if (yield* pteAccessible(cpu, at, asked)) yield* cpu.kernel.backend.flushTlbPage(cpu, at.mm, at.address);
  else cpu.claim.settled(cpu.read(at.mm.pgd), at.address);
  return entry;
}

/** A batch of deferred flushes (current->tlb_ubc): private to the reclaiming task. */
export function tlbBatch(): TlbBatch {
  return { cpumask: 0, writable: false, flushRequired: false, gens: new Map() };
}

/** should_defer_flush: it pays only if another CPU would have to be interrupted. */
export function* shouldDeferFlush(cpu: Cpu, mm: Mm): Steps<boolean> {
  if (!cpu.kernel.profile.reclaimBatch) return false;
  return yield* cpu.kernel.backend.tlbbatchShouldDefer(cpu, mm);
}

/** set_tlb_ubc_flush_pending: defers the flush of an entry that was just cleared. Under its PTL. */
export function* setTlbUbcFlushPending(cpu: Cpu, batch: TlbBatch, at: PteAt, entry: Entry): Steps<void> {
  const { mm, address } = at;
  if (!(yield* pteAccessible(cpu, at, entry))) {
    cpu.claim.settled(cpu.read(mm.pgd), address);
    return;
  }
  const gen = yield* cpu.kernel.backend.tlbbatchAddPending(cpu, batch, mm, address);
  batch.flushRequired = true;
  // A dirty entry may be cached as writable and dirty: writes through it must end before the page is written out.
  if (pteDirty(entry)) batch.writable = true;
  switch (cpu.kernel.profile.batchedPending) {
    case 'none':
      return;
    case 'flag':
      yield* cpu.writeOnce(mm.tlbFlushBatched, 1);
      return;
    case 'counters':
      yield* incBatchedPending(cpu, mm);
      return;
    case 'two-words':
      yield* cpu.atomicAdd(mm.tlbFlushBatched, 1);
      return;
    case 'generation':
      yield* batchNoteGeneration(cpu, batch, at, gen);
      return;
    case 'cpumask':
      // The backend has put the CPUs of the mm into the mask.
      return;
  }
}

/** The pending count never wraps around to the flushed one: both start anew before. */
function* incBatchedPending(cpu: Cpu, mm: Mm): Steps<void> {
  let batched = yield* cpu.readOnce(mm.tlbFlushBatched);
  while ((batched & PENDING_MASK) > cpu.kernel.profile.batchedLarge) {
    const old = yield* cpu.cmpxchg(mm.tlbFlushBatched, batched, 1);
    if (old === batched) return;
    batched = old;
  }
  yield* cpu.atomicAdd(mm.tlbFlushBatched, 1);
}

/**
 * flush_tlb_batched_pending: under a PTL, before an empty entry of its table is taken to mean that nothing is cached.
 *
 * The flag (up to 5.16) is cleared after the flush, and takes with it what reclaim set meanwhile under another PTL (trace T7).
 * The counters (5.17 on) only note what was pending before the flush; if more came, they stay apart. They start anew when the
 * pending one is large, and then may look as they did before the flush (trace T26):
 *
 *     CPU 0                                  CPU 1 (reclaim, another PTL)
 *     read pending 5, flushed 0
 *     flush
 *                                            many deferrals: pending > LARGE, start anew at 1, up to 5
 *     5, 0 as before: flushed := 5           these five are not flushed
 *
 * In two words of 64 bits nothing starts anew, so a number of deferrals means the same ones for ever. What is counted was
 * cleared before; what is not counted yet stands under another PTL.
 */
export function* flushTlbBatchedPending(cpu: Cpu, mm: Mm): Steps<void> {
  const form = cpu.kernel.profile.batchedPending;
  if (form === 'none') return;
  if (form === 'generation') {
    yield* settleBatched(cpu, mm);
    return;
  }
  if (form === 'cpumask') {
    // CPUs of other mms in it, and such as have switched since, cost a flush.
    const mask = yield* cpu.readOnce(cpu.kernel.batchedCpumask);
    if ((mask & (yield* cpu.readOnce(mm.cpumask))) !== 0) yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
    return;
  }
  const batched = yield* cpu.readOnce(mm.tlbFlushBatched);
  if (form === 'two-words') {
    if ((yield* cpu.readOnce(mm.tlbFlushBatchedDone)) >= batched) return;
    yield* archFlushTlbBatchedPending(cpu, mm);
    yield* tlbUpdateGeneration(cpu, mm.tlbFlushBatchedDone, batched);
    return;
  }
  if (form === 'flag') {
    if (batched === 0) return;
    yield* archFlushTlbBatchedPending(cpu, mm);
    yield* cpu.writeOnce(mm.tlbFlushBatched, 0);
    return;
  }
  const pending = batched & PENDING_MASK;
  if (pending === Math.floor(batched / FLUSHED)) return;
  yield* archFlushTlbBatchedPending(cpu, mm);
  yield* cpu.cmpxchg(mm.tlbFlushBatched, batched, pending + pending * FLUSHED);
}

/** arch_flush_tlb_batched_pending, where the architecture has one. */
function archFlushTlbBatchedPending(cpu: Cpu, mm: Mm): Steps<void> {
  const { backend } = cpu.kernel;
  return backend.flushTlbBatchedPending === null
    ? backend.flushTlbMm(cpu, mm)
    : backend.flushTlbBatchedPending(cpu, mm);
}

/** try_to_unmap_flush: flushes all that the batch deferred, in all its mms. Not under a PTL. */
export function* tryToUnmapFlush(cpu: Cpu, batch: TlbBatch): Steps<void> {
  if (!batch.flushRequired) return;
  if (cpu.kernel.profile.batchedPending === 'generation') yield* flushBatchGenerations(cpu, batch);
  else yield* cpu.kernel.backend.tlbbatchFlush(cpu, batch);
  batch.flushRequired = false;
  batch.writable = false;
}

/** try_to_unmap_flush_dirty: before pages are written out. Clean entries cannot be written through without a new walk. */
export function* tryToUnmapFlushDirty(cpu: Cpu, batch: TlbBatch): Steps<void> {
  if (batch.writable) yield* tryToUnmapFlush(cpu, batch);
}

/**
 * try_to_unmap_one: takes away the mapping of a page at an address that the reverse map gave. mmap_lock for read stands in
 * for the locks of the reverse map: a VMA that is found is not torn down meanwhile. The caller holds a reference.
 * An anonymous page leaves a swap entry, which inherits the mapping's reference (the swap cache keeps the page), or nothing
 * if MADV_FREE gave it up and it is still clean; if it was written since, it stays.
 * @param batch null to flush at once
 * @returns true if the page was mapped there
 */
export function* tryToUnmapOne(
  cpu: Cpu,
  page: Address,
  mm: Mm,
  address: number,
  batch: TlbBatch | null,
): Steps<boolean> {
  yield* cpu.downRead(mm.mmapLock);
  const at = yield* lockPteAtSplit(cpu, mm, vmaLookup(cpu, mm, address), address);
  const unmapped = at !== null && (yield* unmapPte(cpu, page, at, batch));
  if (at !== null) yield* pteUnmapUnlock(cpu, at.table);
  yield* cpu.upRead(mm.mmapLock);
  return unmapped;
}

function* unmapPte(cpu: Cpu, page: Address, at: PteAt, batch: TlbBatch | null): Steps<boolean> {
  const { mm, pte, address } = at;
  const seen = yield* ptepGet(cpu, pte);
  if (!mapsPage(seen, page)) return false;
  let entry: Entry;
  if (batch !== null && (yield* shouldDeferFlush(cpu, mm))) {
    entry = yield* ptepGetAndClear(cpu, mm, address, pte);
    yield* setTlbUbcFlushPending(cpu, batch, at, entry);
  } else {
    entry = yield* ptepClearFlush(cpu, at);
  }
  if (pteDirty(entry)) yield* pageMarkDirty(cpu, page);
  const anon = pageAnon(cpu, page);
  const lazyfree = anon && ((yield* pageFlags(cpu, page)) & PG_LAZYFREE) !== 0;
  if (lazyfree && !(yield* mayDiscard(cpu, page))) {
    yield* setPteAt(cpu, mm, address, pte, entry);
    return false;
  }
  if (anon && !lazyfree) {
    yield* pageShareAnonRmap(cpu, page);
    yield* setPteAt(cpu, mm, address, pte, mkSwapPte(page));
  }
  yield* pageRemoveRmap(cpu, page);
  if (!anon || lazyfree) yield* putPage(cpu, page);
  return true;
}

/**
 * May a page that MADV_FREE gave up be dropped? Its only references are reclaim's and the mapping's, and nobody has written
 * to it. The entry is gone, so nobody can get a reference through it; the barrier keeps the look at the count after that
 * (it pairs with the one between taking a reference and looking at the entry again).
 */
function* mayDiscard(cpu: Cpu, page: Address): Steps<boolean> {
  yield* cpu.smpMb();
  const refs = yield* pageRefcount(cpu, page);
  yield* cpu.smpRmb();
  const dirty = ((yield* pageFlags(cpu, page)) & PG_DIRTY) !== 0;
  if (refs === 2 && !dirty) return true;
  if (dirty) yield* pageClearLazyfree(cpu, page);
  return false;
}
