/**
 * tlb_flush, and the flushes of the generic interface (arch/sparc/include/asm/tlb_64.h, tlbflush_64.h).
 *
 * Each change of an entry has asked for its flush, and the section that it was made in has ended: nothing is left to do. tlb_flush drains this
 * CPU's batch all the same. Tables are in no cache of the hardware's (tlb_needs_table_invalidate is false): only the miss handler reads
 * them, with interrupts off, and a grace period waits for it.
 */
import { type Cpu, drainLazyBatch, type Mm, type MmuGather, type Steps } from '@mmu-gather/core/stepped';
import { flushTlbBatch, thisTlbBatch } from './tlb-batch.ts';

/** tlb_flush. */
export function tlbFlush(cpu: Cpu, _tlb: MmuGather): Steps<void> {
  return drainLazyBatch(cpu, thisTlbBatch(cpu), flushTlbBatch);
}

/** flush_tlb_mm: empty. */
export function* flushTlbMm(_cpu: Cpu, _mm: Mm): Steps<void> {}

/** flush_tlb_range: empty. */
export function* flushTlbRange(_cpu: Cpu, _mm: Mm, _start: number, _end: number, _level: number): Steps<void> {}

/** flush_tlb_page: empty. */
export function* flushTlbPage(_cpu: Cpu, _mm: Mm, _address: number): Steps<void> {}

/** There are no generations; what was recorded under one was flushed before. */
export function* flushTlbGen(
  _cpu: Cpu,
  _mm: Mm,
  _start: number,
  _end: number,
  _level: number,
  _freedTables: boolean,
  _gen: number,
): Steps<void> {}
