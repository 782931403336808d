/**
 * Addresses of the kernel that are mapped by page table: vmap, vmalloc (struct vmap_area, mm/vmalloc.c).
 */
import { type Cell, type Handle, type Struct, struct } from './struct.ts';

/** A range of kernel addresses in use, or not in use any more and not flushed yet. */
export interface VmapArea extends Handle {
  /** First address. */
  readonly start: Cell;
  /** First address past it. */
  readonly end: Cell;
  /** Next area of the same list; 0 at the end. */
  readonly next: Cell;
  /** The newest full flush of kernel addresses that had begun when the area was unmapped. */
  readonly gen: Cell;
}
/** Struct type of {@link VmapArea}. */
export const VmapArea: Struct<VmapArea> = struct<VmapArea>('area', ['start', 'end', 'next', 'gen']);

/** What all CPUs share of vmap: two lists and their locks. */
export interface VmapLists extends Handle {
  /** Protects both lists (vmap_area_lock, free_vmap_area_lock). */
  readonly lock: Cell;
  /** vmap_purge_lock: one purge at a time. */
  readonly purgeLock: Cell;
  /** Areas in use. */
  readonly busy: Cell;
  /** Areas that were unmapped and not flushed yet: TLBs may still hold entries for them (purge_vmap_area_list). */
  readonly lazy: Cell;
  /** Pages of the areas in `lazy` (vmap_lazy_nr). Marked accesses. */
  readonly lazyPages: Cell;
  /** Full flushes of kernel addresses that have begun, where areas remember them. Marked accesses. 64 bits. */
  readonly flushBegun: Cell;
  /** The newest of them that has ended. Marked accesses. 64 bits. */
  readonly flushDone: Cell;
}
/** Struct type of {@link VmapLists}. */
export const VmapLists: Struct<VmapLists> = struct<VmapLists>('vmap', [
  'lock',
  'purgeLock',
  'busy',
  'lazy',
  'lazyPages',
  'flushBegun',
  'flushDone',
]);
