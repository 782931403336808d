/**
 * TLB flushing as in arch/powerpc (Book3S-64), with either MMU: the hash page table, and radix page tables.
 *
 * @packageDocumentation
 */
export * from './context-ids.ts';
export * from './costs.ts';
export * from './hash/index.ts';
export * from './radix/index.ts';
