/**
 * Claims about arm64.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the arm64 backend. */
export const ARM64_CLAIMS: readonly Claim[] = [
  {
    mutant:
      'arm64/context.ts arm64MmContextGet: id = yield* renewContext(cpu, asids, mm): after cpu.write(nrPinned, pinned + 1)',
    coveredBy: 'arm64/context.ts arm64MmContextGet: cpu.spinLock(lock): lock and unlock left out',
    archs: ['arm64'],
    why: 'both under the lock: nobody looks in between',
  },
  {
    mutant: [
      'arm64/context.ts arm64MmContextPut: cpu.write(mmPinned(mm), pins): after if (pins === 0) { clearId(cpu, pinnedMap, asidIn(yield* cpu.readOnce(mmContextId(mm)))); cpu.write(nrPinned, cpu.read(nrPinned) - 1); }',
      'arm64/context.ts arm64MmContextPut: clearId(cpu, pinnedMap, asidIn(yield* cpu.readOnce(mmContextId(mm)))): after cpu.write(nrPinned, cpu.read(nrPinned) - 1)',
    ],
    coveredBy: 'arm64/context.ts arm64MmContextPut: cpu.spinLock(lock): lock and unlock left out',
    archs: ['arm64'],
    why: 'both under the lock: nobody looks in between',
  },
  {
    mutant: 'arm64/flush-local.ts localFlushTlbAll: yield* dsbIshst(cpu): after yield* cpu.invalidate(vmalle1(LOCAL))',
    coveredBy: 'arm64/flush-local.ts localFlushTlbAll: yield* dsbIshst(cpu): left out',
    archs: ['arm64'],
    why: 'what it orders is the new ASID before the walks under it, and TTBR0 is loaded behind both',
  },
  {
    mutant:
      'arm64/flush.ts tlbiUser: yield* tlbi(cpu, scope(asid)): after if (kpti && kptiUserTlbi) yield* tlbi(cpu, scope(asid + USER_ASID))',
    coveredBy: 'arm64/flush.ts endFlush: yield* dsbIsh(cpu): left out',
    archs: ['arm64'],
    why: 'two TLBIs in any order, and one DSB that waits for both',
  },
];
