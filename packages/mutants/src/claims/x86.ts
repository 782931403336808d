/**
 * Claims about x86.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the x86 backend. */
export const X86_CLAIMS: readonly Claim[] = [
  {
    mutant: 'x86/flush-multi.ts flushTlbOthers: yield* flushTlbFuncRemote(cpu, info.address): left out',
    coveredBy: 'x86/flush.ts flushLocalFirst: yield* flushTlbLocal(cpu, info): left out',
    why: 'up to 5.12 a CPU flushes itself first; called again with the whole mask, it finds its generation up to date',
  },
  {
    mutant:
      "x86/flush-func.ts flushTlbFuncCommon: if (cpu.read(state.isLazy) !== 0) { yield* ackBatched(cpu, 'arrival'); yield* switchMmIrqsOff(cpu, initMm); return; }: never taken",
    coveredBy:
      'x86/flush-func.ts flushTlbFuncCommon: yield* catchUp(cpu, info, state, Mm.at(loadedMm), reason): left out',
    why: 'a lazy CPU that does not leave the mm flushes it as others do: it only will be interrupted again',
  },
];
