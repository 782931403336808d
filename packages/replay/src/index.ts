/**
 * Replays recordings of real Linux kernels: readers, the driver of the running code, and the comparison of flushes.
 *
 * @packageDocumentation
 */
export type { Architecture, Observed, Places } from './arch/arch.ts';
export { type ArchId, ARCH_IDS } from './arch/kits.ts';
export * from './facts.ts';
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
export * from './read/error.ts';
export * from './read/event.ts';
export type { Format } from './read/format.ts';
export * from './read/open.ts';
export type { RecordedProcess, Run } from './read/recorder-notes.ts';
export type { Clock, Header, Trace } from './read/trace.ts';
export { replay, type ReplayOptions } from './replay.ts';
export {
  type Cut,
  type Gap,
  type Mismatch,
  type ReplayReport,
  type Score,
  type FlushValues,
  summary,
} from './report.ts';
export type { Build } from './model/library.ts';
export type { Adjustments } from './model/model.ts';
export type { Costs } from './model/host.ts';
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
