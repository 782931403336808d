/**
 * The unit of what a gather changed: the lowest level at which it did (include/asm-generic/tlb.h).
 */
import type { Cpu } from './cpu.ts';
import { entryShift } from './geometry.ts';
import type { MmuGather } from './mmu-gather.ts';

/** tlb_get_unmap_shift: log2 of the smallest unit that was cleared; the page size if none was. */
export function tlbGetUnmapShift(cpu: Cpu, tlb: MmuGather): number {
  return entryShift(cpu.kernel.geometry, tlbGetUnmapLevel(tlb));
}

/** The lowest level of which entries were cleared, 0 if none. */
export function tlbGetUnmapLevel(tlb: MmuGather): number {
  return tlb.cleared === 0 ? 0 : lowestLevel(tlb.cleared);
}

/** The lowest of some levels, at least one, that are given as bits. */
export function lowestLevel(cleared: number): number {
  return 31 - Math.clz32(cleared & -cleared);
}
