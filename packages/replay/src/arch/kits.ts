/**
 * Kits by architecture. Only that of the recording is loaded.
 */
import type { Kit } from './kit.ts';

/** Architectures whose recordings can be replayed. */
export type ArchId = 'x86' | 'arm64' | 'powerpc-radix' | 'powerpc-hash';

/** Loads each of them. */
export const KITS: Readonly<Record<ArchId, () => Promise<{ readonly KIT: Kit }>>> = {
  x86: () => import('./kit-x86.ts'),
  arm64: () => import('./kit-arm64.ts'),
  'powerpc-radix': () => import('./kit-radix.ts'),
  'powerpc-hash': () => import('./kit-hash.ts'),
};

/** Their ids. */
export const ARCH_IDS: readonly string[] = Object.keys(KITS);
