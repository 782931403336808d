/**
 * TLB flushing as in arch/riscv: fences of one hart, interrupts or the firmware for others, ASIDs with rollover, masks that only grow.
 *
 * @packageDocumentation
 */
export * from './axes.ts';
export * from './context.ts';
export * from './deferred.ts';
export * from './flush.ts';
export * from './flush-local.ts';
export * from './gather.ts';
export * from './isa.ts';
export * from './kernel-range.ts';
export * from './profiles.ts';
export * from './pte.ts';
export * from './remote.ts';
export * from './riscv.ts';
export * from './state.ts';
export * from './switch.ts';
export * from './tlbbatch.ts';
export * from './trace.ts';
