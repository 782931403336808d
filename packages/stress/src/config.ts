/**
 * StressConfig: what a stress run is, as plain data: every thread makes the same machine of it.
 */
import type { Profile } from '@mmu-gather/core';

/** A stress run. */
export interface StressConfig {
  /** Id of the architecture. */
  readonly arch: string;
  /** Switches of core and mm. */
  readonly profile: Profile;
  /** Switches of the backend. */
  readonly switches: Readonly<Record<string, unknown>>;
  /** Number of CPUs, each on a thread of its own: 2 to 16. */
  readonly cpus: number;
  /** Seed of what each CPU does and when it pauses; not of how threads interleave. From 1 on. */
  readonly seed: number;
}
