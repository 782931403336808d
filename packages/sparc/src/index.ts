/**
 * TLB flushing as in arch/sparc (64 bits): software-filled TLBs behind a table of translations for each mm (TSB), context numbers that all CPUs
 * share, flushes at each change of an entry, batched in lazy MMU sections.
 *
 * @packageDocumentation
 */
export * from './axes.ts';
export * from './context.ts';
export * from './costs.ts';
export * from './cross-call.ts';
export * from './gather.ts';
export * from './isa.ts';
export * from './kernel-range.ts';
export * from './lazy-mmu.ts';
export * from './profiles.ts';
export * from './pte.ts';
export * from './sparc64.ts';
export * from './state.ts';
export * from './switch.ts';
export * from './tlb-batch.ts';
export * from './tlb-miss.ts';
export * from './tsb-grow.ts';
export * from './tsb.ts';
