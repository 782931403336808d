/**
 * TLB flushing as in arch/x86: generations, dynamic ASIDs, lazy TLB, shootdowns by IPI.
 *
 * @packageDocumentation
 */
export * from './asid.ts';
export * from './axes.ts';
export * from './costs.ts';
export * from './flush-func.ts';
export * from './flush-multi.ts';
export * from './flush-tlb-info.ts';
export * from './flush.ts';
export * from './gather.ts';
export * from './global-asid.ts';
export * from './global-flush.ts';
export * from './isa.ts';
export * from './kernel-range.ts';
export * from './kvm.ts';
export * from './leave-mm.ts';
export * from './needs-flush.ts';
export * from './profiles.ts';
export * from './pti.ts';
export * from './reason.ts';
export * from './switch.ts';
export * from './tlbbatch.ts';
export * from './tlbstate.ts';
export * from './x86.ts';
