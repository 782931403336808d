/**
 * ProfileSpec: a batching system as data. A kernel version, and what the system changes of it.
 *
 *     kernel     whose switches core, mm and each backend start from
 *     switches   what of core's and mm's is other
 *     backend    what of a backend's is other, by backend id
 *     breaks     scenarios that do not hold in it, each with the oracle that says so
 *     mends      wrong twins that it makes harmless, each with why
 *
 * The suite expects exactly that: a scenario in `breaks` must be violated by its oracle, every other one must hold; a twin in
 * `mends` must hold, every other one must be violated. The twins of a scenario that breaks are not run, for they prove nothing. What an
 * architecture breaks and mends in every profile is its own to say (architecture.ts).
 */
import { LINUX_5_11, LINUX_6_1, LINUX_6_12, LINUX_6_18, type Profile, type Switches } from '@mmu-gather/core/stepped';
import type { BackendOverrides } from '../scenario.ts';

/** A kernel version that switches start from. */
export type KernelId = 'linux-5.11' | 'linux-6.1' | 'linux-6.12' | 'linux-6.18';

/** A scenario that does not hold in a profile. */
export interface Broken {
  /** The oracle that is violated; one of several if the race can end so. */
  readonly oracle: string | readonly string[];
  /** Which defect it is, by number if it has one: `D3: a generation is used twice`. */
  readonly why: string;
}

/** A batching system. */
export interface ProfileSpec {
  /** Id in tables and options. */
  readonly id: string;
  /** What it is, in one line. */
  readonly title: string;
  /** Where it comes from: version, patch series, mail. */
  readonly source: string;
  /** The kernel version that it starts from. */
  readonly kernel: KernelId;
  /** Its values of core's and mm's switches, where they differ from the kernel's. */
  readonly switches: Partial<Switches>;
  /** Its values of backends' switches, by backend id, where they differ from the kernel's. */
  readonly backend: BackendOverrides;
  /** Scenarios that do not hold in it, by key (keys.ts). */
  readonly breaks?: Readonly<Record<string, Broken>>;
  /** Wrong twins that it makes harmless, by key, and why they are. */
  readonly mends?: Readonly<Record<string, string>>;
}

/** The switches of core and mm in each kernel version. */
export const KERNELS: Readonly<Record<KernelId, Profile>> = {
  'linux-5.11': LINUX_5_11,
  'linux-6.1': LINUX_6_1,
  'linux-6.12': LINUX_6_12,
  'linux-6.18': LINUX_6_18,
};

/** The switches of core and mm in a profile. @param config what the architecture selects of them */
export function profileOf(spec: ProfileSpec, config: Partial<Switches> = {}): Profile {
  return { ...KERNELS[spec.kernel], ...config, ...spec.switches, id: spec.id };
}
