/**
 * Left out: tasks that a recorder was told not to trace (`set_event_pid`). A switch to one is recorded, and nothing of what
 * it does, the flush of that very switch included.
 *
 * Such a task gets the name that recordings without its own name have for it.
 */
import type { TraceEvent } from '../read/event.ts';
import { isKernelThread } from '../model/kthread.ts';
import { OTHER } from '../model/tasks.ts';
import { leavesForGood } from './context.ts';

/** Follows which tasks are traced: some from the start, and what they make (option `event-fork`). */
export class LeftOut {
  readonly #traced: Set<number>;

  /** @param traced ids of tasks; kernel threads need not be among them */
  constructor(traced: Iterable<number>) {
    this.#traced = new Set(traced);
  }

  /** Takes events in, and gives tasks that are left out their name. */
  take(events: readonly TraceEvent[]): void {
    for (const event of events) {
      if (event.kind === 'taskNewtask' || event.kind === 'schedProcessFork') {
        if (this.#traces(event.pid, event.comm)) this.#traced.add(event.childPid);
      } else if (event.kind === 'schedSwitch') {
        if (!this.#traces(event.nextPid, event.nextComm)) event.nextComm = OTHER;
        if (leavesForGood(event)) this.#traced.delete(event.prevPid);
      }
    }
  }

  #traces(pid: number, comm: string): boolean {
    return pid === 0 || this.#traced.has(pid) || isKernelThread(comm);
  }
}
