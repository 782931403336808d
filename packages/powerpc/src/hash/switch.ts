/**
 * switch_mm with the hash MMU: a CPU says that it may have entries of the mm, and loads its context (switch_slb).
 *
 *     CPU 0 (flush)                           CPU 1 (switch_mm_irqs_off)
 *     v = 0 in the hash page table            set bit in mm_cpumask; inc active_cpus
 *     ptesync                                 smp_mb, if the bit was clear
 *     read active_cpus, mm_cpumask            look into the hash page table
 *     // one of the two sees the other; not so where CPU 0 reads first, as Linux does (P-D1, flush.ts)
 *
 * No entry is dropped here: an id is one mm's, and when it goes to another one nothing is left under it. The bit stays when the CPU goes on.
 * A kernel thread goes on with the context that is loaded; the hardware does not look at page tables, so they may go.
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { activeCpus, contextId, hashOf } from './state.ts';

/** switch_mm_irqs_off. Interrupts off. */
export function* hashSwitchMm(cpu: Cpu, next: Mm): Steps<void> {
  const bit = 1 << cpu.id;
  if (((yield* cpu.readOnce(next.cpumask)) & bit) === 0) {
    yield* cpu.atomicOr(next.cpumask, bit);
    yield* cpu.atomicAdd(activeCpus(next), 1);
    // The bit and the count before the first look into the hash page table. Pairs with ptesync in flush_hash_range.
    if (hashOf(cpu).switches.arrivalFence) yield* cpu.smpMb();
  }
  yield* cpu.loadContext(cpu.read(next.pgd), cpu.read(contextId(next)), true);
}
