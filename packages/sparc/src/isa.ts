/**
 * The hardware side of sparc64: memory model, page-table shape, and what each demap drops (UltraSPARC manuals, chapter MMU; sun4v
 * hypervisor API).
 *
 * Software or the hypervisor fills TLBs, from a table of translations in memory (TSB, tsb.ts); nothing but the kernel's miss handler reads
 * page tables, so there are no walk caches. Tags are context numbers: one number means one address space on all CPUs. Accessed and
 * dirty bits are software's: an entry without the one is not valid, one without the other is read-only.
 *
 * A cross call of one demap (mondo) runs at trap level 1 before the next instruction of its target, whatever the priority level there,
 * so that it is one step here: an invalidation on the CPUs of {@link Scope.cpus}. See cross-call.ts.
 */
import { ALL, ALL_ASIDS, type Extent, type Geometry, type Isa, NOTHING, type Scope } from '@mmu-gather/core/stepped';

/** Page tables of sparc64: 8 KiB pages, four levels of 1024 entries, 53 bits of address. */
export const SPARC64_LEVELS: Geometry = { pageShift: 13, bits: [10, 10, 10, 10] };

/** Context number of the kernel (nucleus). */
export const NUCLEUS: number = 0;

/** Demap of a page, data TLB alone: DMMU demap 0x10 (secondary) or 0x00 (primary). What allows execution stays in the instruction TLB. */
export function demapData(ctx: number, address: number, bytes: number): Scope {
  return { ...demapPage(ctx, address, bytes), data: true };
}

/**
 * Demap of a page in both TLBs: IMMU and DMMU demap, or HV_MMU_UNMAP_ADDR.
 * @param address first address of the page
 * @param bytes its size
 */
export function demapPage(ctx: number, address: number, bytes: number): Scope {
  return {
    asid: ctx,
    leaves: { start: address, end: address + bytes },
    walks: NOTHING,
    globals: false,
    broadcast: false,
  };
}

/** Demap of a context: 0x50 (secondary) or 0x40 (primary), HV_FAST_MMU_DEMAP_CTX. */
export function demapContext(ctx: number): Scope {
  return { asid: ctx, leaves: ALL, walks: NOTHING, globals: false, broadcast: false };
}

/**
 * Demap of kernel pages, 0x20 (nucleus). There are no pointers to tables to be dropped; the exploring machine walks the kernel's table as on
 * machines that have them, so they go along.
 */
export function demapNucleus(range: Extent): Scope {
  return { asid: NUCLEUS, leaves: range, walks: ALL, globals: true, broadcast: false };
}

/** Demap of everything that is not locked, 0x80. */
export function demapAll(): Scope {
  return { asid: ALL_ASIDS, leaves: ALL, walks: NOTHING, globals: true, broadcast: false };
}

/** A sparc64 CPU with this many context numbers. */
export function sparc64Isa(contexts: number): Isa {
  return {
    memoryModel: 'tso',
    multiCopyAtomic: true,
    geometry: SPARC64_LEVELS,
    asids: contexts,
    broadcasts: false,
    cleanWalks: false,
    accessed: 'software',
    dirty: 'software',
    instructions: {
      DEMAP_PAGE: demapPage,
      DEMAP_DATA: demapData,
      DEMAP_CONTEXT: demapContext,
      DEMAP_NUCLEUS: (_ctx, address, size) => demapNucleus({ start: address, end: address + size }),
      DEMAP_ALL: demapAll,
      HV_MMU_UNMAP_ADDR: demapPage,
      HV_FAST_MMU_DEMAP_CTX: demapContext,
    },
  };
}
