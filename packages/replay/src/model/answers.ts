/**
 * Answers: where requests to flush were answered before anything else happened, their operation need not wait for them.
 *
 *     CPU 0 (mprotect)                          CPU 1
 *     csd_queue_cpu: the job runs, to its end
 *                                               csd_function_entry: its flush is one of this moment
 *     the task's next event
 *
 * If in between a task switches, another one changes something, or the recording does not reach that far yet, the job has to wait
 * (runner.ts). What it then does is the same, and takes ten times as long.
 */
import type { Step } from '../schedule/action.ts';
import { runsFlush } from '../schedule/context.ts';

/** Steps that are looked at: interrupts are answered within a few. */
const FAR = 256;

/** What follows a request to flush, as far as it is recorded. */
export interface Answers {
  /** Requests that begin to run, in order. */
  readonly arrivals: readonly Arrival[];
  /** When the task goes on: all that it asked for is done. */
  readonly until: number;
}

/** A request begins to run. */
interface Arrival {
  readonly cpu: number;
  readonly time: number;
}

/**
 * What follows a step of a task, up to the next one of its own; null if its operation has to wait.
 * @param changes whether the model changes at a step before anything that was recorded there counts
 */
export function answersTo(step: Step, pid: number, changes: (step: Step) => boolean): Answers | null {
  const arrivals: Arrival[] = [];
  let at = step.next;
  for (let far = 0; at !== null && far < FAR; far++, at = at.next) {
    const { event, kind, pid: task, cpu, inTask, own } = at;
    if (kind === 'mark' || at.lost !== null || changes(at)) return null;
    if (own && task === pid) return { arrivals, until: event.time };
    if (at.holds > 0 || at.before !== null || at.after !== null || kind === 'schedSwitch') return null;
    if (kind === 'csdFunctionEntry' && runsFlush(event) && (!inTask || task === 0))
      arrivals.push({ cpu, time: event.time });
  }
  return null;
}

/** Answers as an operation gets them: each of its waits for all CPUs that it asked is a round. */
export class Rounds {
  readonly #arrivals: (Arrival | null)[];
  readonly #until: number;
  /** The first arrival that may be of this round. */
  #from = 0;
  /** The first one that may be of the next. */
  #next = 0;

  constructor({ arrivals, until }: Answers) {
    this.#arrivals = [...arrivals];
    this.#until = until;
  }

  /** When a CPU that was asked answers. */
  arrival(cpu: number): { readonly time: number; readonly seen: boolean } {
    const at = this.#arrivals.findIndex((arrival, index) => index >= this.#from && arrival?.cpu === cpu);
    if (at < 0) {
      this.#next = this.#arrivals.length;
      return { time: this.#until, seen: false };
    }
    const { time } = this.#arrivals[at]!;
    this.#arrivals[at] = null;
    this.#next = Math.max(this.#next, at + 1);
    return { time, seen: true };
  }

  /** All that were asked have answered. */
  end(): void {
    this.#from = this.#next;
  }
}
