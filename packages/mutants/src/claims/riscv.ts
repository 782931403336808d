/**
 * Claims about riscv.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of the riscv backend. */
export const RISCV_CLAIMS: readonly Claim[] = [
  {
    mutant: [
      'riscv/deferred.ts shouldIpiFlush: cpu.smpWmb(): left out',
      'riscv/deferred.ts shouldIpiFlush: yield* cpu.smpWmb(): after yield* cpu.writeOnce(hart.needTlbFlush, 1)',
    ],
    coveredBy: 'riscv/deferred.ts announceAsid: cpu.spinLock(hart.queueLock): lock and unlock left out',
    archs: ['riscv'],
    why: 'who finds the flag reads the queue under its lock, which it was filled under',
  },
  {
    mutant: [
      'riscv/flush-local.ts localFlushTlbAll: cpu.invalidate(sfenceAll()): left out',
      'riscv/switch.ts setMmAsid: yield* localFlushTlbAll(cpu): left out',
    ],
    coveredBy:
      'riscv/switch.ts setMmAsid: cpu.loadContext(cpu.read(next.pgd), asid, !contextFlush(context)): without its flush',
    archs: ['riscv'],
    why: 'here the load of satp drops what another mm has left under the ASID, where on hardware the fence behind it does',
  },
  {
    mutant:
      'riscv/flush.ts flushMmRange: const asid = asidIn(yield* cpu.readOnce(mmContextId(mm))): after const mask = yield* cpu.readOnce(mm.cpumask)',
    coveredBy: 'riscv/flush.ts flushMmRange: cpu.smpMb(): left out',
    archs: ['riscv'],
    why: 'both behind the barrier: who comes later walks what is stored',
  },
  {
    mutant: [
      'riscv/remote.ts sbiRemoteSfenceVma: cpu.smpMb(): left out',
      'riscv/remote.ts sbiRemoteSfenceVma: cpu.smpMb(): smp_wmb instead',
      'riscv/remote.ts sbiRemoteSfenceVma: cpu.smpMb(): smp_rmb instead',
    ],
    coveredBy: 'riscv/flush.ts flushMmRange: cpu.smpMb(): left out',
    archs: ['riscv'],
    why: 'flushes of user addresses have a barrier before they read the mask',
  },
  {
    mutant: 'riscv/deferred.ts announceAsid: cpu.write(hart.queued, 0): after yield* cpu.spinUnlock(hart.queueLock)',
    coveredBy: 'riscv/deferred.ts announceAsid: cpu.spinLock(hart.queueLock): lock and unlock left out',
    archs: ['riscv'],
    why: 'the queue belongs to who has its lock',
  },
];
