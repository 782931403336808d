/**
 * CPUs that race for real: the direct build on worker threads over one SharedArrayBuffer, a CPU per thread, behind the Cpu port.
 *
 * @packageDocumentation
 */
export * from './barrier.ts';
export * from './cpu.ts';
export { type Event, EVENT_NAMES, type EventName, type Events } from './events.ts';
export * from './host.ts';
export { Chance } from './jitter.ts';
export { CACHES, DEFAULT_POOLS, type Pool, type PoolSizes } from './layout.ts';
export * from './machine.ts';
export { Stopped } from './mailbox.ts';
export { type GlobalWords, type MachineOptions, type Memory, type TlbSize } from './memory.ts';
export { type Mmu, type Watcher } from './mmu.ts';
export { type Objects, OutOfObjects, type Spoiled } from './objects.ts';
export { MISS, type Tlb } from './tlb.ts';
export type { Finding, Found } from './verdict.ts';
export type { Words } from './words.ts';
export type { Waits } from './waiting.ts';
