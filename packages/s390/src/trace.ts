/**
 * Events. s390 has no tracepoint of its flushes (tlb:tlb_flush is not emitted there), so this is what one would show:
 * `cpu.trace('s390_tlb_flush', op, local, address, pages)`, when the instruction was done; pages is -1 for everything.
 */
import type { Cpu } from '@mmu-gather/core/stepped';
import type { Clearing } from './isa.ts';

/** An entry was made invalid and purged: IPTE, or IDTE of an entry. */
export const FLUSH_ENTRY: number = 0;
/** An entry was made invalid and all of its mm is owed a flush. */
export const FLUSH_LAZY: number = 1;
/** Reset of DAT protection (RDP). */
export const FLUSH_RDP: number = 2;
/** A whole mm: IDTE by ASCE. */
export const FLUSH_MM: number = 3;
/** The kernel's addresses. */
export const FLUSH_KERNEL: number = 4;

/** All pages, in events. */
export const ALL_PAGES: number = -1;

/** A flush of this kind was done. */
export function traceFlush(cpu: Cpu, op: number, where: Clearing, address: number, pages: number): void {
  cpu.trace('s390_tlb_flush', op, where === 'local' ? 1 : 0, address, pages);
}
