/**
 * Page tables: walks, allocation, locks, and changes of single entries (mm/memory.c, mm/pgtable-generic.c).
 *
 * Level 0 is the PTE table, the top level is the pgd; entries of level n lead to tables of level n-1.
 * Upper entries are read without a lock and written under mm.pageTableLock (`pmd_lock` and its sisters); leaf entries are
 * written under the lock of their table (split PTLs). A walker that found a table may use it while the table cannot be
 * unlinked: it holds mmap_lock and a VMA covers the address, or it checked the upper entry again under the PTL.
 *
 *     CPU 0 (MADV_DONTNEED, PT_RECLAIM)        CPU 1 (fault)
 *                                              read upper entry: table T
 *     lock T; T is empty; clear upper entry
 *     unlock T
 *                                              lock T; read upper entry again: gone, start over
 */
import {
  ACCESSED,
  type Address,
  type Cell,
  type Cpu,
  DIRTY,
  type Entry,
  entryCell,
  entryNone,
  entryTarget,
  mkEntry,
  type Mm,
  PRESENT,
  RW,
  type Steps,
  tablePtl,
  USER,
} from '@mmu-gather/core/stepped';
import { pteWrprotect } from './pte.ts';

/** Flags of an entry that leads to a table (_PAGE_TABLE). */
const TABLE_FLAGS = PRESENT | RW | USER | ACCESSED | DIRTY;

/** The level of the pgd. */
export function topLevel(cpu: Cpu): number {
  return cpu.kernel.geometry.bits.length - 1;
}

/** pmd_offset and the walk to it: the cell of the entry that leads to the PTE table of an address; 0 if an upper table is absent. */
export function* pmdOffset(cpu: Cpu, mm: Mm, address: number): Steps<Cell> {
  const geometry = cpu.kernel.geometry;
  let table = cpu.read(mm.pgd);
  for (let level = geometry.bits.length - 1; level > 1; level--) {
    const entry = yield* cpu.readOnce(entryCell(geometry, table, level, address));
    if (entryNone(entry)) return 0;
    table = entryTarget(entry);
  }
  return entryCell(geometry, table, 1, address);
}

/**
 * __p4d_alloc, __pud_alloc, __pmd_alloc, __pte_alloc: makes sure that an upper entry leads to a table.
 * The new table is prepared first and installed only if nobody else did meanwhile; the write barrier keeps its zeroes
 * before the entry, and pairs with the address dependency of walkers, hardware included.
 * @returns the table
 */
