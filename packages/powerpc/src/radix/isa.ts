/**
 * The hardware side of powerpc with the radix MMU: page tables that the hardware walks, and what tlbie and tlbiel drop (Power ISA 3.0B,
 * book III, 5.10.1.1; arch/powerpc/mm/book3s64/radix_tlb.c).
 *
 * Tags are PIDs. PID 0 is the kernel's: its entries are used under every PID, so they are global here. Three caches, and RIC says which of them
 * an invalidation reaches:
 *
 *     RIC    TLB, ERAT    page walk cache    process table
 *     0      x
 *     1                   x
 *     2      x            x                  x
 *
 * IS says how far: one address of a PID (0; leaves of one page size only), a PID (1), everything (3). An address never reaches the walk cache:
 * unlike x86, a freed table needs RIC 1 or 2. An entry that is not present is never cached.
 *
 * Simplification: tlbiel of a PID reaches one set of the TLB on each issue before ISA 3.1, so software loops over 128. Which set an address
 * falls into is the hardware's business: the first issue of the loop drops them all here, and the others are traced and counted only.
 */
import { ALL, ALL_ASIDS, type Extent, type Geometry, type Isa, NOTHING, type Scope } from '@mmu-gather/core/stepped';

/** The PID of the kernel's own table, and of a CPU that runs no user mm. */
export const RADIX_KERNEL_PID: number = 0;

/** RIC: which caches an invalidation reaches. 0: TLB and ERAT; 1: page walk cache; 2: both, and the process table's. */
export type Ric = 0 | 1 | 2;
/** RIC_FLUSH_TLB. */
export const RIC_FLUSH_TLB: Ric = 0;
/** RIC_FLUSH_PWC. */
export const RIC_FLUSH_PWC: Ric = 1;
/** RIC_FLUSH_ALL. */
export const RIC_FLUSH_ALL: Ric = 2;

/** Radix tables with base pages of 4 KiB: leaves of 4 KiB, 2 MiB and 1 GiB; 52 bits of addresses. */
export const RADIX_4K: Geometry = { pageShift: 12, bits: [9, 9, 9, 13] };
/** Radix tables with base pages of 64 KiB, as most distributions have them: leaves of 64 KiB, 2 MiB and 1 GiB. */
export const RADIX_64K: Geometry = { pageShift: 16, bits: [5, 9, 9, 13] };

/** RIC 0, IS 0: the leaves of one level that map an address of a PID. */
export function radixVaScope(pid: number, page: Extent, level: number, broadcast: boolean): Scope {
  return { asid: pid, leaves: page, walks: NOTHING, globals: pid === RADIX_KERNEL_PID, broadcast, level };
}

/** IS 1: everything of a PID in the caches that RIC names. */
export function radixPidScope(pid: number, ric: Ric, broadcast: boolean): Scope {
  const leaves = ric === RIC_FLUSH_PWC ? NOTHING : ALL;
  const walks = ric === RIC_FLUSH_TLB ? NOTHING : ALL;
  return { asid: pid, leaves, walks, globals: pid === RADIX_KERNEL_PID, broadcast, roots: ric === RIC_FLUSH_ALL };
}

/** RIC 2, IS 3: everything (tlbiel_all, when a CPU comes up or goes down). */
export function radixAllScope(broadcast: boolean): Scope {
  return { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast, roots: true };
}

/**
 * A CPU with radix tables.
 * @param pids how many there are, the kernel's included
 * @param keepsNarrower whether it goes on with an entry by which it has faulted, as a nest MMU does
 */
export function radixIsa(pids: number, keepsNarrower: boolean): Isa {
  const va =
    (broadcast: boolean) =>
    (pid: number, address: number, size: number): Scope =>
      radixVaScope(pid, { start: address, end: address + size }, 0, broadcast);
  const pid =
    (ric: Ric, broadcast: boolean) =>
    (id: number): Scope =>
      radixPidScope(id, ric, broadcast);
  return {
    memoryModel: 'weak',
    multiCopyAtomic: false,
    geometry: RADIX_64K,
    asids: pids,
    broadcasts: true,
    unorderedBroadcasts: true,
    cleanWalks: true,
    keepsNarrower,
    accessed: 'hardware',
    dirty: 'hardware',
    instructions: {
      'tlbie RIC=0 IS=0': va(true),
      'tlbie RIC=0 IS=1': pid(RIC_FLUSH_TLB, true),
      'tlbie RIC=1 IS=1': pid(RIC_FLUSH_PWC, true),
      'tlbie RIC=2 IS=1': pid(RIC_FLUSH_ALL, true),
      'tlbie RIC=2 IS=3': () => radixAllScope(true),
      'tlbiel RIC=0 IS=0': va(false),
      'tlbiel RIC=0 IS=1': pid(RIC_FLUSH_TLB, false),
      'tlbiel RIC=1 IS=1': pid(RIC_FLUSH_PWC, false),
      'tlbiel RIC=2 IS=1': pid(RIC_FLUSH_ALL, false),
      'tlbiel RIC=2 IS=3': () => radixAllScope(false),
    },
  };
}
