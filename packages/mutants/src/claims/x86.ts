/**
 * Claims about x86.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the x86 backend. */
export const X86_CLAIMS: readonly Claim[] = [];
