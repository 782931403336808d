/**
 * Page tables: walks, allocation, locks, and changes of single entries (mm/memory.c, mm/pgtable-generic.c).
 *
 * Level 0 is the PTE table, the top level is the pgd; entries of level n lead to tables of level n-1.
 * Upper entries are read without a lock and written under mm.pageTableLock (`pmd_lock` and its sisters), but for those that
 * free-pgtables.ts clears, which nobody else finds any more; leaf entries are written under the lock of their table (split PTLs). The lock of a table is taken outside of mm.pageTableLock.
 *
 * A walker that found a table may use it while the table cannot be unlinked: it holds mmap_lock and a VMA covers the address.
 * Where tables are unlinked under less than that (PT_RECLAIM, retract_page_tables), a walker gets from the upper entry to the
 * lock under RCU, and looks at the upper entry again once it holds the lock (profile.pteMap):
 *
 *     CPU 0 (MADV_DONTNEED, PT_RECLAIM)        CPU 1 (fault)
 *                                              rcu_read_lock; read upper entry: table T
 *     lock T; T is empty; clear upper entry
 *     unlock T
 *     flush; free T after a grace period       lock T: still a table
 *                                              read upper entry again: gone; unlock, rcu_read_unlock, start over
 *
 * With the lock held RCU is not needed: who unlinks the table takes its lock first. An upper entry that maps a huge page
 * leads to no table.
 */
import {
  ACCESSED,
  type Address,
  archLeaveLazyMmuMode,
  type Cell,
  claimLazyMmuLeft,
  type Cpu,
  DIRTY,
  type Entry,
  entryCell,
  entryIndex,
  entryNone,
  entryTarget,
  mkEntry,
  type Mm,
  entryPresent,
  PRESENT,
  PSE,
  RW,
  type Steps,
  tablePtl,
  USER,
} from '@mmu-gather/core/stepped';

/** Flags of an entry that leads to a table (_PAGE_TABLE). */
const TABLE_FLAGS = PRESENT | RW | USER | ACCESSED | DIRTY;

/** Does an upper entry lead to a table, rather than to nothing or to a huge page? */
export function leadsToTable(entry: Entry): boolean {
  return entryPresent(entry) && (entry & PSE) === 0;
}

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
    // pud_bad
    cpu.claim.that(leadsToTable(entry), 'O16', 'an upper entry leads to no table');
    table = entryTarget(entry);
  }
  return entryCell(geometry, table, 1, address);
}

/** pte_alloc_one: a table that nobody else sees yet. Where locks are not split, it says where the one of its mm is. */
export function* newTable(cpu: Cpu, mm: Mm): Steps<Address> {
  const { geometry, profile, designs } = cpu.kernel;
  const table = yield* cpu.alloc('table');
  if (!profile.splitPtl) cpu.write(tablePtl(geometry, table), mm.address + designs.ptl);
  return table;
}

/**
 * __p4d_alloc, __pud_alloc, __pmd_alloc, __pte_alloc: makes sure that an upper entry leads to a table.
 * The new table is prepared first and installed only if nobody else did meanwhile; the write barrier keeps its zeroes
 * before the entry, and pairs with the address dependency of walkers, hardware included.
 * @returns the table; 0 if a huge page is there
 */
function* allocTable(cpu: Cpu, mm: Mm, cell: Cell): Steps<Address> {
  const seen = yield* cpu.readOnce(cell);
  if (!entryNone(seen)) return leadsToTable(seen) ? entryTarget(seen) : 0;
  const table = yield* newTable(cpu, mm);
  yield* cpu.spinLock(mm.pageTableLock);
  const entry = yield* cpu.readOnce(cell);
  if (entryNone(entry)) yield* pmdPopulate(cpu, cell, table);
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (entryNone(entry)) return table;
  yield* cpu.free('table', table);
  return leadsToTable(entry) ? entryTarget(entry) : 0;
}

