/**
 * The architectures of this repository.
 */
import type { Architecture } from '../architecture.ts';
import { ARM64 } from './arm64.ts';
import { POWERPC_HASH } from './powerpc-hash.ts';
import { POWERPC_RADIX } from './powerpc-radix.ts';
import { RISCV } from './riscv.ts';
import { S390 } from './s390.ts';
import { SPARC64 } from './sparc64.ts';
import { X86 } from './x86.ts';

export * from './arm64.ts';
export * from './powerpc-hash.ts';
export * from './powerpc-radix.ts';
export * from './riscv.ts';
export * from './s390.ts';
export * from './sparc64.ts';
export * from './x86.ts';

/** All of them. */
export const ARCHITECTURES: readonly Architecture[] = [X86, ARM64, POWERPC_HASH, POWERPC_RADIX, S390, SPARC64, RISCV];
