/**
 * Flushes of a guest of KVM (arch/x86/kernel/kvm.c: kvm_flush_tlb_multi): a virtual CPU that does not run is not interrupted. Its host flushes before
 * it runs again.
 *
 *     CPU 0 (kvm_flush_tlb_multi)                 host of CPU 1 (record_steal_time)
 *                                                 preempted = PREEMPTED          (it does not run)
 *     read preempted: it is
 *     cmpxchg preempted: | FLUSH_TLB
 *     leaves CPU 1 out                            xchg preempted = 0: FLUSH_TLB? flush all of it
 *     // one word, one order: the host sees the flag, or the exchange fails and CPU 1 is interrupted
 *
 * The generation of CPU 1 stays behind, so its next request is a full flush.
 */
import { type Cell, type Cpu, type Steps } from '@mmu-gather/core/stepped';
import { invpcidAll } from './isa.ts';
import { x86Of } from './tlbstate.ts';

/** KVM_VCPU_PREEMPTED: the host runs something else. */
export const KVM_VCPU_PREEMPTED: number = 1;
/** KVM_VCPU_FLUSH_TLB: flush before it runs again. */
export const KVM_VCPU_FLUSH_TLB: number = 2;

/** kvm_steal_time.preempted of a CPU. */
export function preemptedCell(cpu: Cpu, target: number): Cell {
  return x86Of(cpu).preempted + target;
}

/** kvm_flush_tlb_multi: the CPUs of a mask that must be interrupted. The others will flush. */
export function* kvmFlushTargets(cpu: Cpu, mask: number): Steps<number> {
  const { pvFlag } = x86Of(cpu).switches;
  let targets = mask;
  for (let target = 0; target < cpu.kernel.cpus; target++) {
    if (target === cpu.id || (mask & (1 << target)) === 0) continue;
    const cell = preemptedCell(cpu, target);
    const state = yield* cpu.readOnce(cell);
    if ((state & KVM_VCPU_PREEMPTED) === 0) continue;
    const flagged = state | KVM_VCPU_FLUSH_TLB;
    if (pvFlag === 'store') yield* cpu.writeOnce(cell, flagged);
    else if ((yield* cpu.cmpxchg(cell, state, flagged)) !== state) continue;
    targets &= ~(1 << target);
  }
  return targets;
}

/** The host takes a virtual CPU off its CPU, out of user mode: it takes no interrupts. */
export function* vcpuPut(cpu: Cpu): Steps<void> {
  yield* cpu.enterKernel();
  yield* cpu.localIrqDisable();
  yield* cpu.writeOnce(preemptedCell(cpu, cpu.id), KVM_VCPU_PREEMPTED);
}

/** And lets it run again, after a flush if it was asked for. */
export function* vcpuLoad(cpu: Cpu): Steps<void> {
  const state = yield* takePreempted(cpu);
  const flush = (state & KVM_VCPU_FLUSH_TLB) !== 0 && x86Of(cpu).switches.pvResume !== 'no-flush';
  if (flush) yield* cpu.invalidate(invpcidAll());
  yield* cpu.localIrqEnable();
  yield* cpu.enterUser();
}

/** It runs now, so far as others see. One access; two are wrong, for a flag that comes in between is lost. @returns what the word was */
function* takePreempted(cpu: Cpu): Steps<number> {
  const cell = preemptedCell(cpu, cpu.id);
  if (x86Of(cpu).switches.pvResume !== 'read-then-clear') return yield* cpu.xchg(cell, 0);
  const state = yield* cpu.readOnce(cell);
  yield* cpu.writeOnce(cell, 0);
  return state;
}
