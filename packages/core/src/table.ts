/**
 * Page-table pages: a run of entries, and behind them the words that Linux keeps in the table's struct page.
 *
 * All tables of a machine have the size of its largest level, so that one pool serves every level.
 */
import { entryIndex, type Geometry, powerOfTwo } from './geometry.ts';
import type { Address, Cell } from './struct.ts';

/** Entries of the largest level. */
export function maxEntries(geometry: Geometry): number {
  let most = 0;
  for (const bits of geometry.bits) most = Math.max(most, bits);
  return powerOfTwo(most);
}

/** Field names of a table: its entries, its lock, the list of deposited tables, and the generation of the last deferral. */
export function tableFields(geometry: Geometry): readonly string[] {
  return [...Array.from({ length: maxEntries(geometry) }, (_, i) => `[${i}]`), 'ptl', 'deposit', 'deferredTlbGen'];
}

/** The entry of a table that maps an address (pte_offset, pmd_offset, ...). */
export function entryCell(geometry: Geometry, table: Address, level: number, address: number): Cell {
  return table + entryIndex(geometry, level, address);
}

/** The split page-table lock of a PTE table (ptlock_ptr). */
export function tablePtl(geometry: Geometry, table: Address): Cell {
  return table + maxEntries(geometry);
}

/**
 * The list of PTE tables that stand ready for the huge entries of a table (pmd_huge_pte): its first in the upper table, the next
 * one in each deposited table itself. Under the lock of the upper level.
 */
export function tableDeposit(geometry: Geometry, table: Address): Cell {
  return table + maxEntries(geometry) + 1;
}

/** The generation of the last deferral in a table (page.deferred_tlb_gen, RFC 16). Under its PTL; 0 if there was none. */
export function tableDeferredTlbGen(geometry: Geometry, table: Address): Cell {
  return table + maxEntries(geometry) + 2;
}
