/**
 * Machine facts: what a model must know of the machine that recorded a trace, and what is assumed where nobody says it.
 *
 * A recording does not hold its kernel's version, ASID slots or flush ceiling. `machineOf` turns facts into what boots on
 * the counting machine; every fact that was not given is listed, so that a report can say what it rests on.
 */
import { type BootOptions, LINUX_5_11, LINUX_6_1, LINUX_6_12, LINUX_6_18, type Profile } from '@mmu-gather/core';
import type { BootOptions as SteppedBootOptions } from '@mmu-gather/core/stepped';
import type { X86Switches } from '@mmu-gather/x86';
import type { Architecture } from './arch/arch.ts';
import { differs } from './arch/kit.ts';
import { type ArchId, KITS } from './arch/kits.ts';

/** Where huge pages appear by themselves (transparent_hugepage/enabled). */
export type HugePages = 'always' | 'madvise' | 'never';

/** What is known of a machine; nothing is required. */
export interface MachineFacts {
  /** Whose recording it is: `x86`, `arm64`, `powerpc-radix` or `powerpc-hash`. */
  readonly backend?: ArchId;
  /** Kernel version, `6.18.44`, or `6.1.0-50-amd64 (6.1.176)` where the distribution's name does not say which stable release it is. */
  readonly kernel?: string;
  /** Number of CPUs; else what the recording's header says. */
  readonly cpus?: number;
  /** x86: X86_FEATURE_PCID. */
  readonly pcid?: boolean;
  /** x86: X86_FEATURE_INVLPGB; if nobody says it: no. */
  readonly invlpgb?: boolean;
  /** x86: TLB_NR_DYN_ASIDS. */
  readonly dynAsids?: number;
  /** x86 and powerpc-radix: tlb_single_page_flush_ceiling. */
  readonly ceiling?: number;
  /** Jiffies in a second. */
  readonly hz?: number;
  /** x86: whether the kernel was built for five page-table levels and runs on four. */
  readonly foldedLevels?: boolean;
  /** transparent_hugepage/enabled. */
  readonly hugePages?: HugePages;
  /** Whether files lie on a disk, so that msync writes what is dirty; a system that runs from memory alone has none. */
  readonly disk?: boolean;
  /** Whether addresses are randomised (randomize_va_space and no `setarch -R`); else learned from the recording. */
  readonly aslr?: boolean;
}

/** An architecture in both builds, with the switches that it shall have. */
export interface Backends {
  /** The direct build's. */
  readonly direct: BootOptions['backend'];
  /** The stepped build's. */
  readonly stepped: SteppedBootOptions['backend'];
}

/** What runs instead of the recorded kernel: switches that are set on top of its version's. */
export interface WhatIf {
  /** Another architecture, with {@link WhatIf.profile} whole; page tables stay as they were recorded. */
  readonly backends?: Backends;
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
  /** Whose recording it is. */
  readonly arch: Architecture;
  /** What boots. */
  readonly boot: BootOptions;
  /** The same for the stepped build. */
  readonly steppedBoot: SteppedBootOptions;
  /** It is the machine that recorded it, and not what runs instead. */
  readonly recorded: boolean;
  /** Jiffies in a second. */
  readonly hz: number;
  /** Where huge pages appear by themselves. */
  readonly thp: HugePages;
  /** Whether files lie on a disk. */
  readonly disk: boolean;
  /** Whether addresses are randomised. */
  readonly aslr: boolean | null;
  /** What is assumed. */
  readonly assumed: readonly Assumed[];
}

/** Stands in for each fact that is not given: a current distribution kernel on a current machine. */
export const DEFAULT_FACTS: Required<MachineFacts> = {
  backend: 'x86',
  kernel: '6.18',
  cpus: 2,
  pcid: true,
  invlpgb: false,
  dynAsids: 6,
  ceiling: 33,
  hz: 250,
  foldedLevels: true,
  hugePages: 'madvise',
  disk: true,
  aslr: false,
};

/** Kernels by the first version that behaves like them, newest first: major * 1000 + minor. */
const VERSIONS: readonly (readonly [since: number, profile: Profile, id: string])[] = [
  [6013, LINUX_6_18, 'linux-6.18'],
  [6002, LINUX_6_12, 'linux-6.12'],
  [6000, LINUX_6_1, 'linux-6.1'],
  [0, LINUX_5_11, 'linux-5.11'],
];

/** From here on a write to a huge page of zeroes makes a huge page. */
const HUGE_ZERO_WRITES = 6013;

/** The newest profile that is not newer than a version, and its id. */
function versionOf(kernel: string): { profile: Profile; id: string; hugeZeroPage: 'split' | 'huge' } {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const number = major * 1000 + minor;
  const [, profile, id] = VERSIONS.find(([since]) => number >= since) ?? VERSIONS.at(-1)!;
  return { profile, id, hugeZeroPage: number >= HUGE_ZERO_WRITES ? 'huge' : 'split' };
}

/**
 * What boots for a machine.
 * @param cpusSeen the number of CPUs that the recording's header names, if any
 * @param whatIf what runs instead of the recorded kernel
 */
export async function machineOf(facts: MachineFacts, cpusSeen: number | null, whatIf: WhatIf = {}): Promise<Machine> {
  const assumed: Assumed[] = [];
  function given<F extends keyof MachineFacts>(
    fact: F,
    fallback: Required<MachineFacts>[F],
  ): Required<MachineFacts>[F] {
    const value = facts[fact];
    if (value !== undefined) return value as Required<MachineFacts>[F];
    if (!assumed.some((other) => other.fact === fact)) assumed.push({ fact, value: fallback });
    return fallback;
  }
  const { KIT: kit } = await KITS[given('backend', DEFAULT_FACTS.backend)]();
  const version = versionOf(given('kernel', DEFAULT_FACTS.kernel));
  // How far MADV_DONTNEED frees tables depends on where VMAs end.
  const kernel: Profile = { ...version.profile, vmaMerge: true, ...kit.config };
  const profile: Profile = { ...kernel, ...whatIf.profile };
  const cpus = facts.cpus ?? cpusSeen ?? given('cpus', DEFAULT_FACTS.cpus);
  const hz = given('hz', DEFAULT_FACTS.hz);
  const fact = <F extends keyof MachineFacts>(name: F): Required<MachineFacts>[F] => given(name, DEFAULT_FACTS[name]);
  const { geometry, changed = false, ...own } = kit.link(version.id, fact, hz, whatIf, facts);
  const { direct, stepped } = whatIf.backends ?? own;
  const thp = kit.hugePages ? given('hugePages', DEFAULT_FACTS.hugePages) : 'never';
  const zeroes = thp === 'never' ? {} : { hugeZeroPage: version.hugeZeroPage };
  return {
    arch: kit.arch,
    boot: { cpus, geometry, backend: direct, profile, ...zeroes },
    steppedBoot: { cpus, geometry, backend: stepped, profile, ...zeroes },
    recorded: whatIf.backends === undefined && !changed && !differs(whatIf.profile, kernel),
    hz,
    thp,
    disk: facts.disk ?? DEFAULT_FACTS.disk,
    aslr: facts.aslr ?? null,
    assumed,
  };
}
