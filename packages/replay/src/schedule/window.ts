/**
 * Window: the few events between what was read and what the model has seen.
 *
 * Some facts stand behind the moment that they matter for: what a system call returns, which child a fork made, which
 * task a CPU was switched to. A step is held until they are known, and all later steps wait behind it. A hold that
 * lasts too long is given up, so memory does not grow with the recording.
 */
import type { TaskEvent } from '../read/event.ts';
import type { Action, Step } from './action.ts';
import { inHardirq, isQuiet } from './context.ts';

/** Steps that may wait. A fork that copies a large process writes some thousand rss_stat events before it returns. */
const LIMIT = 100_000;

/** Steps in order, passed on once nothing holds them. */
export class Window {
  #first: Step | null = null;
  #last: Step | null = null;
  /** The step that was passed on last. */
  #passed: Step | null = null;
  #waiting = 0;
  /** Holds that were given up. */
  overruns = 0;

  /** Takes an event in. @param lost CPUs of which events were lost before it */
  push(event: TaskEvent, lost: readonly number[] | null = null): Step {
    const step = stepOf(event, lost);
    if (this.#last !== null) this.#last.next = step;
    this.#last = step;
    this.#first ??= step;
    this.#waiting++;
    return step;
  }

  /** The step at the front if nothing holds it, else null. @param end no more events will come */
  shift(end: boolean): Step | null {
    const step = this.#first;
    if (step === null) return null;
    if (step.holds > 0 && !end) {
      if (this.#waiting <= LIMIT) return null;
      this.overruns++;
    }
    // Whoever keeps a step that was passed on keeps it alone.
    if (this.#passed !== null) this.#passed.next = null;
    this.#passed = step;
    step.passed = true;
    this.#waiting--;
    this.#first = step.next;
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

/** An event that nothing takes effect at so far. @param lost CPUs of which events were lost before it */
export function stepOf(event: TaskEvent, lost: readonly number[] | null): Step {
  const { kind, cpu, pid } = event;
  const inTask = !inHardirq(event);
  return {
    event,
    kind,
    pid,
    cpu,
    inTask,
    own: inTask && !isQuiet(kind),
    lost,
    operation: null,
    before: null,
    after: null,
    holds: 0,
    passed: false,
    next: null,
  } as Step;
}
