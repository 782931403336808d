/**
 * Events. arm64 has no tracepoint of its TLB flushes (tlb:tlb_flush is x86's), so this is what one would show:
 * `cpu.trace('arm64_tlb_flush', kind, asid, pages)`, when the TLBIs are issued; pages is -1 for everything.
 */
import type { Cpu } from '@mmu-gather/core/stepped';

/** Everything on this CPU. */
export const FLUSH_LOCAL_ALL: number = 0;
/** One page on this CPU. */
export const FLUSH_LOCAL_PAGE: number = 1;
/** An mm. */
export const FLUSH_MM: number = 2;
/** A range of an mm. */
export const FLUSH_RANGE: number = 3;
/** Kernel addresses. */
export const FLUSH_KERNEL: number = 4;
/** Reclaim's deferral of one page: its TLBI, which nobody has waited for yet. */
export const FLUSH_DEFERRED: number = 5;

/** All pages, in events. */
export const ALL_PAGES: number = -1;

/** A flush of this kind was issued. */
export function traceFlush(cpu: Cpu, kind: number, asid: number, pages: number): void {
  cpu.trace('arm64_tlb_flush', kind, asid, pages);
}
