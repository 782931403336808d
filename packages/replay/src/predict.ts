/**
 * The part of this package that reads recordings and predicts them, for who does nothing else: the whole has three times as many modules to load.
 *
 * @packageDocumentation
 */
export type { Architecture, During, Observed, Places } from './arch/arch.ts';
export { type ArchId, ARCH_IDS } from './arch/kits.ts';
export * from './facts.ts';
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
  type InterruptMismatch,
  type InterruptScore,
  type Mismatch,
  type ReplayReport,
  type Score,
  type FlushValues,
  summary,
} from './report.ts';
export type { Build } from './model/library.ts';
export type { Adjustments } from './model/model.ts';
export type { Costs } from './model/host.ts';
