/**
 * Claims: every mutant of which we say what covers it.
 */
import type { Claim } from '../claim.ts';
import { ARM64_CLAIMS } from './arm64.ts';
import { CORE_CLAIMS } from './core.ts';
import { POWERPC_CLAIMS } from './powerpc.ts';
import { S390_CLAIMS } from './s390.ts';
import { SPARC_CLAIMS } from './sparc.ts';
import { X86_CLAIMS } from './x86.ts';

/** All of them. */
export const CLAIMS: readonly Claim[] = [
  ...CORE_CLAIMS,
  ...X86_CLAIMS,
  ...ARM64_CLAIMS,
  ...POWERPC_CLAIMS,
  ...S390_CLAIMS,
  ...SPARC_CLAIMS,
];
