/**
 * Versions: when each switch took the value that it has in 6.18, and the kernels between 5.11 and 6.18 that follow from it.
 *
 * A switch that took other values in between has the docstring of its own to say so; none of them does in a kernel listed here.
 */
import { LINUX_5_11, LINUX_6_18, type Profile, type Switches } from './profile.ts';

/** The first version with the value of 6.18, of each switch that 5.11 has another value of. */
export const SINCE: Readonly<Partial<Record<keyof Switches, string>>> = {
  uffdWpPendingFlush: '5.12',
  clearRefs: '5.12',
  movePmdRmapLocks: '5.14',
  batchedPending: '5.17',
  changeProtection: '5.19',
  needsFlush: '5.19',
  anonReuse: '5.19',
  hugeProtect: '5.19',
  pfnmapFlush: '5.19',
  mprotectWritable: '6.1',
  gupRecheck: '6.1',
  collapseSync: '6.1',
  delayedRmap: '6.2',
  perVmaLocks: '6.4',
  pteMap: '6.5',
  retract: '6.5',
  gatherBatch: '6.9',
  ptReclaim: '6.14',
  tableFree: '6.14',
  tableRemoveOne: '6.14',
  madviseGather: '6.16',
};

/** Linux 6.1. */
export const LINUX_6_1: Profile = kernel('linux-6.1', '6.1');

/** Linux 6.12. */
export const LINUX_6_12: Profile = kernel('linux-6.12', '6.12');

/** 5.11 with what a version had of 6.18. */
function kernel(id: string, version: string): Profile {
  const there = Object.entries(SINCE).filter(([, since]) => number(since) <= number(version));
  const values = there.map(([key]) => [key, LINUX_6_18[key as keyof Switches]]);
  return { ...LINUX_5_11, ...(Object.fromEntries(values) as Partial<Switches>), id };
}

/** `6.12` as a number that grows with the version. */
function number(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 1000 + minor;
}
