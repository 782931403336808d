/**
 * arm64, as its kernels are configured.
 */
import { arm64, ARM64_PROFILES } from '@mmu-gather/arm64';
import { arm64 as steppedArm64 } from '@mmu-gather/arm64/stepped';
import { FOUR_LEVELS, type Geometry } from '@mmu-gather/core';
import { ARM64 } from './arm64.ts';
import { GENERIC, type Kit, type Linked } from './kit.ts';

/** All of the 48 bits are user space's: the kernel has tables of its own. */
const ARM64_LEVELS: Geometry = { ...FOUR_LEVELS, userEnd: 2 ** 48 };

function linkArm64(version: string): Linked {
  const switches = ARM64_PROFILES[version]!;
  return { geometry: ARM64_LEVELS, direct: arm64(switches), stepped: steppedArm64(switches) };
}

/** Its kit. */
export const KIT: Kit = {
  arch: ARM64,
  config: { ...GENERIC, mergeVmas: false },
  hugePages: true,
  link: linkArm64,
};
