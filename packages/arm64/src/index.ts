/**
 * TLB flushing as in arch/arm64: broadcast invalidation, ASIDs with rollover.
 *
 * @packageDocumentation
 */
export * from './active-cpu.ts';
export * from './arm64.ts';
export * from './asid-state.ts';
export * from './axes.ts';
export * from './barriers.ts';
export * from './context.ts';
export * from './contpte.ts';
export * from './costs.ts';
export * from './flush-local.ts';
export * from './flush.ts';
export * from './gather.ts';
export * from './isa.ts';
export * from './kernel-range.ts';
export * from './needs-flush.ts';
export * from './operand.ts';
export * from './profiles.ts';
export * from './pte.ts';
export * from './range.ts';
export * from './switch.ts';
export * from './tlbbatch.ts';
export * from './trace.ts';
