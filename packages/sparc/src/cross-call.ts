/**
 * Cross calls (arch/sparc/kernel/smp_64.c). There are two kinds, and they differ in what holds them back and in what is waited for:
 *
 *     smp_call_function       an interrupt with a priority level: local_irq_disable holds it back; the caller waits until it has run
 *     mondo (smp_cross_call)  a trap: only PSTATE.IE = 0 holds it back (trap level 1 and a few sequences of instructions);
 *                             the caller waits until it is accepted
 *
 * A target with PSTATE.IE = 1 takes an accepted mondo before its next instruction, and the handler touches nothing but its TLB. So
 * "accepted" and "done" cannot be told apart there, and a mondo is one step of its sender: an invalidation on the targets' CPUs. All targets at
 * once: a demap on one of them makes nothing possible that was not possible before it.
 *
 * While PSTATE.IE is 0 the mondo waits, and the sender goes on. The miss handler runs so, but uses no user address, and what it loads is
 * seen as loaded when it writes the TSB; a demap in the middle of it or at its end comes to the same. A window trap does use user
 * addresses: see windows.ts.
 */
import { type Address, type Cpu, onEachCpuCondMask, type Scope, type Steps } from '@mmu-gather/core/stepped';
import { demapData, demapNucleus, demapPage } from './isa.ts';
import { CpuState, INTERRUPTS_HELD, INTERRUPTS_TAKEN, MONDO_HELD, sparc64Of, thisCpuState } from './state.ts';

/** Id of {@link tlbPendingFunc} among the backend's handlers. */
export const TLB_PENDING_FUNC: number = 0;
/** Id of {@link xcallFlushTlbPage}. */
export const XCALL_FLUSH_TLB_PAGE: number = 1;
/** Id of {@link xcallFlushTlbKernelRange}. */
export const XCALL_FLUSH_TLB_KERNEL_RANGE: number = 2;

/** An address as batches and cross calls carry it: bit 0 says that the page was executable. */
export function mkVaddr(address: number, exec: boolean): number {
  return address + (exec ? 1 : 0);
}
/** The address of one. */
export function vaddrAddress(vaddr: number): number {
  return vaddr - (vaddr % 2);
}

/** What one CPU does about such an address: where a demap is of data alone, another one for instructions if the page was executable. */
export function demapVaddr(cpu: Cpu, ctx: number, vaddr: number, bytes: number): Scope {
  const both = vaddr % 2 === 1 || sparc64Of(cpu).switches.demaps === 'both';
  return (both ? demapPage : demapData)(ctx, vaddrAddress(vaddr), bytes);
}

/** tlb_pending_func: demaps a batch, whose addresses it reads where the caller has them (__flush_tlb_pending), last one first. */
export function* tlbPendingFunc(cpu: Cpu, argument: Address): Steps<void> {
  const call = CpuState.at(argument);
  const ctx = cpu.read(call.callCtx);
  const bytes = cpu.read(call.callBytes);
  const addresses = cpu.read(call.callStart);
  for (let i = cpu.read(call.callCount) - 1; i >= 0; i--)
    yield* cpu.invalidate(demapVaddr(cpu, ctx, cpu.read(addresses + i), bytes));
}

/** xcall_flush_tlb_page, where it is an interrupt: only if nobody waits for it to be accepted. */
export function* xcallFlushTlbPage(cpu: Cpu, argument: Address): Steps<void> {
  const call = CpuState.at(argument);
  yield* cpu.invalidate(demapVaddr(cpu, cpu.read(call.callCtx), cpu.read(call.callStart), cpu.read(call.callBytes)));
}

/** xcall_flush_tlb_kernel_range, likewise. */
export function* xcallFlushTlbKernelRange(cpu: Cpu, argument: Address): Steps<void> {
  const call = CpuState.at(argument);
  yield* cpu.invalidate(demapNucleus({ start: cpu.read(call.callStart), end: cpu.read(call.callCount) }));
}

