/**
 * A profile: which batching scheme each generic mm operation uses. Kernel versions and proposals differ by these
 * switches, never by forks of the code; the backend has switches of its own. Wrong values exist as values too: they are
 * what the naive twins of scenarios select.
 *
 * Switches stand in areas, one file each: the values of 5.11, what 6.18 changed, and which values there are.
 */
import type { Axis } from './axis.ts';
import { DEFERRAL_5_11, DEFERRAL_6_18, DEFERRAL_AXES, type DeferralSwitches } from './deferral.ts';
import { DESIGN_AXES, DESIGNS_5_11, DESIGNS_6_18, type DesignSwitches } from './designs.ts';
import { GATHER_5_11, GATHER_6_18, GATHER_AXES, type GatherSwitches } from './gather.ts';
import { LAZY_MMU_5_11, LAZY_MMU_6_18, LAZY_MMU_AXES, type LazyMmuSwitches } from './lazy-mmu.ts';
import { MOVE_AXES, MOVES_5_11, MOVES_6_18, type MoveSwitches } from './moves.ts';
import { RIGHTS_5_11, RIGHTS_6_18, RIGHTS_AXES, type RightsSwitches } from './rights.ts';
import { RMAP_5_11, RMAP_6_18, RMAP_AXES, type RmapSwitches } from './rmap.ts';
import { TABLE_AXES, TABLES_5_11, TABLES_6_18, type TableSwitches } from './tables.ts';

/** All switches of core and mm. */
export interface Switches
  extends GatherSwitches,
    RightsSwitches,
    RmapSwitches,
    MoveSwitches,
    TableSwitches,
    LazyMmuSwitches,
    DeferralSwitches,
    DesignSwitches {}

/** Switches, and the name of their combination. */
export interface Profile extends Switches {
  /** Id in tables and options. */
  readonly id: string;
}

/** Linux 5.11: the kernel that the 2021 RFC was written against. */
export const LINUX_5_11: Profile = {
  id: 'linux-5.11',
  ...GATHER_5_11,
  ...RIGHTS_5_11,
  ...RMAP_5_11,
  ...MOVES_5_11,
  ...TABLES_5_11,
  ...LAZY_MMU_5_11,
  ...DEFERRAL_5_11,
  ...DESIGNS_5_11,
};

/** Linux 6.18. */
export const LINUX_6_18: Profile = {
  ...LINUX_5_11,
  id: 'linux-6.18',
  ...GATHER_6_18,
  ...RIGHTS_6_18,
  ...RMAP_6_18,
  ...MOVES_6_18,
  ...TABLES_6_18,
  ...LAZY_MMU_6_18,
  ...DEFERRAL_6_18,
  ...DESIGNS_6_18,
};

/** The values of every switch. */
export const AXES: Readonly<Record<keyof Switches, Axis>> = {
  ...GATHER_AXES,
  ...RIGHTS_AXES,
  ...RMAP_AXES,
  ...MOVE_AXES,
  ...TABLE_AXES,
  ...LAZY_MMU_AXES,
  ...DEFERRAL_AXES,
  ...DESIGN_AXES,
};
