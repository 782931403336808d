/**
 * Claims about s390.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the s390 backend. */
export const S390_CLAIMS: readonly Claim[] = [
  {
    mutant:
      's390/ipte.ts resetDatProt: cpu.cmpxchgAndInvalidate(at.pte, old, entry, scopeOf(cpu, at, where)): without its invalidation',
    coveredBy:
      's390/pte.ts flushTlbFixSpuriousFault: yield* resetDatProtHere(cpu, { mm, address, pte, level: 0 }, entry): left out',
    archs: ['s390'],
    why: 'who still holds the older entry drops it when it faults by it',
  },
  {
    mutant: [
      's390/pte.ts flushTlbFixSpuriousFault: yield* resetDatProtHere(cpu, { mm, address, pte, level: 0 }, entry): left out',
      "s390/ipte.ts resetDatProtHere: cpu.cmpxchgAndInvalidate(at.pte, entry, entry, scopeOf(cpu, at, 'local')): without its invalidation",
    ],
    coveredBy:
      's390/ipte.ts resetDatProt: cpu.cmpxchgAndInvalidate(at.pte, old, entry, scopeOf(cpu, at, where)): without its invalidation',
    archs: ['s390'],
    why: 'RDP has purged the older entry where it may be held',
  },
];
