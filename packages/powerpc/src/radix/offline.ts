/**
 * CPUs that go offline (smp_release_cpus, radix__tlbiel_all; "powerpc/64s: Trim offlined CPUs from mm_cpumasks", 2020-11-26).
 *
 * An offline CPU keeps its TLB and hears broadcasts, but takes no interrupts. Who trims a mask believes that every CPU of it has flushed when
 * the interrupts have been answered, and goes on with a local flush. So a CPU leaves all masks before it goes, and flushes everything:
 *
 *     CPU 0 (trims, flushes here alone)       CPU 1 (offline, its bit still set)
 *     interrupt every CPU that is online
 *     tlbiel                                  comes back, finds its bit set, and uses what it has
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { radixAllScope } from './isa.ts';
import { leaveMask } from './lazy.ts';
import { radixOf } from './state.ts';
import { radixSwitchMm } from './switch.ts';

/**
 * The CPU goes offline: its idle task goes on with init_mm, then it leaves the masks (clear_tasks_mm_cpumask) and drops everything.
 * @param mms all that there are
 */
export function* radixCpuOffline(cpu: Cpu, mms: readonly Mm[]): Steps<void> {
  const { initMm, offlineMask, switches } = radixOf(cpu);
  yield* cpu.localIrqDisable();
  yield* radixSwitchMm(cpu, initMm);
  if (switches.offlineLeaves) {
    for (const mm of mms) yield* leaveMask(cpu, mm);
    yield* cpu.invalidate(radixAllScope(false));
  }
  yield* cpu.atomicOr(offlineMask, 1 << cpu.id);
  yield* cpu.localIrqEnable();
}

/** The CPU is back: it takes interrupts again. */
export function* radixCpuOnline(cpu: Cpu): Steps<void> {
  yield* cpu.atomicAndNot(radixOf(cpu).offlineMask, 1 << cpu.id);
  yield* cpu.smpMbAfterAtomic();
}
