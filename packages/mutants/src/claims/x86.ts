/**
 * Claims about x86.
 */
import type { Claim } from '../claim.ts';

const LOCAL_FLUSH_FIRST = 'x86/flush.ts flushLocalFirst: yield* flushTlbLocal(cpu, info): left out';
const HOST_FLUSHES = 'x86/kvm.ts vcpuLoad: cpu.invalidate(invpcidAll()): left out';
const GLOBAL_ASID_LOCK = 'x86/global-asid.ts useGlobalAsid: cpu.spinLock(globalAsids.lock): lock and unlock left out';

/** What covers mutants of the x86 backend. */
export const X86_CLAIMS: readonly Claim[] = [
  {
    mutant: [
      'x86/flush-multi.ts flushTlbOthers: yield* flushTlbFuncRemote(cpu, info.address): left out',
      'x86/flush-multi.ts flushTlbOthers: yield* cpu.localIrqDisable(): interrupts off left out',
      'x86/flush-multi.ts flushTlbOthers: yield* cpu.localIrqDisable(): after yield* flushTlbFuncRemote(cpu, info.address)',
      'x86/flush-multi.ts flushTlbOthers: yield* flushTlbFuncRemote(cpu, info.address): after yield* cpu.localIrqEnable()',
    ],
    coveredBy: LOCAL_FLUSH_FIRST,
    why: 'up to 5.12 a CPU flushes itself first; called again with the whole mask, it finds its generation up to date',
  },
  {
    mutant:
      "x86/flush-func.ts flushTlbFuncCommon: if (cpu.read(state.isLazy) !== 0) { yield* ackBatched(cpu, 'arrival'); yield* switchMmIrqsOff(cpu, initMm); return; }: never taken",
    coveredBy:
      'x86/flush-func.ts flushTlbFuncCommon: yield* catchUp(cpu, info, state, Mm.at(loadedMm), reason): left out',
    why: 'a lazy CPU that does not leave the mm flushes it as others do: it only will be interrupted again',
  },
  {
    mutant: [
      'x86/kvm.ts vcpuPut: yield* cpu.enterKernel(): after yield* cpu.localIrqDisable()',
      'x86/kvm.ts vcpuPut: yield* cpu.localIrqDisable(): after yield* cpu.writeOnce(preemptedCell(cpu, cpu.id), KVM_VCPU_PREEMPTED)',
    ],
    coveredBy: HOST_FLUSHES,
    why: 'whatever a virtual CPU does while it is taken off, it runs no user code before its host has flushed',
  },
  {
    mutant:
      'x86/global-asid.ts resetGlobalAsidSpace: if (switches.globalReuseFlush) { yield* cpu.invalidate(invlpgb(ALL)); yield* cpu.invalidationBarrier(); }: after cpu.write(globalAsids.used, cpu.read(globalAsids.used) & ~cpu.read(globalAsids.freed))',
    coveredBy: GLOBAL_ASID_LOCK,
    why: 'nobody looks for a free one, and nobody gets one, before the lock is released',
  },
  {
    mutant: 'x86/global-asid.ts allocateGlobalAsid: cpu.write(globalAsids.last, next + 1): left out',
    coveredBy:
      'x86/global-asid.ts allocateGlobalAsid: cpu.write(globalAsids.used, cpu.read(globalAsids.used) | (1 << next)): left out',
    why: 'last_global_asid says where to look first; what is in use says what may not be given',
  },
];