function* allocTable(cpu: Cpu, mm: Mm, cell: Cell): Steps<Address> {
  const seen = yield* cpu.readOnce(cell);
  if (!entryNone(seen)) return entryTarget(seen);
  const table = yield* cpu.alloc('table');
  yield* cpu.spinLock(mm.pageTableLock);
  const entry = yield* cpu.readOnce(cell);
  if (entryNone(entry)) {
    yield* cpu.smpWmb();
    yield* cpu.writeOnce(cell, mkEntry(table, TABLE_FLAGS));
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (entryNone(entry)) return table;
  yield* cpu.free('table', table);
  return entryTarget(entry);
}

/** pmd_alloc and the walk to it: like {@link pmdOffset}, but makes the upper tables. */
export function* pmdAlloc(cpu: Cpu, mm: Mm, address: number): Steps<Cell> {
  const geometry = cpu.kernel.geometry;
  let table = cpu.read(mm.pgd);
  for (let level = geometry.bits.length - 1; level > 1; level--) {
    table = yield* allocTable(cpu, mm, entryCell(geometry, table, level, address));
  }
  return entryCell(geometry, table, 1, address);
}

/** pte_alloc: makes sure that the PTE table of an address exists. @returns the table */
export function pteAlloc(cpu: Cpu, mm: Mm, pmd: Cell): Steps<Address> {
  return allocTable(cpu, mm, pmd);
}

/**
 * The PTL part of pte_offset_map_lock, for a table that `pmd` led to a moment ago.
 * @returns true with the lock held, or false without it if the table was unlinked meanwhile
 */
export function* pteLock(cpu: Cpu, pmd: Cell, table: Address): Steps<boolean> {
  const ptl = tablePtl(cpu.kernel.geometry, table);
  yield* cpu.spinLock(ptl);
  // Only PT_RECLAIM unlinks tables that a walker with mmap_lock may have found.
  if (!cpu.kernel.profile.ptReclaim) return true;
  if (entryTarget(yield* cpu.readOnce(pmd)) === table) return true;
  yield* cpu.spinUnlock(ptl);
  return false;
}

/** pte_offset_map_lock. @returns the table with its PTL held, or 0 without */
export function* pteOffsetMapLock(cpu: Cpu, pmd: Cell): Steps<Address> {
  for (;;) {
    const entry = yield* cpu.readOnce(pmd);
    if (entryNone(entry)) return 0;
    const table = entryTarget(entry);
    if (yield* pteLock(cpu, pmd, table)) return table;
  }
}

/** pte_alloc_map_lock. @returns the table with its PTL held */
export function* pteAllocMapLock(cpu: Cpu, mm: Mm, pmd: Cell): Steps<Address> {
  for (;;) {
    const table = yield* pteAlloc(cpu, mm, pmd);
    if (yield* pteLock(cpu, pmd, table)) return table;
  }
}

/** pte_unmap_unlock. */
export function pteUnmapUnlock(cpu: Cpu, table: Address): Steps<void> {
  return cpu.spinUnlock(tablePtl(cpu.kernel.geometry, table));
}

/** ptep_get. */
export function ptepGet(cpu: Cpu, pte: Cell): Steps<Entry> {
  return cpu.readOnce(pte);
}

/** set_pte_at: under the PTL, over an entry that no TLB can hold, or with one that only grants more. */
export function setPteAt(cpu: Cpu, pte: Cell, entry: Entry): Steps<void> {
  return cpu.writeOnce(pte, entry);
}

/** ptep_get_and_clear: the exchange captures what the hardware set up to now, and it cannot set more afterwards. */
export function ptepGetAndClear(cpu: Cpu, pte: Cell): Steps<Entry> {
  return cpu.xchg(pte, 0);
}

/** ptep_get_and_clear_full: when the whole mm goes, nobody sets bits any more, and a load and a store will do. */
export function* ptepGetAndClearFull(cpu: Cpu, pte: Cell, seen: Entry, full: boolean): Steps<Entry> {
  if (!full) return yield* cpu.xchg(pte, 0);
  yield* cpu.writeOnce(pte, 0);
  return seen;
}

/** ptep_set_wrprotect: takes write permission from an entry that the hardware may be setting bits in. */
export function* ptepSetWrprotect(cpu: Cpu, pte: Cell, seen: Entry): Steps<void> {
  for (;;) {
    const old = yield* cpu.cmpxchg(pte, seen, pteWrprotect(seen));
    if (old === seen) return;
    seen = old;
  }
}

/** ptep_modify_prot_start: takes the entry away, so that the hardware cannot set bits while it is changed. */
export function ptepModifyProtStart(cpu: Cpu, pte: Cell): Steps<Entry> {
  return ptepGetAndClear(cpu, pte);
}

/** ptep_modify_prot_commit. */
export function ptepModifyProtCommit(cpu: Cpu, pte: Cell, entry: Entry): Steps<void> {
  return setPteAt(cpu, pte, entry);
}

/** ptep_set_access_flags on x86: an upgrade is a store; whoever has the old entry takes one more fault. */
export function* ptepSetAccessFlags(cpu: Cpu, pte: Cell, old: Entry, entry: Entry): Steps<void> {
  if (old !== entry) yield* setPteAt(cpu, pte, entry);
}
