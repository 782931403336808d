/**
 * Races of Linux itself that the suite refutes: in every kernel of some versions, so that runs would end in them, too. A run has them mended, unless
 * it asks for them.
 */
import type { Profile } from '@mmu-gather/core';
import type { StressConfig } from './config.ts';

/** A race, and what mends it. */
export interface MendedRace {
  /** The wrong twin of the suite that shows it. */
  readonly twin: string;
  /** What is wrong, in one line. */
  readonly title: string;
  /** The architecture that it is a race of; all if not given. */
  readonly arch?: string;
  /** Switches of core and mm without it. */
  readonly profile?: Partial<Profile>;
  /** Switches of the backend without it. */
  readonly switches?: Readonly<Record<string, unknown>>;
}

/** All of them. Others are mended in what the suite explores, too. */
export const MENDED_RACES: readonly MendedRace[] = [
  {
    twin: 'T9/naive',
    title: 'before 6.2 a page leaves the reverse map before its flush, and writeback misses a store',
    profile: { delayedRmap: true },
  },
  {
    twin: 's390/D1-test-attach/as-in-linux',
    title: 'a direct flush does not see a CPU that has waited and is not in mm_cpumask yet, and purges locally',
    arch: 's390',
    switches: { attachRepair: 'test-attach' },
  },
];

/** What a run asks for, which stays as it is. */
export interface Asked {
  /** Switches of core and mm. */
  readonly profile: Partial<Profile>;
  /** Switches of the backend. */
  readonly switches: Readonly<Record<string, unknown>>;
}

/** A config without them. */
export function withoutRaces(config: StressConfig, asked: Asked): StressConfig {
  let { profile, switches } = config;
  for (const race of MENDED_RACES) {
    if ((race.arch ?? config.arch) !== config.arch) continue;
    profile = { ...profile, ...race.profile };
    switches = { ...switches, ...race.switches };
  }
  return { ...config, profile: { ...profile, ...asked.profile }, switches: { ...switches, ...asked.switches } };
}
