/**
 * tlbbatch: reclaim tells all CPUs at once and waits once (arch/arm64/include/asm/tlbflush.h: arch_tlbbatch_*; since 6.6).
 *
 *     CPU 0 (reclaim)                         CPU 1 (mprotect, under the same PTL)
 *     lock PTL; clear entry
 *     DSB ISHST; TLBI                         // the entry is none; is it in no TLB?
 *     mm.tlbFlushBatched += 1; unlock PTL
 *                                             DSB ISH waits for CPU 1's own TLBIs: wrong (up to 6.15)
 *     DSB ISH: its TLBIs are done             a TLBI of its own, and DSB ISH: right
 *
 * Issue and wait are of one task: on one CPU, or with the DSB ISH of __switch_to between them.
 */
import type { Cpu, Mm, Steps, TlbBatch } from '@mmu-gather/core/stepped';
import { arm64Of } from './asid-state.ts';
import { dsbIsh } from './barriers.ts';
import { endFlush, flushTlbPageNosync } from './flush.ts';
import { FLUSH_DEFERRED } from './trace.ts';

/**
 * arch_tlbbatch_should_defer: always, but on CPUs whose every TLBI waits. And not in designs that remember deferrals by a generation, or by
 * the CPUs that must flush: there are no such things here.
 */
export function* tlbbatchShouldDefer(cpu: Cpu, _mm: Mm): Steps<boolean> {
  const { tlbbatch, repeatTlbi } = arm64Of(cpu).switches;
  const { batchedPending } = cpu.kernel.profile;
  return tlbbatch && repeatTlbi !== 'each' && batchedPending !== 'generation' && batchedPending !== 'cpumask';
}

/** Level of the entries that reclaim defers, as hints count: 3 of the architecture. */
const BASE_PAGE = 0;

/** arch_tlbbatch_add_pending: under the PTL of the entry that was cleared. There are no generations. */
export function* tlbbatchAddPending(cpu: Cpu, _batch: TlbBatch, mm: Mm, address: number): Steps<number> {
  yield* flushTlbPageNosync(cpu, mm, address, FLUSH_DEFERRED, BASE_PAGE);
  return 0;
}

/** arch_tlbbatch_flush: waits. The task has not left its CPU since without waiting there. */
export function tlbbatchFlush(cpu: Cpu, _batch: TlbBatch): Steps<void> {
  return endFlush(cpu);
}

/**
 * arch_flush_tlb_batched_pending of 6.6 to 6.15, wrong: waits for the TLBIs of this CPU. Under a PTL. Since then it is a flush of the mm
 * on every architecture.
 */
export function flushTlbBatchedPending(cpu: Cpu, _mm: Mm): Steps<void> {
  return dsbIsh(cpu);
}
