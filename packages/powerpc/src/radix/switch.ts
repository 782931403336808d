/**
 * switch_mm_irqs_off: from whatever is loaded to another mm (arch/powerpc/mm/mmu_context.c, book3s64/mmu_context.c).
 *
 * No flush: a PID is its mm's alone. A CPU that has never used the mm says so before its first walk:
 *
 *     CPU 0 (flush)                            CPU 1 (switch_mm_irqs_off)
 *     change entries                           set bit in mm_cpumask; active_cpus + 1
 *     smp_mb                                   smp_mb
 *     read active_cpus, mm_cpumask             mtspr PID; isync
 *
 * The bit stays when the CPU goes on, so most switches find it set and have nothing to announce.
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { mmActiveCpus, mmPid, radixOf, thisRadixCpu } from './state.ts';

/** switch_mm_irqs_off: loads `next`. Interrupts off. */
export function* radixSwitchMm(cpu: Cpu, next: Mm): Steps<void> {
  const { initMm, switches } = radixOf(cpu);
  const { loadedMm } = thisRadixCpu(cpu);
  if (next.address !== initMm.address && ((yield* cpu.readOnce(next.cpumask)) & (1 << cpu.id)) === 0) {
    yield* cpu.atomicOr(next.cpumask, 1 << cpu.id);
    yield* cpu.atomicAdd(mmActiveCpus(next), 1);
    // Pairs with smp_mb in flush_type_needed.
    if (switches.switchFence) yield* cpu.smpMb();
  }
  if (cpu.read(loadedMm) === next.address) return;
  yield* cpu.loadContext(cpu.read(next.pgd), cpu.read(mmPid(next)), true);
  cpu.write(loadedMm, next.address);
}

/** enter_lazy_tlb: nothing. The PID stays loaded, and the CPU in the mask. */
export function* radixEnterLazyTlb(_cpu: Cpu, _mm: Mm): Steps<void> {}
