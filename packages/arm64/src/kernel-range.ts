/**
 * flush_tlb_kernel_range and flush_tlb_all: kernel addresses, in every ASID of every CPU (arch/arm64/include/asm/tlbflush.h).
 *
 * Leaves only: who frees a table of the kernel drops the walk caches of its addresses besides (__flush_tlb_kernel_pgtable).
 */
import { type Cpu, EVERYTHING, pageSize, RESERVED_ASID, type Steps } from '@mmu-gather/core/stepped';
import { arm64Of } from './asid-state.ts';
import { dsbIshst } from './barriers.ts';
import { tlbi, tlbiSync } from './flush.ts';
import { vaae1, vmalle1 } from './isa.ts';
import { ALL_PAGES, FLUSH_KERNEL, traceFlush } from './trace.ts';

/** flush_tlb_kernel_range; see core's `Backend.flushTlbKernelRange`. Returns at a context synchronisation event (ISB). */
export function* flushTlbKernelRange(cpu: Cpu, start: number, end: number): Steps<void> {
  const { barrierBefore, kernelBarrierAfter, shareability } = arm64Of(cpu).switches;
  const size = pageSize(cpu.kernel.geometry);
  const all = end === EVERYTHING || end - start > arm64Of(cpu).switches.maxDvmOps * size;
  if (barrierBefore === 'ishst') yield* dsbIshst(cpu);
  if (all) yield* tlbi(cpu, vmalle1(shareability));
  else
    for (let at = start; at < end; at += size)
      yield* tlbi(cpu, vaae1({ start: at, end: at + size }, true, shareability));
  traceFlush(cpu, FLUSH_KERNEL, RESERVED_ASID, all ? ALL_PAGES : (end - start) / size, all ? 0 : start);
  if (kernelBarrierAfter === 'ish') yield* tlbiSync(cpu);
}

/** __flush_tlb_kernel_pgtable: the walk caches on the way to an address, before the table that it led to is freed. */
export function* flushTlbKernelPgtable(cpu: Cpu, address: number): Steps<void> {
  const { shareability } = arm64Of(cpu).switches;
  yield* dsbIshst(cpu);
  yield* tlbi(cpu, vaae1({ start: address, end: address + pageSize(cpu.kernel.geometry) }, false, shareability));
  yield* tlbiSync(cpu);
}
