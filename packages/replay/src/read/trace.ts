import type { MachineFacts } from '../facts.ts';
import type { TraceEvent } from './event.ts';
import type { Format } from './format.ts';
import type { RecordedProcess } from './recorder-notes.ts';

/**
 * A recording, read as it is iterated: memory does not grow with the file. A trace can be iterated once.
 *
 *     const trace = await openTrace('m01.trace.txt.gz')
 *     for await (const event of trace) ...
 *
 * `openTrace` reads up to the first event, so that a file that is no trace is refused there. A line that is no event
 * throws a `TraceError` at its place, after all events before it. A file that ends too early does not throw: its last
 * event is `truncated`.
 */
export interface Trace extends AsyncIterable<TraceEvent> {
  /** The file. */
  readonly file: string;
  /** Its form. */
  readonly format: Format;
  /** Its clock. */
  readonly clock: Clock;
  /** Its header. */
  readonly header: Header;
  /** What it says of the machine that recorded it. */
  readonly facts: MachineFacts;
  /** Tasks that were traced, with what they made, if it says so; null: all. */
  readonly traced: readonly number[] | null;
  /** Processes that were there when it began, if it says so; none: not known. */
  readonly processes: readonly RecordedProcess[];
  /** What its reader had to assume, as it holds too little; empty for all but strace. */
  readonly assumes: readonly string[];
  /** The same events, some thousands at a time: half the cost for who can take them so. */
  batches(): AsyncIterable<TraceEvent[]>;
}

/** The clock of a recording. */
export interface Clock {
  /** 1e6 where stamps have six digits after the point, 1e9 for nine; null for clocks that count (x86-tsc, counter). */
  ticksPerSecond: number | null;
}

/** What the comments at the top say; null for what they do not. */
export interface Header {
  /** The tracer. */
  tracer: string | null;
  /** Entries that the ring buffer still held, and that were ever written: if fewer, the oldest are overwritten. */
  inBuffer: number | null;
  /** Entries that were ever written. */
  written: number | null;
  /** CPUs of the machine. */
  cpus: number | null;
}

/** Iteration by batches, and by events. */
export function batchesOf(
  batches: () => AsyncGenerator<TraceEvent[]>,
): Pick<Trace, 'batches' | typeof Symbol.asyncIterator> {
  return {
    batches,
    async *[Symbol.asyncIterator]() {
      for await (const batch of batches()) yield* batch;
    },
  };
}
