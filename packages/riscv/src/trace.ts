/**
 * Events. RISC-V has no tracepoint of its TLB flushes (tlb:tlb_flush is x86's), so this is what one would show:
 * `cpu.trace('riscv_tlb_flush', kind, asid, pages)`; pages is -1 for everything, asid -1 for all.
 */
import type { Cpu } from '@mmu-gather/core/stepped';

/** A hart flushes itself, for whomever. */
export const FLUSH_LOCAL: number = 0;
/** A flush interrupts other harts. */
export const FLUSH_IPI: number = 1;
/** A flush has the firmware fence other harts. */
export const FLUSH_SBI: number = 2;
/** A flush is left in the queue of a hart. */
export const FLUSH_DEFERRED: number = 3;

/** All pages, in events. */
export const ALL_PAGES: number = -1;

/** A flush of this kind took place. */
export function traceFlush(cpu: Cpu, kind: number, asid: number, pages: number): void {
  cpu.trace('riscv_tlb_flush', kind, asid, pages);
}
