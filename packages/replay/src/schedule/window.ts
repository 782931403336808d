/**
 * Window: the few events between what was read and what the model has seen.
 *
 * Some facts stand behind the moment that they matter for: what a system call returns, which child a fork made, which
 * task a CPU was switched to. A step is held until they are known, and all later steps wait behind it. A hold that
 * lasts too long is given up, so memory does not grow with the recording.
 */
import type { TaskEvent } from '../read/event.ts';
import type { Action, Step } from './action.ts';

/** Steps that may wait. A fork that copies a large process writes some thousand rss_stat events before it returns. */
const LIMIT = 100_000;

/** Steps in order, passed on once nothing holds them. */
export class Window {
  #steps: Step[] = [];
  #head = 0;
  /** Holds that were given up. */
  overruns = 0;

  /** Takes an event in. @param lost CPUs of which events were lost before it */
  push(event: TaskEvent, lost: readonly number[] | null = null): Step {
    const step: Step = { event, lost, operation: null, before: null, after: null, holds: 0, passed: false };
    this.#steps.push(step);
    return step;
  }

  /** The step at the front if nothing holds it, else null. @param end no more events will come */
  shift(end: boolean): Step | null {
    const step = this.#steps[this.#head];
    if (step === undefined) return null;
    if (step.holds > 0 && !end) {
      if (this.#steps.length - this.#head <= LIMIT) return null;
      this.overruns++;
    }
    step.passed = true;
    this.#head++;
    if (this.#head >= 4096 && this.#head * 2 > this.#steps.length) {
      this.#steps = this.#steps.slice(this.#head);
      this.#head = 0;
    }
    return step;
  }

  /** Lets an action take effect before a step, or, if that was passed on, before the one that is taken in now. */
  before(step: Step, action: Action, now: Step, first = false): void {
    const at = step.passed ? now : step;
    if (at.before === null) at.before = [action];
    else if (first) at.before.unshift(action);
    else at.before.push(action);
  }

  /** The same, after a step. */
  after(step: Step, action: Action, now: Step): void {
    if (step.passed) this.before(now, action, now);
    else if (step.after === null) step.after = [action];
    else step.after.push(action);
  }
}
