/**
 * powerpc with the hash MMU, as its kernels are configured.
 */
import type { Geometry } from '@mmu-gather/core';
import { HASH_PROFILES, powerpcHash } from '@mmu-gather/powerpc';
import { powerpcHash as steppedHash } from '@mmu-gather/powerpc/stepped';
import { HASH } from './hash.ts';
import { GENERIC, type Kit, type Linked } from './kit.ts';

/** H_PTE_INDEX_SIZE and its sisters, with pages of 64 KiB. */
const HASH_LEVELS: Geometry = { pageShift: 16, bits: [8, 10, 10, 8], userEnd: 2 ** 52 };
/** Context ids: a machine has more, and as many are in use at a time as there are processes. */
const CONTEXTS = 4096;
/** Groups of the hash page table. Evictions need not be as recorded: nothing of a flush depends on them. */
const GROUPS = 2 ** 14;

function linkHash(version: string): Linked {
  // Faults that user mode takes preload, others do not: who knows which is which asks for it (Architecture.hashed).
  const own = { platform: 'lpar', preload: false, contexts: CONTEXTS, groups: GROUPS } as const;
  const switches = { ...HASH_PROFILES[version]!, ...own };
  return { geometry: HASH_LEVELS, direct: powerpcHash(switches), stepped: steppedHash(switches) };
}

/** Its kit. */
export const KIT: Kit = { arch: HASH, config: GENERIC, hugePages: false, link: linkHash };
