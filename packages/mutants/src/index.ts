/**
 * Mutants of the algorithms in core, mm and the backends: the conformance suite's own test.
 *
 * @packageDocumentation
 */
export * from './claim.ts';
export * from './claims/index.ts';
export * from './instrument.ts';
export * from './load.ts';
export type * from './campaign.ts';
export * from './lead.ts';
export * from './mutation.ts';
export * from './sites.ts';
export * from './switchboard.ts';
export * from './verdict.ts';
export type * from './orders.ts';
