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
    mutant: 'x86/global-asid.ts allocateGlobalAsid: cpu.write(globalAsids.last, next + 1): left out',
    coveredBy:
      'x86/global-asid.ts allocateGlobalAsid: cpu.write(globalAsids.used, cpu.read(globalAsids.used) | (1 << next)): left out',
    why: 'last_global_asid says where to look first; what is in use says what may not be given',
  },
  {
    mutant:
      'x86/flush.ts flushOverlapped: yield* flushTlbMulti(cpu, mask, info): after yield* considerGlobalAsid(cpu, mm)',
    coveredBy: 'x86/switch.ts loadSlot: cpu.loadContext(cpu.read(next.pgd), tag, true): left out',
    why: 'either order is right: in this one the CPUs that are interrupted load the new global ASID, under which they hold nothing, and need no flush',
  },
];
