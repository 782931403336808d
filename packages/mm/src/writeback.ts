/**
 * Writeback of files, as far as TLB flushing sees it (mm/page-writeback.c: folio_clear_dirty_for_io, mm/rmap.c: folio_mkclean).
 *
 *     writeback                              zap of a dirty page                    another CPU
 *     lock page                              lock PTL; clear entry; page dirty      holds the old entry, dirty
 *     unmapped? go on                        flush; drop the rmap; unlock           (dropped before the flush: trace T9)
 *     each shared mapping: lock PTL
 *       dirty or writable: ptep_clear_flush,                                        a write faults, and marks the page
 *       clean, read-only                                                            dirty again
 *     page clean: IO begins
 *
 * The rmap is what makes writeback wait: who drops it before its flush promises that nobody writes any more.
 *
 * Locks: page lock; iMmapLock for read; PTL. Claims: where IO begins, writes leave a trace (O3).
 */
import {
  type Address,
  type AddressSpace,
  type Cpu,
  type Entry,
  Mm,
  Page,
  type PteAt,
  pteDirty,
  pteTlbFlushPending,
  pteWrite,
  putPage,
  type Steps,
  type Vma,
  VM_SHARED,
  pteMkclean,
  pteWrprotect,
} from '@mmu-gather/core/stepped';
import { mappedRanges } from './mapping.ts';
import { filemapGetLocked, unlockPage } from './mapping-cache.ts';
import { pageClearDirty, pageMapcount, pageMarkDirty } from './page.ts';
import { ptepGet, ptepGetAndClear, pteUnmapUnlock, setPteAt } from './page-table.ts';
import { lockPteAt, mapsPage } from './page-vma-mapped.ts';
import { ptepClearFlush } from './rmap.ts';

/** Writes the page at an index of a file out, as fsync does. @returns 1 if it was dirty */
export function* writebackPage(cpu: Cpu, mapping: AddressSpace, index: number): Steps<number> {
  const page = yield* filemapGetLocked(cpu, mapping, index);
  if (page === 0) return 0;
  const dirty = yield* pageClearDirtyForIo(cpu, mapping, index, page);
  // The device may read the page from here on.
  if (dirty) cpu.claim.clean(page);
  yield* unlockPage(cpu, page);
  yield* putPage(cpu, page);
  return dirty ? 1 : 0;
}

/** folio_clear_dirty_for_io: entries hand their dirty bits to the page, then it is clean. The page is locked. */
export function* pageClearDirtyForIo(cpu: Cpu, mapping: AddressSpace, index: number, page: Address): Steps<boolean> {
  cpu.claim.held(Page.at(page).lock);
  if (yield* pageMkclean(cpu, mapping, index, page)) yield* pageMarkDirty(cpu, page);
  return yield* pageClearDirty(cpu, page);
}

/** folio_mkclean: no entry of a shared mapping lets anybody write to the page without a fault. @returns did one? */
export function* pageMkclean(cpu: Cpu, mapping: AddressSpace, index: number, page: Address): Steps<boolean> {
  if ((yield* pageMapcount(cpu, page)) === 0) return false;
  let cleaned = false;
  yield* cpu.downRead(mapping.iMmapLock);
  for (const { vma, start } of mappedRanges(cpu, mapping, index, 1)) {
    if ((cpu.read(vma.flags) & VM_SHARED) === 0) continue;
    if (yield* mkcleanOne(cpu, vma, start, page)) cleaned = true;
  }
  yield* cpu.upRead(mapping.iMmapLock);
  return cleaned;
}

/** page_vma_mkclean_one: the place where one VMA may map the page. */
function* mkcleanOne(cpu: Cpu, vma: Vma, address: number, page: Address): Steps<boolean> {
  const mm = Mm.at(cpu.read(vma.mm));
  const at = yield* lockPteAt(cpu, mm, vma, address);
  if (at === null) return false;
  const seen = yield* ptepGet(cpu, at.pte);
  const cleaned = mapsPage(seen, page) && (yield* mkcleanPte(cpu, at, seen));
  yield* pteUnmapUnlock(cpu, at.table);
  return cleaned;
}

/**
 * An entry that is read-only and clean lets nobody write, unless somebody else made it so and has not flushed yet. That he left no
 * dirty bit to find is his business; that nobody writes any more is ours.
 */
function* mkcleanPte(cpu: Cpu, at: PteAt, seen: Entry): Steps<boolean> {
  const dirty = pteDirty(seen) || pteWrite(seen);
  if (dirty || (cpu.kernel.profile.mkcleanPending && (yield* pteTlbFlushPending(cpu, at)))) {
    const old = yield* clearEntry(cpu, at);
    yield* setPteAt(cpu, at.mm, at.address, at.pte, pteMkclean(pteWrprotect(old)));
  }
  return dirty;
}

function clearEntry(cpu: Cpu, at: PteAt): Steps<Entry> {
  if (cpu.kernel.profile.mkcleanFlush === 'clear') return ptepGetAndClear(cpu, at.mm, at.address, at.pte);
  return ptepClearFlush(cpu, at);
}
