/**
 * Watching: what may look at a replay from inside, and what may change its recording on the way.
 */
import type { Host } from './model/host.ts';
import type { TraceEvent } from './read/event.ts';
import type { Action } from './schedule/action.ts';

/** Watches a replay. */
export interface Observer {
  /** Before the first step. @param ticksPerSecond of the recording's clock */
  begin(host: Host, ticksPerSecond: number): void;
  /** Events as they are read, before they take effect. */
  read(events: readonly TraceEvent[]): void;
  /** The workload proper begins: what came before does not count. */
  workload(): void;
}

/** What an action of a recording is changed to: another one, or null for none. */
export type Change = (action: Action) => Action | null;

/** Who watches, and what is changed. */
export interface Watching {
  readonly observer?: Observer;
  /** What becomes of the events of the recording: as they are, unless given. */
  readonly filter?: (events: readonly TraceEvent[]) => readonly TraceEvent[];
  /** What becomes of each action of the recording: as it is, unless given. */
  readonly change?: Change;
}
