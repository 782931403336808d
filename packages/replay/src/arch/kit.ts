/**
 * Kit: an architecture's recordings' ways, and its backend in both builds as a kernel of a version and a machine have it.
 */
import type { BackendSpec, Geometry, Profile } from '@mmu-gather/core';
import type { BackendSpec as SteppedBackendSpec } from '@mmu-gather/core/stepped';
import type { MachineFacts, WhatIf } from '../facts.ts';
import type { Architecture } from './arch.ts';

/** Tells a fact, or what stands in for it. */
export type Fact = <F extends keyof MachineFacts>(name: F) => Required<MachineFacts>[F];

/** What boots. */
export interface Linked {
  readonly geometry: Geometry;
  readonly direct: BackendSpec;
  readonly stepped: SteppedBackendSpec;
  /** What shall run instead has other switches than the kernel that was recorded. */
  readonly changed?: boolean;
}

/** One architecture. */
export interface Kit {
  readonly arch: Architecture;
  /** What its kernels are configured for, and do in their own way. */
  readonly config: Partial<Profile>;
  /** Whether it has transparent huge pages. */
  readonly hugePages: boolean;
  /** @param version id of a kernel's profile */
  readonly link: (version: string, fact: Fact, hz: number, whatIf: WhatIf, facts: MachineFacts) => Linked;
}

/** Tables are freed after a grace period, and not by madvise; pmdp_invalidate_ad is pmdp_invalidate, which flushes. */
export const GENERIC: Partial<Profile> = {
  tableFree: 'rcu',
  ptReclaim: false,
  tableRemoveOne: 'ipi-sync',
  hugeProtect: 'flush',
  coldHuge: 'flush',
};

/** Whether switches that are set differ from those that are there. */
export function differs<T extends object>(set: Partial<T> | undefined, there: T): boolean {
  return Object.entries(set ?? {}).some(([name, value]) => there[name as keyof T] !== value);
}
