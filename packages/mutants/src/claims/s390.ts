/**
 * Claims about s390.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the s390 backend. */
export const S390_CLAIMS: readonly Claim[] = [
  {
    mutant: 's390/asce.ts initNewContext: cpu.write(mmAsce(mm), yield* takeAsce(cpu)): after cpu.write(mm.cpumask, 0)',
    coveredBy: 's390/asce.ts initNewContext: cpu.write(mmAsce(mm), yield* takeAsce(cpu)): left out',
    archs: ['s390'],
    why: 'nobody knows the mm yet',
  },
  {
    mutant:
      "s390/flush-count.ts beginFlush: const early = atomicFence === 'none' && (yield* test(cpu, mm)): after if (era !== 'E0') yield* cpu.atomicAdd(flushCount(mm), 1)",
    coveredBy: 's390/flush-count.ts beginFlush: cpu.atomicAdd(flushCount(mm), 1): left out',
    archs: ['s390'],
    why: 'nothing is asked before the count, but in a wrong form',
  },
  {
    mutant:
      "s390/switch.ts switchMm: cpu.write(attached, next.address): after if (attachBit === 'before-wait') yield* cpu.atomicOr(attachMask(next), bit)",
    coveredBy: 's390/switch.ts switchMm: cpu.atomicOr(attachMask(next), bit): left out',
    archs: ['s390'],
    why: 'interrupts are off: only the bit in attach_mask is for others, before the invalid ASCE is loaded',
  },
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
