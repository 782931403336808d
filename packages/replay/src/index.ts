/**
 * Replays recordings of real Linux kernels: readers, the driver of the running code, and the comparison of flushes.
 *
 * @packageDocumentation
 */
export * from './predict.ts';
export * from './record/error.ts';
export {
  type CommandSubject,
  type MachineSubject,
  type ProcessSubject,
  record,
  type Recorded,
  type RecordOptions,
  type Subject,
} from './record/record.ts';
export * from './costs/override.ts';
export * from './costs/price.ts';
export * from './costs/table.ts';
export * from './show/csv.ts';
export * from './show/page.ts';
export * from './show/perfetto.ts';
export * from './what-if/backends.ts';
export type { ChangeId } from './what-if/change.ts';
export type { Bill, Kind, Slice } from './what-if/meter.ts';
export * from './what-if/what-if.ts';
