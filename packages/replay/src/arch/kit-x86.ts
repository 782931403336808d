/**
 * x86, as its kernels are configured.
 */
import { FOUR_LEVELS, FOUR_LEVELS_FOLDED } from '@mmu-gather/core';
import { x86, X86_PROFILES, type X86Switches } from '@mmu-gather/x86';
import { x86 as steppedX86 } from '@mmu-gather/x86/stepped';
import type { MachineFacts, WhatIf } from '../facts.ts';
import { differs, type Fact, type Kit, type Linked } from './kit.ts';
import { X86 } from './x86.ts';

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
  const kernel: X86Switches = {
    ...X86_PROFILES[version]!,
    ...backports(fact('kernel')),
    ...(invlpgb && version === BROADCASTS.version ? { globalAsids: BROADCASTS.globalAsids } : {}),
  };
  const switches: X86Switches = {
    ...kernel,
    ...whatIf.x86,
    hz,
    pcid: fact('pcid'),
    dynAsids: fact('dynAsids'),
    ceiling: fact('ceiling'),
  };
  const changed = differs(whatIf.x86, kernel);
  return { geometry, direct: x86(switches), stepped: steppedX86(switches), changed };
}

/** Its kit. */
export const KIT: Kit = { arch: X86, config: {}, hugePages: true, link: linkX86 };
