/**
 * Cross-CPU calls (kernel/smp.c): smp_call_function_many_cond.
 *
 * Remote and local parts overlap: interrupts are sent, the local part runs, then the caller waits. Preemption is off, so
 * the caller stays on its CPU; interrupts stay on while it waits, or two callers would wait for each other.
 */
import type { Cpu } from './cpu.ts';
import type { Steps } from './steps.ts';
import type { Address } from './struct.ts';

/** Asked on the calling CPU just before it would interrupt `target`. */
export type IpiCondition = (cpu: Cpu, target: number, argument: Address) => Steps<boolean>;

/**
 * on_each_cpu_cond_mask: runs a handler on the CPUs of `mask` that pass the condition, this one included, and waits.
 * Without a condition every CPU of the mask is called.
 * @param wait false returns once the interrupts are sent: the argument must then outlive the call
 */
export function* onEachCpuCondMask(
  cpu: Cpu,
  mask: number,
  condition: IpiCondition | null,
  handler: number,
  argument: Address,
  wait = true,
): Steps<void> {
  let sent = false;
  for (let target = 0; target < cpu.kernel.cpus; target++) {
    if (target === cpu.id || (mask & (1 << target)) === 0) continue;
    if (condition !== null && !(yield* condition(cpu, target, argument))) continue;
    yield* cpu.sendIpi(target, handler, argument);
    sent = true;
  }
  if ((mask & (1 << cpu.id)) !== 0 && (condition === null || (yield* condition(cpu, cpu.id, argument)))) {
    yield* cpu.localIrqDisable();
    yield* cpu.kernel.handlers[handler]!(cpu, argument);
    yield* cpu.localIrqEnable();
  }
  if (sent && wait) yield* cpu.awaitIpis();
}
