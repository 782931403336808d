/**
 * Stress runs: random operations of mm and accesses of user code that race on threads, while oracles look at every access.
 *
 * @packageDocumentation
 */
export { STRESS_ARCHS } from './backends.ts';
export * from './config.ts';
export { type Operation, OPERATIONS } from './operations.ts';
export * from './bugs.ts';
export type { EventLine } from './event-lines.ts';
export * from './mended.ts';
export * from './run.ts';
export * from './shows-as.ts';
export { type Area, type Count, machineOptions, type Shared, STRESS_GEOMETRY } from './space.ts';
export type { Range, Task } from './task.ts';
