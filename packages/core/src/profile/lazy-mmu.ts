/**
 * Switches of lazy MMU mode: sections in which an architecture may collect what PTE changes ask of it.
 */
import { type Axes, axis } from './axis.ts';

/** Behaviour switches of lazy MMU mode. */
export interface LazyMmuSwitches {
  /** When a section ends: before its PTL is dropped, or (wrong) after. */
  readonly leaveLazyMmu: 'before-unlock' | 'after-unlock';
}

/** As in Linux 5.11. */
export const LAZY_MMU_5_11: LazyMmuSwitches = { leaveLazyMmu: 'before-unlock' };

/** Values of the switches. */
export const LAZY_MMU_AXES: Axes<LazyMmuSwitches> = { leaveLazyMmu: axis(['before-unlock'], ['after-unlock']) };
