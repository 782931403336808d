/**
 * Page-table pages: a run of entries, and behind them the words that Linux keeps in the table's struct page.
 *
 * All tables of a machine have the size of its largest level, so that one pool serves every level.
 */
import { entryIndex, type Geometry } from './geometry.ts';
import type { Address, Cell } from './struct.ts';

/** Entries of the largest level. */
export function maxEntries(geometry: Geometry): number {
  return 2 ** Math.max(...geometry.bits);
}

/** Field names of a table: its entries and its lock. */
export function tableFields(geometry: Geometry): readonly string[] {
  return [...Array.from({ length: maxEntries(geometry) }, (_, i) => `[${i}]`), 'ptl'];
}

/** The entry of a table that maps an address (pte_offset, pmd_offset, ...). */
export function entryCell(geometry: Geometry, table: Address, level: number, address: number): Cell {
  return table + entryIndex(geometry, level, address);
}

/** The split page-table lock of a PTE table (ptlock_ptr). */
export function tablePtl(geometry: Geometry, table: Address): Cell {
  return table + maxEntries(geometry);
}
