/**
 * Claims about sparc.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the sparc backend. */
export const SPARC_CLAIMS: readonly Claim[] = [
  {
    mutant:
      'sparc/context.ts getNewMmuContext: yield* cpu.writeOnce(contextVal(mm), val): after yield* cpu.writeOnce(contexts.cache, val)',
    coveredBy: 'sparc/context.ts getNewMmuContext: cpu.spinLock(contexts.lock): lock and unlock left out',
    archs: ['sparc64'],
    why: 'both under the lock of the numbers',
  },
  {
    mutant: [
      'sparc/context.ts destroyContext: yield* cpu.spinLock(contexts.lock): after const val = yield* cpu.readOnce(contextVal(mm))',
      'sparc/context.ts destroyContext: yield* cpu.localIrqDisable(): after yield* cpu.spinLock(contexts.lock)',
      'sparc/context.ts destroyContext: yield* cpu.spinUnlock(contexts.lock): after yield* cpu.localIrqEnable()',
      'sparc/context.ts destroyContext: yield* cpu.localIrqDisable(): interrupts off left out',
    ],
    coveredBy: 'sparc/context.ts destroyContext: cpu.spinLock(contexts.lock): lock and unlock left out',
    archs: ['sparc64'],
    why: 'no interrupt takes the lock here, and a wrap leaves the number of an mm that nobody runs alone',
  },
  {
    mutant: [
      'sparc/tsb.ts lockContext: yield* cpu.localIrqDisable(): after yield* cpu.spinLock(contextLock(mm))',
      'sparc/tsb.ts unlockContext: yield* cpu.spinUnlock(contextLock(mm)): after yield* cpu.localIrqEnable()',
    ],
    coveredBy: 'sparc/tsb.ts lockContext: cpu.spinLock(contextLock(mm)): lock and unlock left out',
    archs: ['sparc64'],
    why: 'no interrupt takes the lock here',
  },
  {
    mutant:
      "sparc/tlb-batch.ts flushPages: const early = maskRead === 'before-tsb' ? yield* cpu.readOnce(mm.cpumask) : NOT_READ: after if (flushOrder === 'tsb-first') yield* flushTsbUser(cpu, mm, addresses, kind)",
    coveredBy: 'sparc/tlb-batch.ts flushPages: yield* flushTsbUser(cpu, mm, addresses, kind): left out',
    archs: ['sparc64'],
    why: 'nothing is read before, but in a wrong form',
  },
  {
    mutant:
      'sparc/tsb.ts flushTsbUser: yield* tsbFlush(cpu, tsb, address, kind): after if (oldTsb !== 0) yield* tsbFlush(cpu, oldTsb, address, kind)',
    coveredBy: 'sparc/tsb.ts flushTsbUser: yield* tsbFlush(cpu, tsb, address, kind): left out',
    archs: ['sparc64'],
    why: 'both under the lock of the context, before any TLB is demapped',
  },
];
