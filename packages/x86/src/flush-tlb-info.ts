/**
 * flush_tlb_info: one request, in the sender's memory (asm/tlbflush.h). Its address is what IPIs carry.
 *
 * One static buffer for each CPU: preemption is off from filling it to the last acknowledgement, so a CPU has at most one
 * request under way, and the address tells who asks. Plain stores fill it; sending an IPI publishes them, and waiting for it hands the buffer back.
 */
import {
  type Address,
  type Arena,
  type Cell,
  type Cpu,
  type Handle,
  type Struct,
  struct,
  powerOfTwo,
} from '@mmu-gather/core/stepped';
import { TLB_FLUSH_ALL } from './reason.ts';
import { x86Of } from './tlbstate.ts';

/** TLB_GENERATION_INVALID: the request belongs to no generation of one mm (reclaim's batches). */
export const TLB_GENERATION_INVALID: number = 0;

/** A request to flush. */
export interface FlushTlbInfo extends Handle {
  /** The mm; 0: whatever is loaded. */
  readonly mm: Cell;
  /** First address. */
  readonly start: Cell;
  /** First address past the range, or {@link TLB_FLUSH_ALL}. */
  readonly end: Cell;
  /** The generation that this request brings a CPU to. */
  readonly newTlbGen: Cell;
  /** A CPU that has this generation needs the range only: the one before `newTlbGen`, or an older one if steps were folded. */
  readonly base: Cell;
  /** log2 of the unit of the range in bytes. */
  readonly strideShift: Cell;
  /** 1 if page tables were unlinked. */
  readonly freedTables: Cell;
  /** 1 if CPUs that run other mms shall leave the mask. */
  readonly trimCpumask: Cell;
}
/** Struct type of {@link FlushTlbInfo}. */
export const FlushTlbInfo: Struct<FlushTlbInfo> = struct<FlushTlbInfo>('flush_tlb_info', [
  'mm',
  'start',
  'end',
  'newTlbGen',
  'base',
  'strideShift',
  'freedTables',
  'trimCpumask',
]);

/** Reserves the buffer of one CPU. */
export function reserveFlushTlbInfo(arena: Arena, cpu: number): FlushTlbInfo {
  return FlushTlbInfo.at(arena.reserve(`flush_tlb_info[${cpu}]`, FlushTlbInfo.fields));
}

/** Whole units in a range: (end - start) >> shift. */
export function unitsIn(start: number, end: number, shift: number): number {
  return Math.floor((end - start) / powerOfTwo(shift));
}

/**
 * get_flush_tlb_info: fills this CPU's buffer. More units than the ceiling become everything: beyond it, INVLPG for each
 * costs more than refilling. A unit is a stride, so 33 huge pages still are 33 INVLPGs.
 */
export function getFlushTlbInfo(
  cpu: Cpu,
  mm: Address,
  start: number,
  end: number,
  strideShift: number,
  freedTables: boolean,
  newTlbGen: number,
): FlushTlbInfo {
  const { flushTlbInfo, switches } = x86Of(cpu);
  const info = flushTlbInfo[cpu.id]!;
  const all = end === TLB_FLUSH_ALL || unitsIn(start, end, strideShift) > switches.ceiling;
  cpu.write(info.mm, mm);
  cpu.write(info.start, all ? 0 : start);
  cpu.write(info.end, all ? TLB_FLUSH_ALL : end);
  cpu.write(info.newTlbGen, newTlbGen);
  cpu.write(info.base, newTlbGen - 1);
  cpu.write(info.strideShift, strideShift);
  cpu.write(info.freedTables, freedTables ? 1 : 0);
  cpu.write(info.trimCpumask, 0);
  return info;
}
