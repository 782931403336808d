/**
 * Schedule: a recording's events in order, each with what takes effect before and after it.
 */
import type { Lost, TraceEvent, Truncated } from '../read/event.ts';
import type { Step } from './action.ts';
import { HiddenSwitches } from './hidden.ts';
import { Operations } from './operations.ts';
import { Window } from './window.ts';

/** Turns events into steps. */
export class Schedule {
  readonly #window = new Window();
  readonly #operations = new Operations(this.#window);
  readonly #hidden = new HiddenSwitches(this.#window);
  /** Gaps that the recorder reported. */
  readonly lost: Lost[] = [];
  /** The recording ends too early. */
  truncated: Truncated | null = null;

  /** Times that something was decided before all of it was read. */
  get overruns(): number {
    return this.#window.overruns;
  }

  /** Takes events in. */
  take(events: readonly TraceEvent[]): void {
    for (const event of events) {
      if (event.kind === 'lost') {
        this.lost.push(event);
      } else if (event.kind === 'truncated') {
        this.truncated = event;
      } else {
        const step = this.#window.push(event);
        // A switch that was missed comes before what the task that it led to does.
        this.#hidden.take(step);
        this.#operations.take(step);
      }
    }
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
