/**
 * Claims about powerpc.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the powerpc backend. */
export const POWERPC_CLAIMS: readonly Claim[] = [
  {
    mutant: [
      'powerpc/radix/tlbie.ts broadcastVa: yield* ptesync(cpu, issued): left out',
      'powerpc/radix/tlbie.ts broadcastVa: yield* ptesync(cpu, issued): after yield* tlbieVa(cpu, issued, pid, address, level)',
      'powerpc/radix/tlbie.ts broadcastVaRange: yield* ptesync(cpu, issued): left out',
      'powerpc/radix/tlbie.ts broadcastVaRange: yield* ptesync(cpu, issued): after if (first.alsoPwc) yield* tlbiePid(cpu, issued, first.pid, RIC_FLUSH_PWC)',
    ],
    coveredBy: 'powerpc/radix/flush-type.ts flushTypeNeeded: cpu.smpMb(): left out',
    archs: ['powerpc-radix'],
    why: 'who has looked for the users of the mm has a barrier behind its entries already',
  },
  {
    mutant: [
      'powerpc/radix/tlbiel.ts localVa: yield* ptesync(cpu): left out',
      'powerpc/radix/tlbiel.ts localVa: yield* ptesync(cpu): after yield* tlbielVa(cpu, pid, address, level)',
      'powerpc/radix/tlbiel.ts localVaRange: yield* ptesync(cpu): left out',
      'powerpc/radix/tlbiel.ts localVaRange: yield* ptesync(cpu): after if (first.alsoPwc) yield* tlbielSet(cpu, first.pid, 0, RIC_FLUSH_PWC)',
      'powerpc/radix/tlbiel.ts localPid: yield* ptesync(cpu): left out',
      'powerpc/radix/tlbiel.ts localPid: yield* ptesync(cpu): after yield* tlbielSet(cpu, pid, 0, ric)',
    ],
    coveredBy: 'powerpc/radix/flush-type.ts flushTypeNeeded: cpu.smpMb(): left out',
    archs: ['powerpc-radix'],
    why: 'who has looked for the users of the mm has a barrier behind its entries already',
  },
];
