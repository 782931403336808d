/**
 * Moving entries (mm/mremap.c: move_ptes).
 *
 *     lock old PTL, new PTL
 *       each entry: old := none, new := what it was
 *       flush the old range               before either lock is dropped:
 *     unlock                              - old PTL: who finds the entry gone there may believe that nobody writes through it
 *                                         - new PTL: who zaps the page at its new place frees it (bug B04)
 */
import {
  type Cpu,
  entryCell,
  entryNone,
  type Mm,
  ptePresent,
  type Steps,
  tablePtl,
  pageSize,
} from '@mmu-gather/core/stepped';
import {
  pmdAlloc,
  pmdOffset,
  pteAlloc,
  ptepGet,
  ptepGetAndClear,
  pteOffsetMapLock,
  pteUnmapUnlock,
  setPteAt,
} from './page-table.ts';
import { flushTlbBatchedPending } from './rmap.ts';

/** move_ptes: `length` bytes that lie within one PTE table on either side. mmap_lock for write. */
export function* movePtes(cpu: Cpu, mm: Mm, from: number, to: number, length: number): Steps<void> {
  const geometry = cpu.kernel.geometry;
  const size = pageSize(geometry);
  const oldPmd = yield* pmdOffset(cpu, mm, from);
  if (oldPmd === 0 || entryNone(yield* cpu.readOnce(oldPmd))) return;
  const newTable = yield* pteAlloc(cpu, mm, yield* pmdAlloc(cpu, mm, to));
  const oldTable = yield* pteOffsetMapLock(cpu, oldPmd);
  if (oldTable === 0) return;
  if (newTable !== oldTable) yield* cpu.spinLock(tablePtl(geometry, newTable));
  yield* flushTlbBatchedPending(cpu, mm);
  let force = false;
  let oldPte = entryCell(geometry, oldTable, 0, from);
  let newPte = entryCell(geometry, newTable, 0, to);
  for (let at = from; at < from + length; at += size, oldPte++, newPte++) {
    if (entryNone(yield* ptepGet(cpu, oldPte))) continue;
    const entry = yield* ptepGetAndClear(cpu, oldPte);
    if (ptePresent(entry)) force = true;
    yield* setPteAt(cpu, newPte, entry);
  }
  if (force) yield* cpu.kernel.backend.flushTlbRange(cpu, mm, from, from + length, 0);
  if (newTable !== oldTable) yield* pteUnmapUnlock(cpu, newTable);
  yield* pteUnmapUnlock(cpu, oldTable);
}
