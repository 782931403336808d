/**
 * Flushes of user addresses: flush_tlb_mm and its sisters (arch/riscv/mm/tlbflush.c). Whom they reach is in remote.ts.
 */
import { asidIn, type Cpu, entrySize, EVERYTHING, type Mm, pageSize, type Steps } from '@mmu-gather/core/stepped';
import { flushOnMask } from './remote.ts';
import { FLUSH_TLB_MAX_SIZE, mmContextId, riscvOf } from './state.ts';

/** A range of an mm, in bytes. */
export interface MmRange {
  /** First address. */
  readonly start: number;
  /** Bytes, or FLUSH_TLB_MAX_SIZE. */
  readonly size: number;
  /** Bytes of the smallest entry that was changed. */
  readonly stride: number;
  /** Whether tables were unlinked. */
  readonly freedTables: boolean;
}

/** A range of an mm on the harts that have run it. An mm without an ASID has run nowhere yet. */
export function* flushMmRange(cpu: Cpu, mm: Mm, range: MmRange): Steps<void> {
  // Pairs with the barrier behind the bit in mm_cpumask (switch.ts).
  if (riscvOf(cpu).switches.flushFence) yield* cpu.smpMb();
  const asid = asidIn(yield* cpu.readOnce(mmContextId(mm)));
  const mask = yield* cpu.readOnce(mm.cpumask);
  yield* flushOnMask(cpu, mask, { asid, ...range });
}

/** flush_tlb_mm: everything of an mm, walk caches too. */
export function flushTlbMm(cpu: Cpu, mm: Mm): Steps<void> {
  return flushEverything(cpu, mm, true);
}

/** The same, for a reason that is known. */
export function flushEverything(cpu: Cpu, mm: Mm, freedTables: boolean): Steps<void> {
  const stride = pageSize(cpu.kernel.geometry);
  return flushMmRange(cpu, mm, { start: 0, size: FLUSH_TLB_MAX_SIZE, stride, freedTables });
}

/** flush_tlb_page: the leaf of one page. */
export function flushTlbPage(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const size = pageSize(cpu.kernel.geometry);
  return flushMmRange(cpu, mm, { start: address, size, stride: size, freedTables: false });
}

/** flush_tlb_range, flush_pmd_tlb_range: pages of a VMA. Leaves only, as long as they are not too many. */
export function flushTlbRange(cpu: Cpu, mm: Mm, start: number, end: number, level: number): Steps<void> {
  const stride = strideOf(cpu, level);
  return flushMmRange(cpu, mm, { start, size: end - start, stride, freedTables: false });
}

/** The stride of flushes of entries of a level. */
export function strideOf(cpu: Cpu, level: number): number {
  const { geometry } = cpu.kernel;
  return riscvOf(cpu).switches.hugeStride ? entrySize(geometry, level) : pageSize(geometry);
}

/**
 * See core's `Backend.flushTlbGen`. There are no generations here: the range is flushed, and nothing is published as completed, for a flush of
 * one range says nothing about those that were recorded before.
 */
export function flushTlbGen(
  cpu: Cpu,
  mm: Mm,
  start: number,
  end: number,
  level: number,
  freedTables: boolean,
  _gen: number,
): Steps<void> {
  if (freedTables || (start === 0 && end === EVERYTHING)) return flushEverything(cpu, mm, freedTables);
  return flushTlbRange(cpu, mm, start, end, level);
}
