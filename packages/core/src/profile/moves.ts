/**
 * Switches of mappings that move or have no struct page: mremap, PFNMAP, the kernel's vmap areas.
 */
import { type Axes, axis } from './axis.ts';

/** Behaviour switches of moves. */
export interface MoveSwitches {
  /** Whether VMAs without struct page are flushed before they are unlinked from their file (5.19 on; without: trace T15). */
  readonly pfnmapFlush: boolean;
}

/** As in Linux 5.11. */
export const MOVES_5_11: MoveSwitches = { pfnmapFlush: false };

/** What Linux 6.18 changed. */
export const MOVES_6_18: Partial<MoveSwitches> = { pfnmapFlush: true };

/** Values of the switches. */
export const MOVE_AXES: Axes<MoveSwitches> = { pfnmapFlush: axis([true], [false]) };
