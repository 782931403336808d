/**
 * Mutants of the algorithms in core, mm and the backends: the conformance suite's own test.
 *
 * @packageDocumentation
 */
export type { KillKind } from './campaign.ts';
export * from './checkpoint.ts';
export * from './claim.ts';
export * from './claims/index.ts';
export * from './instrument.ts';
export * from './fate.ts';
export { FURTHER_PROFILES, PROFILES } from './ground.ts';
export * from './lead.ts';
export * from './modules.ts';
export * from './mutation.ts';
export type { Counts, Sort } from './economy.ts';
export { BUDGET, type TryingOptions } from './trying.ts';
export * from './packages.ts';
export * from './port-calls.ts';
export * from './verdict.ts';
