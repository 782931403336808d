/**
 * Lazy CPUs, and how mm_cpumask gets smaller again (radix_tlb.c: exit_lazy_flush_tlb, exit_flush_lazy_tlbs; kernel/fork.c).
 *
 * A kernel thread goes on with the mm that was there. Its PID stays loaded, so the hardware may walk and cache for it, and the CPU stays in
 * the mask. To get it out, it must be told: it switches to init_mm if it is lazy, leaves the mask, and flushes the PID.
 *
 *     CPU 0 (trims)                      CPU 1 (kthread_use_mm, interrupts off)
 *     read mm_cpumask: CPU 1
 *                                        current->mm = mm
 *                                        bit is set: nothing to do
 *                                        mtspr PID
 *     interrupt CPU 1                    (interrupts on) current->mm is mm: stays in the mask
 *     flush here alone                   has flushed in the interrupt
 *
 * Up to 5.8 CPU 0 reset the mask itself when all had answered, and CPU 1 used the mm without being in it.
 */
import { type Address, type Cpu, Mm, onEachCpuCondMask, type Steps, thisRq } from '@mmu-gather/core/stepped';
import { RIC_FLUSH_ALL } from './isa.ts';
import { mmActiveCpus, mmPid, onlineUsers, radixOf } from './state.ts';
import { radixSwitchMm } from './switch.ts';
import { localPid } from './tlbiel.ts';

/** Id of {@link doExitFlushLazyTlb} among the backend's handlers. */
export const DO_EXIT_FLUSH_LAZY_TLB: number = 2;
/** Id of {@link doShootLazyTlb}. */
export const DO_SHOOT_LAZY_TLB: number = 3;
/** Id of {@link doLeaveMm}. */
export const DO_LEAVE_MM: number = 4;

/** Does the current task run in the mm? */
export function runs(cpu: Cpu, mm: Mm): boolean {
  return cpu.read(thisRq(cpu).mm) === mm.address;
}

/** Does this CPU borrow the mm, for a task that has none? */
export function borrows(cpu: Cpu, mm: Mm): boolean {
  const rq = thisRq(cpu);
  return cpu.read(rq.mm) === 0 && cpu.read(rq.activeMm) === mm.address;
}

/** This CPU goes on with init_mm instead of the mm that it borrows. Who asked has a reference, so the last one is not dropped here. */
export function* leaveLazyMm(cpu: Cpu, mm: Mm): Steps<void> {
  const { initMm, switches } = radixOf(cpu);
  const irqsOff = switches.trimIrqsOff === 'switch';
  if (irqsOff) yield* cpu.localIrqDisable();
  cpu.write(thisRq(cpu).activeMm, initMm.address);
  yield* radixSwitchMm(cpu, initMm);
  if (switches.lazyTlb === 'refcount') {
    const left = yield* cpu.atomicAddReturn(mm.mmCount, -1);
    cpu.claim.that(left > 0, 'O16', 'a trimmed CPU drops the last reference to the mm');
  }
  if (irqsOff) yield* cpu.localIrqEnable();
}

/**
 * exit_lazy_flush_tlb: leaves the mm if this CPU is lazy on it, and its mask unless it runs it. Flushes the PID even if the mask did not name
 * this CPU any more (always_flush, which all who get here set): who asked counts on it.
 */
export function* exitLazyFlushTlb(cpu: Cpu, mm: Mm): Steps<void> {
  const { trimLooks, trimSwitches, trimBits, trimIrqsOff } = radixOf(cpu).switches;
  // Not only in interrupts: who trims may leave itself.
  const irqsOff = trimIrqsOff === 'throughout';
  if (irqsOff) yield* cpu.localIrqDisable();
  if (!trimLooks || !runs(cpu, mm)) {
    if (trimSwitches && borrows(cpu, mm)) yield* leaveLazyMm(cpu, mm);
    if (trimBits === 'target') yield* leaveMask(cpu, mm);
  }
  yield* localPid(cpu, cpu.read(mmPid(mm)), RIC_FLUSH_ALL);
  if (irqsOff) yield* cpu.localIrqEnable();
}

