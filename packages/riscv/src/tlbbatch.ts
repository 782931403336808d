/**
 * tlbbatch: reclaim collects harts and flushes once (arch/riscv/mm/tlbflush.c: arch_tlbbatch_*; since 6.8).
 *
 * Nothing is told to anybody before the flush, which belongs to no mm: every ASID goes on the harts that were collected. Who meets a deferral of
 * another task flushes the mm (flush_tlb_batched_pending).
 */
import { ALL_ASIDS, type Cpu, type Mm, pageSize, type Steps, type TlbBatch } from '@mmu-gather/core/stepped';
import { flushOnMask } from './remote.ts';
import { FLUSH_TLB_MAX_SIZE, riscvOf } from './state.ts';

/**
 * arch_tlbbatch_should_defer: always. But not in designs that remember deferrals by a generation, or by the CPUs that must flush: there are no
 * such things here.
 */
export function* tlbbatchShouldDefer(cpu: Cpu, _mm: Mm): Steps<boolean> {
  const { batchedPending } = cpu.kernel.profile;
  return riscvOf(cpu).switches.tlbbatch && batchedPending !== 'generation' && batchedPending !== 'cpumask';
}

/** arch_tlbbatch_add_pending: under the PTL of the entry that was cleared. A hart that is not in the mask yet walks what is there now. */
export function* tlbbatchAddPending(cpu: Cpu, batch: TlbBatch, mm: Mm, _address: number): Steps<number> {
  batch.cpumask |= yield* cpu.readOnce(mm.cpumask);
  return 0;
}

/** arch_tlbbatch_flush. */
export function* tlbbatchFlush(cpu: Cpu, batch: TlbBatch): Steps<void> {
  const stride = pageSize(cpu.kernel.geometry);
  const request = { asid: ALL_ASIDS, start: 0, size: FLUSH_TLB_MAX_SIZE, stride, freedTables: false };
  yield* flushOnMask(cpu, batch.cpumask, request);
  batch.cpumask = 0;
}
