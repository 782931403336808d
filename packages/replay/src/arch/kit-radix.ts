/**
 * powerpc with radix page tables, as its kernels are configured.
 */
import type { Geometry } from '@mmu-gather/core';
import { powerpcRadix, RADIX_64K, RADIX_PROFILES } from '@mmu-gather/powerpc';
import { powerpcRadix as steppedRadix } from '@mmu-gather/powerpc/stepped';
import { type Fact, GENERIC, type Kit, type Linked } from './kit.ts';
import { RADIX } from './radix.ts';

/** Distributions build for pages of 64 KiB. */
const RADIX_LEVELS: Geometry = { ...RADIX_64K, userEnd: 2 ** 52 };

function linkRadix(version: string, fact: Fact): Linked {
  const switches = { ...RADIX_PROFILES[version]!, ceiling: fact('ceiling') };
  return { geometry: RADIX_LEVELS, direct: powerpcRadix(switches), stepped: steppedRadix(switches) };
}

/** Its kit. */
export const KIT: Kit = { arch: RADIX, config: GENERIC, hugePages: true, link: linkRadix };
