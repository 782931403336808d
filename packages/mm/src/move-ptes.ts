/**
 * Moving the entries of one PTE table (mm/mremap.c: move_ptes).
 *
 *     lock old PTL, new PTL
 *       each entry: old := none, new := what it was
 *       flush the old range               before either lock is dropped:
 *     unlock                              - old PTL: who finds the entry gone there may believe that nobody writes through it
 *                                         - new PTL: who zaps the page at its new place frees it (bug B04)
 *
 * With a gather the flush comes later, and the locks of the reverse map take over from the PTLs: all who come to either place
 * without mmap_lock come by the reverse map. GUP-fast takes no lock, but it reads entries and never a TLB.
 *
 * Claims: no CPU can use the old place of what was moved (O7).
 */
import {
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cell,
  type Cpu,
  type Entry,
  entryCell,
  entryNone,
  type Mm,
  type MmuGather,
  pageSize,
  type Profile,
  pteDirty,
  ptePresent,
  type Steps,
  tlbEndPtes,
  tlbFlushLevelRange,
  tlbStartPtes,
  pteMksoftDirty,
} from '@mmu-gather/core/stepped';
import {
  ptepGet,
  ptepGetAndClear,
  pteAlloc,
  ptlPtr,
  pteOffsetMapLock,
  pteUnmapUnlock,
  setPteAt,
} from './page-table.ts';
import { flushTlbBatchedPending } from './rmap.ts';

/**
 * move_ptes: `length` bytes that lie within one PTE table on either side. mmap_lock for write.
 * @param tlb takes note of what moved; null to flush here
 */
export function* movePtes(
  cpu: Cpu,
  mm: Mm,
  oldPmd: Cell,
  newPmd: Cell,
  from: number,
  to: number,
  length: number,
  tlb: MmuGather | null,
): Steps<void> {
  const { geometry, profile } = cpu.kernel;
  const form = profile.movePtes;
  const size = pageSize(geometry);
  const newTable = yield* pteAlloc(cpu, mm, newPmd);
  const oldTable = yield* pteOffsetMapLock(cpu, oldPmd);
  // The table of a file's pages went meanwhile, with nothing in it (retract_page_tables).
  if (oldTable === 0) return;
  const newPtl = ptlPtr(cpu, newTable);
  if (newPtl !== ptlPtr(cpu, oldTable)) yield* cpu.spinLock(newPtl);
  if (tlb !== null) yield* tlbStartPtes(cpu, tlb);
  yield* flushTlbBatchedPending(cpu, mm);
  yield* archEnterLazyMmuMode(cpu);
  const moved: number[] = [];
  let force = false;
  let early = false;
  let oldPte = entryCell(geometry, oldTable, 0, from);
  let newPte = entryCell(geometry, newTable, 0, to);
  for (let at = from; at < from + length; at += size, oldPte++, newPte++) {
    const seen = yield* ptepGet(cpu, oldPte);
    if (entryNone(seen)) continue;
    const entry = yield* ptepGetAndClear(cpu, mm, at, oldPte);
    const present = ptePresent(entry);
    // move_soft_dirty_pte: what is new at an address counts as written there. Swap entries keep no such mark here.
    yield* setPteAt(cpu, mm, to + (at - from), newPte, present ? pteMksoftDirty(entry) : entry);
    moved.push(at);
    if (!present) continue;
    force = true;
    early ||= flushesEarly(form, seen, entry);
    if (tlb !== null) tlbFlushLevelRange(tlb, at, size, 0);
  }
  yield* archLeaveLazyMmuMode(cpu);
  if (early) yield* cpu.kernel.backend.flushTlbRange(cpu, mm, from, from + length, 0);
  if (tlb !== null) yield* tlbEndPtes(cpu, tlb, oldTable);
  else for (const at of moved) cpu.claim.moved(cpu.read(mm.pgd), { start: at, end: at + size });
  if (newPtl !== ptlPtr(cpu, oldTable)) yield* cpu.spinUnlock(newPtl);
  yield* pteUnmapUnlock(cpu, oldTable);
  if (force && !early && AFTERWARDS.has(form)) yield* cpu.kernel.backend.flushTlbRange(cpu, mm, from, from + length, 0);
}

/** Forms that flush once the PTLs are dropped what they did not flush before. */
const AFTERWARDS: ReadonlySet<Profile['movePtes']> = new Set(['after-unlock', 'dirty-seen', 'dirty']);

/** Is the old range flushed before the PTLs are dropped? @param seen the entry before it was taken away @param entry what was taken away */
function flushesEarly(form: Profile['movePtes'], seen: Entry, entry: Entry): boolean {
  switch (form) {
    case 'range':
      return true;
    case 'dirty-seen':
      return pteDirty(seen);
    case 'dirty':
      return pteDirty(entry);
    default:
      return false;
  }
}
