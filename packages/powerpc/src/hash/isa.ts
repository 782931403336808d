/**
 * The hardware side of powerpc with the hash MMU: what tlbie and tlbiel drop (Power ISA 3.0B, book III, 5.10.1.1).
 *
 * Nobody walks page tables: a CPU looks into the hash page table, and into the two groups of it where a page may stand. Tags are context
 * ids; what the kernel maps for itself is global. There are no walk caches. An entry that is not valid is never cached.
 */
import { FOUR_LEVELS, type Extent, type Isa, NOTHING, PAGE_SHIFT, type Scope } from '@mmu-gather/core/stepped';

/** The tag of the kernel's own mappings, and of a CPU that runs no user mm. */
export const KERNEL_CONTEXT: number = 0;

function page(address: number, size: number): Extent {
  return { start: address, end: address + size };
}

/** tlbie of one page: on every CPU; done at the issuer's eieio; tlbsync; ptesync. The kernel's mappings are global. */
export function tlbie(context: number, address: number, size: number = 2 ** PAGE_SHIFT): Scope {
  return { ...tlbiel(context, address, size), broadcast: true };
}

/** tlbiel of one page: on this CPU. */
export function tlbiel(context: number, address: number, size: number = 2 ** PAGE_SHIFT): Scope {
  const globals = context === KERNEL_CONTEXT;
  return { asid: context, leaves: page(address, size), walks: NOTHING, globals, broadcast: false };
}

/** A CPU with a hash page table and this many context ids, the kernel's included. */
export function hashIsa(contexts: number): Isa {
  return {
    memoryModel: 'weak',
    multiCopyAtomic: false,
    geometry: FOUR_LEVELS,
    asids: contexts,
    broadcasts: true,
    keepsNarrower: true,
    cleanWalks: false,
    accessed: 'software',
    dirty: 'software',
    instructions: { tlbie, tlbiel },
  };
}
