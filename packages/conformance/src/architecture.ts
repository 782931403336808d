/**
 * Architectures: a backend, and which of its switches belong to which profile. A third party's backend is one more.
 */
import type { BackendSpec, Profile } from '@mmu-gather/core/stepped';
import { LINUX_5_11, LINUX_6_18 } from '@mmu-gather/core/stepped';
import { x86, X86_PROFILES, type X86Switches } from '@mmu-gather/x86/stepped';

/** A backend as the suite uses it. */
export interface Architecture {
  /** Its id, equal to the backend's. */
  readonly id: string;
  /** Ids of the profiles it knows. */
  readonly profiles: readonly string[];
  /**
   * The backend for a profile, small enough to be explored, with some switches overridden.
   * Throws if a switch does not exist.
   */
  backend(profile: string, overrides: Readonly<Record<string, unknown>>): BackendSpec;
}

/** ASID slots of an explored CPU: two show every reuse that six do. */
const EXPLORED_ASIDS = 2;

/** x86 with the switches of each kernel version. */
export const X86: Architecture = {
  id: 'x86',
  profiles: Object.keys(X86_PROFILES),
  backend(profile, overrides) {
    const base = X86_PROFILES[profile];
    if (base === undefined)
      throw new Error(`x86 has no profile '${profile}': it has ${Object.keys(X86_PROFILES).join(', ')}`);
    for (const key of Object.keys(overrides)) {
      if (!(key in base)) throw new Error(`x86 has no switch '${key}': it has ${Object.keys(base).join(', ')}`);
    }
    return x86({ ...base, dynAsids: EXPLORED_ASIDS, ...(overrides as Partial<X86Switches>) });
  },
};

/** All architectures of this repository. */
export const ARCHITECTURES: readonly Architecture[] = [X86];

/** The profiles, by id. */
export const PROFILES: Readonly<Record<string, Profile>> = {
  'linux-5.11': LINUX_5_11,
  'linux-6.18': LINUX_6_18,
};
