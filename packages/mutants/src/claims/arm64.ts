/**
 * Claims about arm64.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the arm64 backend. */
export const ARM64_CLAIMS: readonly Claim[] = [
  {
    mutant: [
      'arm64/pte.ts ptepSetAccessFlags: yield* localFlushTlbPage(cpu, mm, address): left out',
      'arm64/flush-local.ts localFlushTlbPage: yield* dsbIshst(cpu): left out',
    ],
    coveredBy: 'mm/vmf.ts upgradeEntry: yield* fix(cpu, mm, address, pte): left out',
    archs: ['arm64'],
    why: 'who goes on with the older entry faults once more, and drops it then (flush_tlb_fix_spurious_fault)',
  },
];
