/**
 * From a page's place to its entry (mm/page_vma_mapped.c: page_vma_mapped_walk), for who came by the reverse map or by an address.
 *
 *     at = lockPteAt(cpu, mm, vma, address)     the PTL is held, unless at is null
 *       entry = ptepGet(cpu, at.pte)
 *       mapsPage(entry, page)?                  it may be another page's by now
 *     pteUnmapUnlock(cpu, at.table)
 *
 * The caller holds what keeps the VMA where it is: mmap_lock, or the lock of its file.
 */
import {
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  entryCell,
  type Mm,
  type PteAt,
  ptePresent,
  type Steps,
  type Vma,
} from '@mmu-gather/core/stepped';
import { pmdOffsetSplit } from './huge-split.ts';
import { vmNormalPage } from './page.ts';
import { pmdOffset, pteOffsetMapLock } from './page-table.ts';

/** check_pte: does an entry that was read under its PTL map the page? */
export function mapsPage(entry: Entry, page: Address): boolean {
  return ptePresent(entry) && vmNormalPage(entry) === page;
}

/** Locks the entry of an address. @returns null, without the lock, if there is no VMA or no PTE table */
export function* lockPteAt(cpu: Cpu, mm: Mm, vma: Vma | null, address: number): Steps<PteAt | null> {
  if (vma === null) return null;
  return yield* lockUnder(cpu, yield* pmdOffset(cpu, mm, address), mm, vma, address);
}

/** The same, TTU_SPLIT_HUGE_PMD: a huge page there is split first. */
export function* lockPteAtSplit(cpu: Cpu, mm: Mm, vma: Vma | null, address: number): Steps<PteAt | null> {
  if (vma === null) return null;
  return yield* lockUnder(cpu, yield* pmdOffsetSplit(cpu, mm, vma, address), mm, vma, address);
}

function* lockUnder(cpu: Cpu, pmd: Cell, mm: Mm, vma: Vma, address: number): Steps<PteAt | null> {
  const table = pmd === 0 ? 0 : yield* pteOffsetMapLock(cpu, pmd);
  return table === 0 ? null : { mm, vma, table, pte: entryCell(cpu.kernel.geometry, table, 0, address), address };
}