/** pmd_populate and its sisters: a table that nobody else sees yet becomes reachable. Under mm.pageTableLock. */
export function* pmdPopulate(cpu: Cpu, cell: Cell, table: Address): Steps<void> {
  // What the table holds before the entry. Pairs with the address dependency of walkers, the hardware included.
  yield* cpu.smpWmb();
  yield* cpu.writeOnce(cell, mkEntry(table, TABLE_FLAGS));
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

/** pte_alloc: makes sure that the PTE table of an address exists. @returns the table; 0 if a huge page is there */
export function pteAlloc(cpu: Cpu, mm: Mm, pmd: Cell): Steps<Address> {
  return allocTable(cpu, mm, pmd);
}

/** Do walkers need RCU to get from an upper entry to the lock in its table? */
function needsRcu(cpu: Cpu): boolean {
  return cpu.kernel.profile.pteMap === 'rcu';
}

/**
 * pte_offset_map: the PTE table that `pmd` leads to; it is not freed before {@link pteUnmap}.
 * @returns 0, and then there is nothing to unmap, if it leads to none
 */
function* pteOffsetMap(cpu: Cpu, pmd: Cell): Steps<Address> {
  if (needsRcu(cpu)) yield* cpu.rcuReadLock();
  const entry = yield* cpu.readOnce(pmd);
  if (leadsToTable(entry)) return entryTarget(entry);
  yield* pteUnmap(cpu);
  return 0;
}

/** pte_unmap. */
export function* pteUnmap(cpu: Cpu): Steps<void> {
  if (needsRcu(cpu)) yield* cpu.rcuReadUnlock();
}

/** pte_alloc and pte_offset_map. @returns 0, and then there is nothing to unmap, if a huge page is there */
export function* pteAllocMap(cpu: Cpu, mm: Mm, pmd: Cell): Steps<Address> {
  if (!needsRcu(cpu)) return yield* pteAlloc(cpu, mm, pmd);
  for (;;) {
    const table = yield* pteOffsetMap(cpu, pmd);
    if (table !== 0) return table;
    if ((yield* pteAlloc(cpu, mm, pmd)) === 0) return 0;
  }
}

/**
 * ptlock_ptr: the lock of a PTE table. Where locks are not split, all tables of an mm share one, and the word that would be the lock
 * says where it is.
 */
export function ptlPtr(cpu: Cpu, table: Address): Cell {
  const own = tablePtl(cpu.kernel.geometry, table);
  if (cpu.kernel.profile.splitPtl) return own;
  const shared = cpu.read(own);
  cpu.claim.that(shared !== 0, 'O16', 'a table does not know the lock of its mm');
  return shared;
}

/** Locks a table that is mapped, and unmaps it. @returns true with the lock held, or false if it was unlinked meanwhile */
function* lockMapped(cpu: Cpu, pmd: Cell, table: Address): Steps<boolean> {
  const ptl = ptlPtr(cpu, table);
  yield* cpu.spinLock(ptl);
  if (!needsRcu(cpu)) return true;
  const entry = yield* cpu.readOnce(pmd);
  const same = leadsToTable(entry) && entryTarget(entry) === table;
  if (!same) yield* cpu.spinUnlock(ptl);
  yield* cpu.rcuReadUnlock();
  return same;
}

/**
 * The second pte_offset_map_lock of a fault, for a table that `pmd` led to a moment ago.
 * @returns true with the lock held, or false without it if the table was unlinked meanwhile
 */
export function* pteLock(cpu: Cpu, pmd: Cell, table: Address): Steps<boolean> {
  if (!needsRcu(cpu)) return yield* lockMapped(cpu, pmd, table);
  const mapped = yield* pteOffsetMap(cpu, pmd);
  if (mapped === table) return yield* lockMapped(cpu, pmd, table);
  if (mapped !== 0) yield* pteUnmap(cpu);
  return false;
}

/** pte_offset_map_lock. @returns the table with its PTL held, or 0 without */
export function* pteOffsetMapLock(cpu: Cpu, pmd: Cell): Steps<Address> {
  for (;;) {
    const table = yield* pteOffsetMap(cpu, pmd);
    if (table === 0 || (yield* lockMapped(cpu, pmd, table))) return table;
  }
}

/** pte_alloc_map_lock. @returns the table with its PTL held, or 0 without if a huge page is there */
export function* pteAllocMapLock(cpu: Cpu, mm: Mm, pmd: Cell): Steps<Address> {
  return (yield* pteAlloc(cpu, mm, pmd)) === 0 ? 0 : yield* pteOffsetMapLock(cpu, pmd);
}

/** pte_unmap_unlock. */
export function pteUnmapUnlock(cpu: Cpu, table: Address): Steps<void> {
  claimLazyMmuLeft(cpu);
  return cpu.spinUnlock(ptlPtr(cpu, table));
}

/** arch_leave_lazy_mmu_mode, and pte_unmap_unlock. */
export function* pteUnmapUnlockLazy(cpu: Cpu, table: Address): Steps<void> {
  const before = cpu.kernel.profile.leaveLazyMmu === 'before-unlock';
  if (before) yield* archLeaveLazyMmuMode(cpu);
  yield* pteUnmapUnlock(cpu, table);
  if (!before) yield* archLeaveLazyMmuMode(cpu);
}

/** ptep_get. */
export function ptepGet(cpu: Cpu, pte: Cell): Steps<Entry> {
  return cpu.readOnce(pte);
}

// How entries change is the architecture's (core's pte-ops.ts). All under the lock of the entry's table, which is claimed to be held (O16);
// `address` is the first one that the entry maps, `level` 0 for a PTE and 1 for a PMD that maps a huge page. Entries that lead to tables are
// written without them, and those of the kernel have no lock: an address is its owner's.

/** assert_spin_locked(pte_lockptr(mm, pmd)), or of pmd_lockptr for a huge page. */
function assertPtl(cpu: Cpu, mm: Mm, address: number, pte: Cell, level: number): void {
  if (level > 0) cpu.claim.held(mm.pageTableLock);
  else if (mm.address !== cpu.kernel.initMm)
    cpu.claim.held(ptlPtr(cpu, pte - entryIndex(cpu.kernel.geometry, 0, address)));
}

/** set_pte_at, set_pmd_at: over an entry that no TLB can hold, or with one that only grants more. */
export function setPteAt(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry, level = 0): Steps<void> {
  assertPtl(cpu, mm, address, pte, level);
  return cpu.kernel.backend.pte.setPteAt(cpu, mm, address, pte, entry, level);
}

/** set_pte_at, in a table that no upper entry leads to, or no more: nobody else can change it, and its lock is left alone. */
export function setPteUnlinked(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry): Steps<void> {
  return cpu.kernel.backend.pte.setPteAt(cpu, mm, address, pte, entry, 0);
}

/** ptep_get_and_clear, pmdp_huge_get_and_clear. @returns what was there, with all that the hardware had set */
export function ptepGetAndClear(cpu: Cpu, mm: Mm, address: number, pte: Cell, level = 0): Steps<Entry> {
  assertPtl(cpu, mm, address, pte, level);
  return cpu.kernel.backend.pte.ptepGetAndClear(cpu, mm, address, pte, level);
}

/**
 * ptep_get_and_clear_full: when the whole mm goes, nobody sets bits any more, and a load and a store will do. The store could be
 * spared, too (March 2009), if nobody else found the entry: the reverse map does (profile.exitZeroes).
 * @param full the mm dies
 */
export function ptepGetAndClearFull(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  seen: Entry,
  full: boolean,
  level = 0,
): Steps<Entry> {
  assertPtl(cpu, mm, address, pte, level);
  const { profile, backend } = cpu.kernel;
  if (!full || profile.fullmm === 'F0') return backend.pte.ptepGetAndClear(cpu, mm, address, pte, level);
  return backend.pte.ptepGetAndClearFull(cpu, mm, address, pte, seen, profile.exitZeroes, level);
}

/** ptep_set_wrprotect, pmdp_set_wrprotect: takes write permission from an entry that the hardware may be setting bits in. */
export function ptepSetWrprotect(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry, level = 0): Steps<void> {
  assertPtl(cpu, mm, address, pte, level);
  return cpu.kernel.backend.pte.ptepSetWrprotect(cpu, mm, address, pte, seen, level);
}

/** ptep_test_and_clear_young: takes the accessed bit from an entry, for which nobody will flush. @param seen what it held a moment ago */
export function ptepTestAndClearYoung(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry): Steps<void> {
  assertPtl(cpu, mm, address, pte, 0);
  return cpu.kernel.backend.pte.ptepTestAndClearYoung(cpu, mm, address, pte, seen);
}

/** ptep_modify_prot_start: takes the entry away, so that the hardware cannot set bits while it is changed. */
export function ptepModifyProtStart(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry> {
  assertPtl(cpu, mm, address, pte, 0);
  return cpu.kernel.backend.pte.ptepModifyProtStart(cpu, mm, address, pte);
}

/** ptep_modify_prot_commit. @param old what {@link ptepModifyProtStart} returned */
export function ptepModifyProtCommit(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  old: Entry,
  entry: Entry,
): Steps<void> {
  assertPtl(cpu, mm, address, pte, 0);
  return cpu.kernel.backend.pte.ptepModifyProtCommit(cpu, mm, address, pte, old, entry);
}

/** ptep_set_access_flags, pmdp_set_access_flags: an upgrade after a fault; it changes something if `old` is not `entry`. */
export function ptepSetAccessFlags(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  old: Entry,
  entry: Entry,
  level = 0,
): Steps<void> {
  assertPtl(cpu, mm, address, pte, level);
  return cpu.kernel.backend.pte.ptepSetAccessFlags(cpu, mm, address, pte, old, entry, level);
}

/** update_mmu_cache: a fault has set an entry, and still holds the lock. */
export function* updateMmuCache(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry): Steps<void> {
  const { updateMmuCache: update } = cpu.kernel.backend.pte;
  if (update !== null) yield* update(cpu, mm, address, pte, entry);
}
