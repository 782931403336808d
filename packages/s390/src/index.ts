/**
 * TLB flushing as in arch/s390: entries that are changed and purged everywhere in one instruction, changes whose purge is owed, and the handshake
 * of CPUs that attach to an mm with those that change it.
 *
 * @packageDocumentation
 */
export * from './asce.ts';
export * from './axes.ts';
export * from './costs.ts';
export * from './crst-upgrade.ts';
export * from './entry-bits.ts';
export * from './flush-count.ts';
export * from './gather.ts';
export * from './ipte.ts';
export * from './ipte-range.ts';
export * from './isa.ts';
export * from './leave-mm.ts';
export * from './profiles.ts';
export * from './pte.ts';
export * from './s390.ts';
export * from './state.ts';
export * from './switch.ts';
export * from './tlb.ts';
export * from './trace.ts';