/** smp_flush_tlb_pending: a batch on other CPUs. The addresses stay where they are until all have run. */
export function smpFlushTlbPending(
  cpu: Cpu,
  targets: number,
  ctx: number,
  addresses: Address,
  count: number,
  bytes: number,
): Steps<void> {
  const call = thisCpuState(cpu);
  cpu.write(call.callCtx, ctx);
  cpu.write(call.callStart, addresses);
  cpu.write(call.callBytes, bytes);
  cpu.write(call.callCount, count);
  // The kernel's own event, since 6.4. A mondo leaves none.
  if (targets !== 0) cpu.trace('ipi_send_cpumask', targets, TLB_PENDING_FUNC);
  return onEachCpuCondMask(cpu, targets, null, TLB_PENDING_FUNC, call.address, sparc64Of(cpu).switches.waitForIpis);
}

/** smp_flush_tlb_page without its local part: one page on other CPUs, by mondo. */
export function* xcallPage(cpu: Cpu, targets: number, ctx: number, vaddr: number, bytes: number): Steps<void> {
  if (targets === 0) return;
  const { switches } = sparc64Of(cpu);
  const call = thisCpuState(cpu);
  cpu.write(call.callCtx, ctx);
  cpu.write(call.callStart, vaddr);
  cpu.write(call.callBytes, bytes);
  if (!switches.waitForIpis) yield* onEachCpuCondMask(cpu, targets, null, XCALL_FLUSH_TLB_PAGE, call.address, false);
  else if (switches.windowTraps) yield* xcallWindows(cpu, targets, demapVaddr(cpu, ctx, vaddr, bytes));
  else yield* deliver(cpu, targets, demapVaddr(cpu, ctx, vaddr, bytes));
}

/** smp_flush_tlb_kernel_range without its local part: by mondo, too. */
export function* xcallKernelRange(cpu: Cpu, targets: number, start: number, end: number): Steps<void> {
  if (targets === 0) return;
  if (sparc64Of(cpu).switches.waitForIpis) yield* deliver(cpu, targets, demapNucleus({ start, end }));
  else yield* xcallKernelRangeLater(cpu, targets, start, end);
}

/** Wrong: nobody waits until it is accepted. */
function* xcallKernelRangeLater(cpu: Cpu, targets: number, start: number, end: number): Steps<void> {
  const call = thisCpuState(cpu);
  cpu.write(call.callStart, start);
  cpu.write(call.callCount, end);
  yield* onEachCpuCondMask(cpu, targets, null, XCALL_FLUSH_TLB_KERNEL_RANGE, call.address, false);
}

/** xcall_deliver to CPUs that take it at once. */
function deliver(cpu: Cpu, targets: number, scope: Scope): Steps<void> {
  return cpu.invalidate({ ...scope, cpus: targets });
}

/** The same where some may be at trap level 1: they have it, and do it when they leave the trap. A CPU that holds one already is busy. */
function* xcallWindows(cpu: Cpu, targets: number, scope: Scope): Steps<void> {
  const { cpuStates, switches } = sparc64Of(cpu);
  for (let target = 0; target < cpu.kernel.cpus; target++) {
    if ((targets & (1 << target)) === 0) continue;
    const { trap } = cpuStates[target]!;
    for (;;) {
      const seen = yield* cpu.cmpxchg(trap, INTERRUPTS_HELD, MONDO_HELD + cpu.id);
      if (seen === INTERRUPTS_TAKEN) yield* deliver(cpu, 1 << target, scope);
      if (seen < MONDO_HELD) {
        if (seen === INTERRUPTS_HELD && switches.singlePage === 'taken')
          yield* cpu.waitFor(trap, 'equal', INTERRUPTS_TAKEN);
        break;
      }
      yield* cpu.waitFor(trap, 'equal', INTERRUPTS_TAKEN);
    }
  }
}