/** Takes this CPU out of the mask. Another interrupt may have done so: tested first, for the count must not drop twice. */
export function* leaveMask(cpu: Cpu, mm: Mm): Steps<void> {
  const bit = 1 << cpu.id;
  if (((yield* cpu.readOnce(mm.cpumask)) & bit) === 0) return;
  yield* cpu.atomicAdd(mmActiveCpus(mm), -1);
  yield* cpu.atomicAndNot(mm.cpumask, bit);
}

/** do_exit_flush_lazy_tlb: one CPU's part. */
export function doExitFlushLazyTlb(cpu: Cpu, argument: Address): Steps<void> {
  return exitLazyFlushTlb(cpu, Mm.at(argument));
}

/** exit_flush_lazy_tlbs: every other CPU of the mask leaves it, unless it runs the mm, and has flushed when this returns. */
export function* exitFlushLazyTlbs(cpu: Cpu, mm: Mm): Steps<void> {
  const { trimBits, waitForIpis } = radixOf(cpu).switches;
  const self = 1 << cpu.id;
  const others = (yield* onlineUsers(cpu, mm)) & ~self;
  yield* onEachCpuCondMask(cpu, others, null, DO_EXIT_FLUSH_LAZY_TLB, mm.address, waitForIpis);
  if (trimBits === 'target') return;
  yield* cpu.writeOnce(mmActiveCpus(mm), 1);
  yield* cpu.writeOnce(mm.cpumask, self);
}

/** tick_and_test_trim_clock: is it this CPU's turn to try and trim a mask? */
export function tickAndTestTrimClock(cpu: Cpu): boolean {
  const { cpus, switches } = radixOf(cpu);
  if (switches.trimTimer === 0) return false;
  const { trimClock } = cpus[cpu.id]!;
  const ticks = cpu.read(trimClock) + 1;
  const due = ticks === switches.trimTimer;
  cpu.write(trimClock, due ? 0 : ticks);
  return due;
}

/** do_shoot_lazy_tlb: one CPU's part: it stops borrowing an mm that goes. */
export function* doShootLazyTlb(cpu: Cpu, argument: Address): Steps<void> {
  const mm = Mm.at(argument);
  if (borrows(cpu, mm)) yield* leaveLazyMm(cpu, mm);
}

/** cleanup_lazy_tlbs (MMU_LAZY_TLB_SHOOTDOWN): with the last reference, every CPU that borrows the mm leaves it. */
export function* cleanupLazyTlbs(cpu: Cpu, mm: Mm): Steps<void> {
  if (radixOf(cpu).switches.lazyTlb === 'forgotten') return;
  const mask = yield* onlineUsers(cpu, mm);
  yield* onEachCpuCondMask(cpu, mask, null, DO_SHOOT_LAZY_TLB, mm.address, radixOf(cpu).switches.waitForIpis);
}

/** One CPU's part of {@link radixLeaveMmEverywhere}. */
export function* doLeaveMm(cpu: Cpu, argument: Address): Steps<void> {
  const { switches } = radixOf(cpu);
  const mm = Mm.at(argument);
  cpu.claim.that(!runs(cpu, mm), 'O16', 'an mm that is in use is left everywhere');
  const lazy = borrows(cpu, mm);
  if (lazy && !switches.leaveReachesLazy) return;
  if (lazy) yield* leaveLazyMm(cpu, mm);
  if (switches.leaveFlushes) yield* localPid(cpu, cpu.read(mmPid(mm)), RIC_FLUSH_ALL);
}

/** See core's `Backend.leaveMmEverywhere`. With a flush on each CPU, for the PID will be another mm's. */
export function* radixLeaveMmEverywhere(cpu: Cpu, mm: Mm): Steps<void> {
  const mask = yield* onlineUsers(cpu, mm);
  yield* onEachCpuCondMask(cpu, mask, null, DO_LEAVE_MM, mm.address, radixOf(cpu).switches.waitForIpis);
}
