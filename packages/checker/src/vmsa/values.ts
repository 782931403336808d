/**
 * Values: what words mean to the VMSA machine. The program's side of it; all pure.
 */
import type { RmwOperation } from '../bare.ts';
import type { EntryFields } from './entry.ts';

/** Where an address leads: a virtual one to the cell of its entry and an offset in the page, a physical one to a cell. */
export type Place = VirtualPlace | PhysicalPlace;

/** Through an entry. */
export interface VirtualPlace {
  /** The cell of the entry. */
  readonly entry: number;
  /** In the page. */
  readonly offset: number;
}

/** Without translation. */
export interface PhysicalPlace {
  /** There is no entry. */
  readonly entry?: undefined;
  /** The cell. */
  readonly cell: number;
}

/** What words mean. */
export interface Values {
  /** Where an address leads. */
  place(address: number): Place;
  /** The cell of an offset in the page that an entry maps. */
  cell(entry: number, offset: number): number;
  /** What hardware looks at in an entry. */
  fields(entry: number): EntryFields;
  /** An entry with flags set. */
  set(entry: number, accessed: boolean, dirty: boolean): number;
  /** What an atomic stores. */
  combine(operation: RmwOperation, old: number, operand: number): number;
}
