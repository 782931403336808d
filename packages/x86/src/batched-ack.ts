/**
 * How a CPU leaves reclaim's mask of CPUs that must flush (RFC 20; `batchedPending: 'cpumask'`).
 *
 *     CPU 0 (reclaim, PTL held)             CPU 1 (flush_tlb_func, interrupts off)
 *     clear entry                           leave the mask               (LOCK)
 *     inc mm.tlbGen         (LOCK)          read mm.tlbGen
 *     mask |= CPU 1         (LOCK)          flush up to it
 *
 * If CPU 1 takes away the bit that CPU 0 has just set, it reads the generation afterwards and flushes. As posted it leaves when it
 * has flushed, and may take away a bit that was set for what it has cached since (D6, trace T5). A CPU that leaves on arrival leaves
 * also where it has nothing to flush; it stays only if the request is for an mm that it does not run, or older than what it has. One that
 * leaves only if it has to flush all stays on the other ways, too, and whoever looks at the mask flushes for nothing (D9).
 */
import type { Cpu, DeferralSwitches, Steps } from '@mmu-gather/core/stepped';

/** Where in the handler a CPU leaves the mask; undefined if it is in none. */
export function ackOf({ kernel: { profile } }: Cpu): DeferralSwitches['batchedAck'] | undefined {
  return profile.batchedPending === 'cpumask' ? profile.batchedAck : undefined;
}

/** Leaves the mask. Interrupts off. */
export function ackBatched(cpu: Cpu): Steps<void> {
  return cpu.atomicAndNot(cpu.kernel.batchedCpumask, 1 << cpu.id);
}
