/**
 * Switches of lazy MMU mode: sections in which an architecture may collect what PTE changes ask of it.
 */
import { type Axes, axis } from './axis.ts';

/** Behaviour switches of lazy MMU mode. */
export interface LazyMmuSwitches {
  /** When a section ends: before its PTL is dropped, or (wrong) after. */
  readonly leaveLazyMmu: 'before-unlock' | 'after-unlock';
  /**
   * What a section inside another one does:
   * - `none`: there is none (up to 6.19)
   * - `counts`: the task counts them; the end of an inner one does what was collected (K. Brodsky, 2025-12-15, v6 07 to 09/14)
   * - `refcount`: the task counts them; only the end of the outermost one does what was collected (posted 2023-10 and dropped; wrong:
   *   whoever ends an inner one drops his lock with his changes undone)
   */
  readonly lazyMmuNesting: 'none' | 'counts' | 'refcount';
  /** Whether vmap and vunmap change the entries of kernel addresses in sections, without a lock (6.16 on). */
  readonly vmapSections: boolean;
}

/** As in Linux 5.11. */
export const LAZY_MMU_5_11: LazyMmuSwitches = {
  leaveLazyMmu: 'before-unlock',
  lazyMmuNesting: 'none',
  vmapSections: false,
};

/** What is other in Linux 6.18. */
export const LAZY_MMU_6_18: Partial<LazyMmuSwitches> = { vmapSections: true };

/** Values of the switches. */
export const LAZY_MMU_AXES: Axes<LazyMmuSwitches> = {
  leaveLazyMmu: axis(['before-unlock'], ['after-unlock']),
  lazyMmuNesting: axis(['none', 'counts'], ['refcount']),
  vmapSections: axis([false, true]),
};
