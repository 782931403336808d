/**
 * Moving a range of entries to other addresses (mm/mremap.c: move_page_tables), table by table:
 *
 *     the range covers a whole table on either side       the table, or the huge page, moves (move-pmd.ts, huge-copy.ts)
 *     else                                                its entries move (move-ptes.ts); a huge page is split first
 *
 * Or, with one gather for all of it:
 *
 *     allocate the new tables                  nothing may be allocated under the locks that reclaim takes
 *     lock the reverse map for write
 *       each table: move entries, note them    both places may be in use now, and lead to the same page:
 *       flush once                             a fault waits for mmap_lock, a search by the reverse map for its locks
 *     unlock
 *
 * Locks: mmap_lock for write. Of the reverse map's locks the one of the file is here; searches for anonymous pages take
 * mmap_lock for read in its place. Moves of whole tables by realigning the range (6.7 on) are not modelled.
 */
import {
  type Cpu,
  type Entry,
  entryAddrEnd,
  entryNone,
  type Mm,
  type MmuGather,
  type Steps,
  tlbEndVma,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbStartVma,
  type Vma,
} from '@mmu-gather/core/stepped';
import { moveHugePmd } from './huge-copy.ts';
import { hugeSize, pmdTransHuge } from './huge-memory.ts';
import { splitHugePmd } from './huge-split.ts';
import { lockVmaMapping, unlockVmaMapping } from './mapping.ts';
import { moveNormalPmd } from './move-pmd.ts';
import { movePtes } from './move-ptes.ts';
import { pmdAlloc, pmdOffset, pteAlloc } from './page-table.ts';
import { vmaAssertWriteLocked } from './vma-lock.ts';

/** One move. */
export interface Move {
  /** The mm. */
  readonly mm: Mm;
  /** The VMA that the entries leave. */
  readonly vma: Vma;
  /** First address of the old place. */
  readonly from: number;
  /** First address of the new one. */
  readonly to: number;
  /** Bytes. */
  readonly length: number;
}

/** move_page_tables. Nothing is mapped at the new place, and the VMA is locked for write: no fault sees entries gone from it. */
export function* movePageTables(cpu: Cpu, move: Move): Steps<void> {
  vmaAssertWriteLocked(cpu, move.vma);
  const form = cpu.kernel.profile.movePtes;
  if (form !== 'gather' && form !== 'gather-unlocked') {
    yield* moveTables(cpu, move, null);
    return;
  }
  yield* allocNewTables(cpu, move);
  if (form === 'gather') yield* lockVmaMapping(cpu, move.vma);
  const tlb = yield* tlbGatherMmu(cpu, move.mm);
  tlbStartVma(cpu, tlb, move.vma);
  yield* moveTables(cpu, move, tlb);
  yield* tlbEndVma(cpu, tlb);
  yield* tlbFinishMmu(cpu, tlb, move.from, move.from + move.length);
  cpu.claim.moved(cpu.read(move.mm.pgd), { start: move.from, end: move.from + move.length });
  if (form === 'gather') yield* unlockVmaMapping(cpu, move.vma);
}

/** get_extent: the end of the part of a move from `at` on that lies within one table on either side. */
function extentEnd(cpu: Cpu, { from, to, length }: Move, at: number): number {
  const { geometry } = cpu.kernel;
  const shift = to - from;
  return Math.min(
    entryAddrEnd(geometry, 1, at, from + length),
    entryAddrEnd(geometry, 1, at + shift, to + length) - shift,
  );
}

/** Does this part of the move cover a whole table, so that the table can move? */
function isWholeTable(cpu: Cpu, at: number, end: number): boolean {
  const { backend, profile } = cpu.kernel;
  return backend.movesTables && profile.movePmd !== 'entries' && end - at === hugeSize(cpu);
}

/** The tables that entries will move into one by one. */
function* allocNewTables(cpu: Cpu, move: Move): Steps<void> {
  const { mm, from, to, length } = move;
  for (let at = from; at < from + length; ) {
    const next = extentEnd(cpu, move, at);
    const oldPmd = yield* pmdOffset(cpu, mm, at);
    const entry = oldPmd === 0 ? 0 : yield* cpu.readOnce(oldPmd);
    if (!entryNone(entry)) {
      const newPmd = yield* pmdAlloc(cpu, mm, at - from + to);
      const whole = pmdTransHuge(entry) ? next - at === hugeSize(cpu) : isWholeTable(cpu, at, next);
      if (!whole) yield* pteAlloc(cpu, mm, newPmd);
    }
    at = next;
  }
}

function* moveTables(cpu: Cpu, move: Move, tlb: MmuGather | null): Steps<void> {
  const { mm, from, to, length } = move;
  for (let at = from; at < from + length; ) {
    const next = extentEnd(cpu, move, at);
    const oldPmd = yield* pmdOffset(cpu, mm, at);
    const entry = oldPmd === 0 ? 0 : yield* cpu.readOnce(oldPmd);
    if (!entryNone(entry)) {
      const newPmd = yield* pmdAlloc(cpu, mm, at - from + to);
      if (pmdTransHuge(entry)) {
        if (next - at === hugeSize(cpu)) {
          yield* moveHugePmd(cpu, mm, at, at - from + to, oldPmd, newPmd);
          at = next;
          continue;
        }
        yield* splitHugePmd(cpu, mm, oldPmd, at);
      }
      const whole = isWholeTable(cpu, at, next) && (yield* moveWholeTable(cpu, move, oldPmd, newPmd, entry, at, tlb));
      if (!whole) yield* movePtes(cpu, mm, oldPmd, newPmd, at, at - from + to, next - at, tlb);
    }
    at = next;
  }
}

/** move_normal_pmd under the locks of the reverse map. With a gather the whole move holds them. */
function* moveWholeTable(
  cpu: Cpu,
  { mm, vma }: Move,
  oldPmd: number,
  newPmd: number,
  seen: Entry,
  from: number,
  tlb: MmuGather | null,
): Steps<boolean> {
  const lock = tlb === null && cpu.kernel.profile.movePmdRmapLocks;
  if (lock) yield* lockVmaMapping(cpu, vma);
  const moved = yield* moveNormalPmd(cpu, mm, oldPmd, newPmd, seen, from, tlb);
  if (lock) yield* unlockVmaMapping(cpu, vma);
  return moved;
}
