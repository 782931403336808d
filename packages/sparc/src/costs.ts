/**
 * What a flush costs on sparc64. There are no published cycle numbers; what is known is which part of it is dear.
 */

/** What a flush of `pages` addresses of one mm does, in units of work. */
export interface FlushCost {
  /** TSB entries that are looked at. */
  readonly tsbEntries: number;
  /** Cross calls, one for each target. */
  readonly crossCalls: number;
  /** Whether they are waited for until they have run; if not, until they are accepted. */
  readonly waits: boolean;
  /** Demaps on each CPU; traps to the hypervisor on sun4v (HV_MMU_UNMAP_ADDR). */
  readonly demaps: number;
}

/** Of all flushes of batches, those with one address: about 2 of 3 (f36391d2790d, 2013). Waiting for siblings was the dear part of the others. */
export const SINGLE_PAGE_SHARE: number = 2 / 3;

/**
 * What a flush of some addresses costs.
 * @param pages how many addresses
 * @param targets CPUs in mm_cpumask besides this one
 */
export function flushCost(pages: number, targets: number): FlushCost {
  return { tsbEntries: pages, crossCalls: targets, waits: pages > 1, demaps: pages };
}
