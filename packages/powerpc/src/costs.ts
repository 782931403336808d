/**
 * What flushes cost on powerpc. There are no published cycle numbers; what is known is how many instructions a flush is, and what kernels gained
 * by doing fewer.
 */

/** A flush with the radix MMU, in units of work. */
export interface RadixFlushCost {
  /** Instructions that every CPU of the machine hears. */
  readonly tlbie: number;
  /** Instructions of this CPU alone. */
  readonly tlbiel: number;
  /** Waits for all CPUs: eieio; tlbsync; ptesync. */
  readonly tlbsync: number;
}

/**
 * A flush of addresses of one PID.
 * @param pages how many; null for the whole PID
 * @param local whether this CPU alone is flushed
 * @param sets sets of the TLB that tlbiel of a PID loops over: 128 on POWER9, 1 from ISA 3.1 on
 */
export function radixFlushCost(pages: number | null, local: boolean, sets: number): RadixFlushCost {
  if (!local) return { tlbie: pages ?? 1, tlbiel: 0, tlbsync: 1 };
  return { tlbie: 0, tlbiel: pages ?? sets, tlbsync: 0 };
}

/** tlbie instructions of a kernel compile, in millions: without trimming of mm_cpumask, and with it (0cef77c7798a, 4.18). */
export const TLBIE_OF_A_BUILD_UNTRIMMED: number = 0.9;
/** See {@link TLBIE_OF_A_BUILD_UNTRIMMED}. */
export const TLBIE_OF_A_BUILD_TRIMMED: number = 0.12;
/** Tlbies of a kernel build before and after flushes of mms that nobody uses were left out, in thousands (2020-12-17, 3/7). */
export const TLBIE_OF_A_BUILD_BEFORE_NONE: number = 120;
/** See {@link TLBIE_OF_A_BUILD_BEFORE_NONE}. */
export const TLBIE_OF_A_BUILD_WITH_NONE: number = 45;
/** Context switches a second on 192 CPUs, in millions, with counted lazy references and with the shootdown of 6.4 (2023-01). */
export const SWITCHES_WITH_REFERENCES: number = 1;
/** See {@link SWITCHES_WITH_REFERENCES}. */
export const SWITCHES_WITH_SHOOTDOWN: number = 118;
/** Interrupts of a kernel build that the shootdown costs: by itself, and with the last flush of an mm merged into it (2023-02). */
export const IPIS_OF_SHOOTDOWN: number = 314;
/** See {@link IPIS_OF_SHOOTDOWN}. */
export const IPIS_OF_MERGED_SHOOTDOWN: number = 3;

/** A flush with the hash MMU, in units of work. */
export interface HashFlushCost {
  /** Entries of the hash page table that are taken out of it. */
  readonly hptes: number;
  /** Calls of the hypervisor, which does the rest; 0 where the kernel does it itself. */
  readonly hcalls: number;
  /** Instructions that every CPU of the machine hears. */
  readonly tlbie: number;
  /** Instructions of this CPU alone. */
  readonly tlbiel: number;
  /** Waits for all CPUs: eieio; tlbsync; ptesync. */
  readonly tlbsync: number;
}

/** Pages of an H_BULK_REMOVE, and of the aligned block of an H_BLOCK_REMOVE (pseries/lpar.c). */
export const BULK_REMOVE_PAGES: number = 4;
/** See {@link BULK_REMOVE_PAGES}. */
export const BLOCK_REMOVE_PAGES: number = 8;

/**
 * A flush of pages of one mm, which a section has collected, or of one page outside of any.
 * @param local whether this CPU alone has used the mm
 * @param perHcall pages that one call of the hypervisor takes; null where the kernel does it itself
 */
export function hashFlushCost(pages: number, local: boolean, perHcall: number | null): HashFlushCost {
  if (perHcall !== null) return { hptes: pages, hcalls: Math.ceil(pages / perHcall), tlbie: 0, tlbiel: 0, tlbsync: 0 };
  return { hptes: pages, hcalls: 0, tlbie: local ? 0 : pages, tlbiel: local ? pages : 0, tlbsync: local ? 0 : 1 };
}
