/**
 * Claims about sparc64.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the sparc64 backend. */
export const SPARC_CLAIMS: readonly Claim[] = [
  {
    mutant: 'sparc/switch.ts switchMm: cpu.atomicOr(next.cpumask, bit): a load and a store instead',
    coveredBy: 'sparc/tsb.ts lockContext: cpu.spinLock(contextLock(mm)): lock and unlock left out',
    archs: ['sparc64'],
    why: "mm_cpumask changes under the lock of the mm's context alone",
  },
];
