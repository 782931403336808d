/**
 * Freeing page tables after unmap (mm/memory.c: free_pgtables, free_pgd_range and below).
 *
 * A table may go if its whole span lies between the end of the VMA below (floor) and the start of the VMA above (ceiling):
 *
 *     floor                 span of a PTE table                 ceiling
 *     ...VMA|                 |<----------------->|                |VMA...
 *                                  unmapped VMAs
 *
 * whether or not something is mapped through it. The VMAs are out of reach of faults: they are detached with mmap_lock held
 * for write, or the mm dies. Each table goes into the gather with its first address: walk caches must lose the path to it
 * before it is freed.
 */
import {
  type Address,
  type Cpu,
  entryAddrEnd,
  entryCell,
  entryNone,
  entrySize,
  entryTarget,
  type MmuGather,
  type Steps,
  tlbChangePageSize,
  tlbFreeVmas,
  tlbNoteTable,
  tlbRemoveTable,
  type Vma,
} from '@mmu-gather/core/stepped';
import { unlinkFileVma } from './mapping.ts';
import { topLevel } from './page-table.ts';

/**
 * free_pgtables: VMAs that are less than one PTE table apart are torn down as one run. Each is taken out of its file's list
 * first, so that nobody who looks for the file's pages walks tables that go. Frames without struct page are flushed before
 * (tlb_free_vmas).
 */
export function* freePgtables(
  cpu: Cpu,
  tlb: MmuGather,
  vmas: readonly Vma[],
  floor: number,
  ceiling: number,
): Steps<void> {
  const span = entrySize(cpu.kernel.geometry, 1);
  yield* tlbFreeVmas(cpu, tlb);
  for (let i = 0; i < vmas.length; i++) {
    const start = cpu.read(vmas[i]!.start);
    yield* unlinkFileVma(cpu, vmas[i]!);
    while (i + 1 < vmas.length && cpu.read(vmas[i + 1]!.start) <= cpu.read(vmas[i]!.end) + span) {
      yield* unlinkFileVma(cpu, vmas[++i]!);
    }
    const above = i + 1 < vmas.length ? cpu.read(vmas[i + 1]!.start) : ceiling;
    yield* freePgdRange(cpu, tlb, start, cpu.read(vmas[i]!.end), floor, above);
  }
}

/**
 * free_pgd_range: frees the tables between `start` and `end` that nothing between floor and ceiling needs.
 * A PTE table at either edge that is shared with a neighbour is left out here; upper tables are checked one by one.
 */
export function* freePgdRange(
  cpu: Cpu,
  tlb: MmuGather,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
): Steps<void> {
  const span = entrySize(cpu.kernel.geometry, 1);
  const limit = Math.floor(ceiling / span) * span;
  let first = Math.floor(start / span) * span;
  if (first < floor) first += span;
  const last = end > limit ? end - span : end;
  yield* tlbChangePageSize(cpu, tlb, 0);
  yield* freeTableRange(cpu, tlb, cpu.read(tlb.mm.pgd), topLevel(cpu), first, last, floor, ceiling);
}

/** free_p4d_range, free_pud_range, free_pmd_range: the tables below the entries of `table`, and those entries. */
function* freeTableRange(
  cpu: Cpu,
  tlb: MmuGather,
  table: Address,
  level: number,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
): Steps<void> {
  const geometry = cpu.kernel.geometry;
  const span = entrySize(geometry, level);
  const limit = Math.floor(ceiling / span) * span;
  const folded = geometry.foldedTop === true && level === topLevel(cpu);
  let cell = entryCell(geometry, table, level, start);
  for (let at = start; at < end; cell++) {
    const next = entryAddrEnd(geometry, level, at, end);
    const entry = yield* cpu.readOnce(cell);
    const base = Math.floor(at / span) * span;
    // PTE tables at the edges were sorted out in free_pgd_range.
    const free = level === 1 || (base >= floor && next <= limit);
    if (!entryNone(entry)) {
      const child = entryTarget(entry);
      if (level > 1) yield* freeTableRange(cpu, tlb, child, level - 1, at, next, floor, ceiling);
      if (free) {
        yield* cpu.writeOnce(cell, 0);
        yield* tlbRemoveTable(cpu, tlb, child, base, level - 1);
      }
    }
    if (folded && free) tlbNoteTable(cpu, tlb, base);
    at = next;
  }
}
