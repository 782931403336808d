/**
 * Machine facts: what a model must know of the machine that recorded a trace, and what is assumed where nobody says it.
 *
 * A recording does not hold its kernel's version, ASID slots or flush ceiling. `machineOf` turns facts into what boots on
 * the counting machine; every fact that was not given is listed, so that a report can say what it rests on.
 */
import {
  type BootOptions,
  FOUR_LEVELS,
  FOUR_LEVELS_FOLDED,
  type Geometry,
  LINUX_5_11,
  LINUX_6_1,
  LINUX_6_12,
  LINUX_6_18,
  type Profile,
} from '@mmu-gather/core';
import type { BootOptions as SteppedBootOptions } from '@mmu-gather/core/stepped';
import { x86, X86_LINUX_5_11, X86_LINUX_6_1, X86_LINUX_6_12, X86_LINUX_6_18, type X86Switches } from '@mmu-gather/x86';
import { x86 as steppedX86 } from '@mmu-gather/x86/stepped';

/** Where huge pages appear by themselves (transparent_hugepage/enabled). */
export type HugePages = 'always' | 'madvise' | 'never';

/** What is known of a machine; nothing is required. */
export interface MachineFacts {
  /** Kernel version, `6.18.44` or `6.1.0-50-amd64`. */
  readonly kernel?: string;
  /** Number of CPUs; else what the recording's header says. */
  readonly cpus?: number;
  /** X86_FEATURE_PCID. */
  readonly pcid?: boolean;
  /** TLB_NR_DYN_ASIDS. */
  readonly dynAsids?: number;
  /** tlb_single_page_flush_ceiling. */
  readonly ceiling?: number;
  /** Jiffies in a second. */
  readonly hz?: number;
  /** Whether the kernel was built for five page-table levels and runs on four. */
  readonly foldedLevels?: boolean;
  /** transparent_hugepage/enabled. */
  readonly hugePages?: HugePages;
  /** Whether addresses are randomised (randomize_va_space and no `setarch -R`); else learned from the recording. */
  readonly aslr?: boolean;
}

/** What runs instead of the recorded kernel: switches that are set on top of its version's. */
export interface WhatIf {
  /** Switches of core and mm. */
  readonly profile?: Partial<Profile>;
  /** Switches of x86. */
  readonly x86?: Partial<X86Switches>;
}

/** A fact that was not given, and what stands in for it. */
export interface Assumed {
  /** Which fact. */
  readonly fact: keyof MachineFacts;
  /** What stands in for it. */
  readonly value: string | number | boolean;
}

/** What boots, and on which assumptions. */
export interface Machine {
  /** What boots. */
  readonly boot: BootOptions;
  /** The same for the stepped build. */
  readonly steppedBoot: SteppedBootOptions;
  /** Jiffies in a second. */
  readonly hz: number;
  /** Where huge pages appear by themselves. */
  readonly thp: HugePages;
  /** Whether addresses are randomised. */
  readonly aslr: boolean | null;
  /** What is assumed. */
  readonly assumed: readonly Assumed[];
}

/** Stands in for each fact that is not given: a current distribution kernel on a current machine. */
export const DEFAULT_FACTS: Required<MachineFacts> = {
  kernel: '6.18',
  cpus: 2,
  pcid: true,
  dynAsids: 6,
  ceiling: 33,
  hz: 250,
  foldedLevels: true,
  hugePages: 'madvise',
  aslr: false,
};

/** Kernels by the first version that behaves like them, newest first: major * 1000 + minor. */
const VERSIONS: readonly (readonly [since: number, profile: Profile, switches: X86Switches])[] = [
  [6013, LINUX_6_18, X86_LINUX_6_18],
  [6002, LINUX_6_12, X86_LINUX_6_12],
  [6000, LINUX_6_1, X86_LINUX_6_1],
  [0, LINUX_5_11, X86_LINUX_5_11],
];

/** The newest profile and switches that are not newer than a version. */
function versionOf(kernel: string): { profile: Profile; switches: X86Switches } {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [, profile, switches] = VERSIONS.find(([since]) => major * 1000 + minor >= since) ?? VERSIONS.at(-1)!;
  return { profile, switches };
}

/**
 * What boots for a machine.
 * @param cpusSeen the number of CPUs that the recording's header names, if any
 * @param whatIf what runs instead of the recorded kernel
 */
export function machineOf(facts: MachineFacts, cpusSeen: number | null, whatIf: WhatIf = {}): Machine {
  const assumed: Assumed[] = [];
  function given<F extends keyof MachineFacts>(
    fact: F,
    fallback: Required<MachineFacts>[F],
  ): Required<MachineFacts>[F] {
    const value = facts[fact];
    if (value !== undefined) return value as Required<MachineFacts>[F];
    assumed.push({ fact, value: fallback });
    return fallback;
  }
  const version = versionOf(given('kernel', DEFAULT_FACTS.kernel));
  // How far MADV_DONTNEED frees tables depends on where VMAs end.
  const profile: Profile = { ...version.profile, vmaMerge: true, ...whatIf.profile };
  const cpus = facts.cpus ?? cpusSeen ?? given('cpus', DEFAULT_FACTS.cpus);
  const hz = given('hz', DEFAULT_FACTS.hz);
  const geometry: Geometry = given('foldedLevels', DEFAULT_FACTS.foldedLevels) ? FOUR_LEVELS_FOLDED : FOUR_LEVELS;
  const all: X86Switches = {
    ...version.switches,
    ...whatIf.x86,
    hz,
    pcid: given('pcid', DEFAULT_FACTS.pcid),
    dynAsids: given('dynAsids', DEFAULT_FACTS.dynAsids),
    ceiling: given('ceiling', DEFAULT_FACTS.ceiling),
  };
  return {
    boot: { cpus, geometry, backend: x86(all), profile },
    steppedBoot: { cpus, geometry, backend: steppedX86(all), profile },
    hz,
    thp: given('hugePages', DEFAULT_FACTS.hugePages),
    aslr: facts.aslr ?? null,
    assumed,
  };
}
