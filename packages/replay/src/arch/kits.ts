/**
 * Kits: for each architecture its recordings' ways, and the backend in both builds as a kernel of a version and a machine have it.
 */
import { arm64, ARM64_PROFILES } from '@mmu-gather/arm64';
import { arm64 as steppedArm64 } from '@mmu-gather/arm64/stepped';
import { type BackendSpec, FOUR_LEVELS, FOUR_LEVELS_FOLDED, type Geometry, type Profile } from '@mmu-gather/core';
import type { BackendSpec as SteppedBackendSpec } from '@mmu-gather/core/stepped';
import { HASH_PROFILES, powerpcHash, powerpcRadix, RADIX_64K, RADIX_PROFILES } from '@mmu-gather/powerpc';
import { powerpcHash as steppedHash, powerpcRadix as steppedRadix } from '@mmu-gather/powerpc/stepped';
import { x86, X86_PROFILES, type X86Switches } from '@mmu-gather/x86';
import { x86 as steppedX86 } from '@mmu-gather/x86/stepped';
import type { MachineFacts, WhatIf } from '../facts.ts';
import type { Architecture } from './arch.ts';
import { ARM64 } from './arm64.ts';
import { HASH } from './hash.ts';
import { RADIX } from './radix.ts';
import { X86 } from './x86.ts';

/** Architectures whose recordings can be replayed. */
export type ArchId = 'x86' | 'arm64' | 'powerpc-radix' | 'powerpc-hash';

/** Tells a fact, or what stands in for it. */
type Fact = <F extends keyof MachineFacts>(name: F) => Required<MachineFacts>[F];

/** What boots. */
interface Linked {
  readonly geometry: Geometry;
  readonly direct: BackendSpec;
  readonly stepped: SteppedBackendSpec;
}

/** One architecture. */
interface Kit {
  readonly arch: Architecture;
  /** What its kernels are configured for, and do in their own way. */
  readonly config: Partial<Profile>;
  /** Whether it has transparent huge pages. */
  readonly hugePages: boolean;
  /** @param version id of a kernel's profile */
  readonly link: (version: string, fact: Fact, hz: number, whatIf: WhatIf, facts: MachineFacts) => Linked;
}

/** Stable releases from which on flush_tlb_range says that tables may have been freed (CVE-2025-22045): patch by series. */
const RANGE_FREES_TABLES: Readonly<Record<string, number>> = {
  '5.10': 236,
  '5.15': 180,
  '6.1': 134,
  '6.6': 87,
  '6.12': 23,
  '6.13': 11,
  '6.14': 2,
};

/** What a stable kernel has of later ones. Distributions name it behind their own name: `6.1.0-50-amd64 (6.1.176)`. */
function backports(kernel: string): Partial<X86Switches> {
  const [, series = '', patch] = /(\d+\.\d+)\.(\d+)\)$/.exec(kernel) ?? /^(\d+\.\d+)\.(\d+)/.exec(kernel) ?? [];
  return Number(patch) >= (RANGE_FREES_TABLES[series] ?? Infinity) ? { rangeFreesTables: true } : {};
}

/** The first profile of kernels that use INVLPGB (6.15 on), and how many global ASIDs they then have here. */
const BROADCASTS = { version: 'linux-6.18', globalAsids: 31 } as const;

function linkX86(version: string, fact: Fact, hz: number, whatIf: WhatIf, { invlpgb = false }: MachineFacts): Linked {
  const geometry = fact('foldedLevels') ? FOUR_LEVELS_FOLDED : FOUR_LEVELS;
  const switches: X86Switches = {
    ...X86_PROFILES[version]!,
    ...backports(fact('kernel')),
    ...(invlpgb && version === BROADCASTS.version ? { globalAsids: BROADCASTS.globalAsids } : {}),
    ...whatIf.x86,
    hz,
    pcid: fact('pcid'),
    dynAsids: fact('dynAsids'),
    ceiling: fact('ceiling'),
  };
  return { geometry, direct: x86(switches), stepped: steppedX86(switches) };
}

/** All of the 48 bits are user space's: the kernel has tables of its own. */
const ARM64_LEVELS: Geometry = { ...FOUR_LEVELS, userEnd: 2 ** 48 };

function linkArm64(version: string): Linked {
  const switches = ARM64_PROFILES[version]!;
  return { geometry: ARM64_LEVELS, direct: arm64(switches), stepped: steppedArm64(switches) };
}

/** Distributions build for pages of 64 KiB. */
const RADIX_LEVELS: Geometry = { ...RADIX_64K, userEnd: 2 ** 52 };

function linkRadix(version: string, fact: Fact): Linked {
  const switches = { ...RADIX_PROFILES[version]!, ceiling: fact('ceiling') };
  return { geometry: RADIX_LEVELS, direct: powerpcRadix(switches), stepped: steppedRadix(switches) };
}

/** H_PTE_INDEX_SIZE and its sisters, with pages of 64 KiB. */
const HASH_LEVELS: Geometry = { pageShift: 16, bits: [8, 10, 10, 8], userEnd: 2 ** 52 };
/** Context ids: a machine has more, and as many are in use at a time as there are processes. */
const CONTEXTS = 4096;
/** Groups of the hash page table. Evictions need not be as recorded: nothing of a flush depends on them. */
const GROUPS = 2 ** 14;

function linkHash(version: string): Linked {
  // Faults that user mode takes preload, others do not: who knows which is which asks for it (Architecture.preloads).
  const own = { platform: 'lpar', preload: false, contexts: CONTEXTS, groups: GROUPS } as const;
  const switches = { ...HASH_PROFILES[version]!, ...own };
  return { geometry: HASH_LEVELS, direct: powerpcHash(switches), stepped: steppedHash(switches) };
}

/** Tables are freed after a grace period, and not by madvise; pmdp_invalidate_ad is pmdp_invalidate, which flushes. */
const GENERIC: Partial<Profile> = {
  tableFree: 'rcu',
  ptReclaim: false,
  tableRemoveOne: 'ipi-sync',
  hugeProtect: 'flush',
  coldHuge: 'flush',
};

/** All of them. */
export const KITS: Readonly<Record<ArchId, Kit>> = {
  x86: { arch: X86, config: {}, hugePages: true, link: linkX86 },
  arm64: { arch: ARM64, config: { ...GENERIC, mergeVmas: false }, hugePages: true, link: linkArm64 },
  'powerpc-radix': { arch: RADIX, config: GENERIC, hugePages: true, link: linkRadix },
  'powerpc-hash': { arch: HASH, config: GENERIC, hugePages: false, link: linkHash },
};

/** Their ids. */
export const ARCH_IDS: readonly string[] = Object.keys(KITS);
