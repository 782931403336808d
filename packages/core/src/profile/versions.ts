/**
 * Versions: when each switch took the value that it has in 6.18, and the kernels between 5.11 and 6.18 that follow from it.
 *
 * A switch that took other values in between has the docstring of its own to say so.
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
  mprotectWritable: '6.1',
  gupRecheck: '6.1',
  collapseSync: '6.1',
  delayedRmap: '6.2',
  hugeProtectWritable: '6.2',
  uffdResolveWritable: '6.3',
  perVmaLocks: '6.4',
  pteMap: '6.5',
  retract: '6.5',
  gatherBatch: '6.9',
  pageoutAges: '6.10',
  coldHuge: '6.13',
  ptReclaim: '6.14',
  tableFree: '6.14',
  tableRemoveOne: '6.14',
  madviseGather: '6.16',
  vmapSections: '6.16',
  madviseDrains: '6.16',
  pfnmapFlush: '6.16',
};

/** Values that are neither those of 5.11 nor those of 6.18, and the first version with them. They end where {@link SINCE} says. */
const BETWEEN: readonly (readonly [since: string, values: Partial<Switches>])[] = [
  ['5.19', { pfnmapFlush: 'vma-end' }],
];

/** Linux 6.1. */
export const LINUX_6_1: Profile = kernel('linux-6.1', '6.1');

/** Linux 6.12. */
export const LINUX_6_12: Profile = kernel('linux-6.12', '6.12');

/** 5.11 with what a version had of 6.18. */
function kernel(id: string, version: string): Profile {
  const there = Object.entries(SINCE).filter(([, since]) => number(since) <= number(version));
  const values = there.map(([key]) => [key, LINUX_6_18[key as keyof Switches]]);
  const between = BETWEEN.filter(([since]) => number(since) <= number(version)).map(([, each]) => each);
  return { ...LINUX_5_11, ...Object.assign({}, ...between), ...(Object.fromEntries(values) as Partial<Switches>), id };
}

/** `6.12` as a number that grows with the version. */
function number(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 1000 + minor;
}
