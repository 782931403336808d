/**
 * Walking a range of page tables (mm/pagewalk.c): calls back for each PTE table that may exist.
 */
import {
  type Address,
  type Cell,
  type Cpu,
  entryAddrEnd,
  entryCell,
  entryNone,
  entryTarget,
  type Mm,
  type Steps,
} from '@mmu-gather/core/stepped';
import { topLevel } from './page-table.ts';

/** Handles the part of a range that one PTE table maps. `pmd` leads to that table, or is none. */
export type PmdEntry = (cpu: Cpu, pmd: Cell, start: number, end: number) => Steps<void>;

/** walk_page_range. The caller keeps tables from being freed: mmap_lock, and a VMA over the range. */
export function walkPageRange(cpu: Cpu, mm: Mm, start: number, end: number, visit: PmdEntry): Steps<void> {
  return walkTable(cpu, cpu.read(mm.pgd), topLevel(cpu), start, end, visit);
}

function* walkTable(cpu: Cpu, table: Address, level: number, start: number, end: number, visit: PmdEntry): Steps<void> {
  const geometry = cpu.kernel.geometry;
  let cell = entryCell(geometry, table, level, start);
  for (let at = start; at < end; cell++) {
    const next = entryAddrEnd(geometry, level, at, end);
    if (level === 1) {
      yield* visit(cpu, cell, at, next);
    } else {
      const entry = yield* cpu.readOnce(cell);
      if (!entryNone(entry)) yield* walkTable(cpu, entryTarget(entry), level - 1, at, next, visit);
    }
    at = next;
  }
}
