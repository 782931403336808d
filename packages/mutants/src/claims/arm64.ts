/**
 * Claims about arm64.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the arm64 backend. */
export const ARM64_CLAIMS: readonly Claim[] = [
  {
    mutant:
      'arm64/flush.ts tlbiUser: yield* tlbi(cpu, scope(asid)): after if (kpti && kptiUserTlbi) yield* tlbi(cpu, scope(asid + USER_ASID))',
    coveredBy: 'arm64/flush.ts endFlush: yield* dsbIsh(cpu): left out',
    archs: ['arm64'],
    why: 'two TLBIs in any order, and one DSB that waits for both',
  },
];
