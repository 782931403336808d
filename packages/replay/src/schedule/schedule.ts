/**
 * Schedule: a recording's events in order, each with what takes effect before and after it.
 */
import type { Lost, TaskEvent, TraceEvent, Truncated } from '../read/event.ts';
import type { RecordedProcess } from '../read/recorder-notes.ts';
import type { Step } from './action.ts';
import { HiddenSwitches } from './hidden.ts';
import { Operations } from './operations.ts';
import { Sites } from './sites.ts';
import { Window } from './window.ts';

/** A fault of the recorder's own, at a page that a stack seems to be on. It is not handled: the stack just ends there. */
function ofStackWalk(event: TaskEvent): boolean {
  return event.kind === 'pageFault' && event.mode === 'kernel' && event.ip.startsWith('__get_user_nocheck');
}

/** Gaps that are kept for the report. */
const KEPT = 1000;

/** Turns events into steps. */
export class Schedule {
  readonly #window = new Window();
  readonly #sites: Sites;
  readonly #operations: Operations;
  readonly #hidden = new HiddenSwitches(this.#window);
  /** CPUs of which events were lost since the last step. */
  #missing: number[] | null = null;
  /** The recorder walks stacks. */
  #walks = false;
  /** Gaps that the recorder reported: how many, and the first ones. */
  gaps: number = 0;
  readonly lost: Lost[] = [];
  /** The recording ends too early. */
  truncated: Truncated | null = null;

  /** @param processes what processes had mapped when the recording began */
  constructor(processes: readonly RecordedProcess[] = []) {
    this.#sites = new Sites(processes);
    this.#operations = new Operations(this.#window, this.#sites);
  }

  /** Times that something was decided before all of it was read. */
  get overruns(): number {
    return this.#window.overruns;
  }

  /** Takes events in. */
  take(events: readonly TraceEvent[]): void {
    for (const event of events) {
      const { kind } = event;
      if (kind === 'lost') {
        this.#lose(event);
      } else if (kind === 'truncated') {
        this.truncated = event;
      } else if (kind === 'stack') {
        this.#walks = true;
        this.#operations.stack(event);
      } else if (!(this.#walks && ofStackWalk(event))) {
        this.#sites.take(event);
        const step = this.#window.push(event, this.#missing);
        this.#missing = null;
        // A switch that was missed comes before what the task that it led to does.
        this.#hidden.take(step);
        this.#operations.take(step);
      }
    }
  }

  /** What was under way on a CPU may be over since, and others may run there. */
  #lose(gap: Lost): void {
    // No events at all: the CPU was idle all the time.
    if (gap.count === 0) return;
    this.gaps++;
    if (this.lost.length < KEPT) this.lost.push(gap);
    this.#hidden.lose(gap.cpu);
    this.#operations.lose(gap.cpu);
    (this.#missing ??= []).push(gap.cpu);
  }

  /** No more events will come. */
  end(): void {
    this.#operations.end();
  }

  /** The next step whose facts are complete; null if there is none yet. @param end no more events will come */
  next(end = false): Step | null {
    return this.#window.shift(end);
  }
}
