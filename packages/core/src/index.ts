/**
 * The abstract mmu_gather, TLB generations, and the two interfaces of the house: the Cpu port (below) and the backend.
 *
 * @packageDocumentation
 */
export * from './address-space.ts';
export * from './asid-allocator.ts';
export * from './asm-generic.ts';
export * from './backend.ts';
export * from './boot.ts';
export * from './cpu.ts';
export * from './deferral/index.ts';
export * from './design-words.ts';
export * from './entry.ts';
export * from './fullmm.ts';
export * from './gather-range.ts';
export * from './generation.ts';
export * from './generic-tlb-flush.ts';
export * from './geometry.ts';
export * from './id-map.ts';
export * from './isa.ts';
export * from './kernel.ts';
export * from './lazy-batch.ts';
export * from './lazy-mmu.ts';
export * from './level-counters.ts';
export * from './mm.ts';
export * from './mmu-gather.ts';
export * from './page.ts';
export * from './profile/index.ts';
export * from './pte.ts';
export * from './pte-ops.ts';
export * from './smp.ts';
export * from './steps.ts';
export * from './struct.ts';
export * from './sync-finish.ts';
export * from './table.ts';
export * from './table-free.ts';
export * from './tlb-flush-pending.ts';
export * from './unmap-level.ts';
export * from './vmap-area.ts';
