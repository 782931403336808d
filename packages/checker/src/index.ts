/**
 * The exploring machine and the searches over it.
 *
 * @packageDocumentation
 */
export * from './bare.ts';
export * from './diagram.ts';
export * from './exercised.ts';
export * from './explorable.ts';
export * from './film.ts';
export * from './flush-calls.ts';
export * from './layout.ts';
export * from './machine.ts';
export * from './machine-options.ts';
export type { MachineView } from './machine-view.ts';
export * from './measure.ts';
export * from './mmu/descriptor.ts';
export type { FillHost } from './mmu/fills.ts';
export * from './mmu/mmu.ts';
export type { Frames } from './mmu/page-tables.ts';
export type { Held, Removal } from './mmu/removals.ts';
export { MAX_MESSAGES } from './mmu/values.ts';
export * from './process.ts';
export * from './program.ts';
export type { Quiet } from './quiet.ts';
export * from './script.ts';
export * from './search/index.ts';
export * from './standing.ts';
export { type Hash, State } from './state.ts';
export { Text } from './text.ts';
export { WALK_RULES, type WalkRule } from './weak/walk-rules.ts';
export { Words } from './words.ts';
