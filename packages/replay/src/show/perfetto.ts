/**
 * Perfetto: flushes as a trace in Chrome's JSON format (Trace Event Format), which ui.perfetto.dev and chrome://tracing open.
 *
 *     process 0      a track for each CPU: a slice for each flush, as long as it is modelled to take
 *     flow           from the CPU that sent an interrupt to the slice of the one that flushed for it
 *
 * Times are microseconds of the recording's clock. What happens at one time on one CPU is drawn one after the other.
 */
import type { Slice } from '../what-if/meter.ts';

/** An event of the format; which fields it has depends on `ph`. */
export interface ChromeEvent {
  /** Kind: `X` a slice, `s` and `f` begin and end of a flow, `M` a name. */
  readonly ph: 'X' | 's' | 'f' | 'M';
  /** Name. */
  readonly name: string;
  /** Process: 0. */
  readonly pid: number;
  /** Track: a CPU. */
  readonly tid: number;
  /** Microseconds. */
  readonly ts: number;
  /** Of a slice: microseconds. */
  readonly dur?: number;
  /** Category. */
  readonly cat?: string;
  /** Of a flow: which. */
  readonly id?: number;
  /** Of a flow's end: the slice around it, not the next one. */
  readonly bp?: 'e';
  /** What else there is to say. */
  readonly args?: Readonly<Record<string, string | number>>;
}

/** A trace. */
export interface ChromeTrace {
  /** In order of time on each track. */
  readonly traceEvents: readonly ChromeEvent[];
  /** Unit that viewers show. */
  readonly displayTimeUnit: 'ns';
}

/** Length of the slice in which an interrupt is sent, in microseconds. */
const SENDING = 0.001;

/** Flushes as a trace. @param ticksPerSecond of the slices' clock */
export function perfettoTrace(slices: readonly Slice[], ticksPerSecond: number): ChromeTrace {
  const events: ChromeEvent[] = [];
  const tracks = new Tracks();
  let flows = 0;
  for (const slice of slices) {
    const { cpu, from, kind } = slice;
    const at = (slice.time / ticksPerSecond) * 1e6;
    const args = {
      pages: slice.pages < 0 ? 'all' : slice.pages,
      task: slice.pid,
      line: slice.line,
    };
    const dur = slice.ns / 1000;
    const interrupts = kind === 'interrupted CPU' && from !== cpu;
    if (interrupts) {
      const ts = tracks.put(from, at, SENDING);
      events.push({ ph: 'X', name: `interrupt CPU ${cpu}`, cat: 'ipi', pid: 0, tid: from, ts, dur: SENDING, args });
      events.push({ ph: 's', name: 'ipi', cat: 'ipi', id: ++flows, pid: 0, tid: from, ts });
    }
    const ts = tracks.put(cpu, at, dur);
    events.push({ ph: 'X', name: `${slice.operation}: ${kind}`, cat: 'flush', pid: 0, tid: cpu, ts, dur, args });
    if (interrupts) events.push({ ph: 'f', bp: 'e', name: 'ipi', cat: 'ipi', id: flows, pid: 0, tid: cpu, ts });
  }
  return { traceEvents: [...names(tracks.cpus), ...events], displayTimeUnit: 'ns' };
}

/** Names of the process and its tracks. */
function names(cpus: readonly number[]): ChromeEvent[] {
  return [
    { ph: 'M', name: 'process_name', pid: 0, tid: 0, ts: 0, args: { name: 'TLB flushes' } },
    ...cpus.map(
      (cpu): ChromeEvent => ({ ph: 'M', name: 'thread_name', pid: 0, tid: cpu, ts: 0, args: { name: `CPU ${cpu}` } }),
    ),
  ];
}

/** Slices of a track must not overlap. */
class Tracks {
  readonly #ends = new Map<number, number>();

  /** CPUs with slices. */
  get cpus(): number[] {
    return [...this.#ends.keys()].toSorted((a, b) => a - b);
  }

  /** Takes place on a track, from a time on or as soon as it is free. @returns where it begins */
  put(cpu: number, at: number, length: number): number {
    const begin = Math.max(at, this.#ends.get(cpu) ?? 0);
    this.#ends.set(cpu, begin + length);
    return begin;
  }
}
