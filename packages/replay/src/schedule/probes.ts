/**
 * Probes in place of csd events: kernels before 6.6 have none of these, and a probe on flush_tlb_func shows as well that a request begins to run.
 */
import type { TaskEvent } from '../read/event.ts';

/** Turns probes into csd events, unless the recording has those. */
export class Probes {
  #csd = false;

  /** The event as the model knows it. */
  complete(event: TaskEvent): TaskEvent {
    if (event.kind === 'csdQueueCpu' || event.kind === 'csdFunctionEntry') this.#csd = true;
    if (this.#csd || event.kind !== 'other' || event.name !== 'flush_tlb_func') return event;
    const { line, time, cpu, pid, tgid, comm, flags } = event;
    return { line, time, cpu, pid, tgid, comm, flags, kind: 'csdFunctionEntry', func: event.name };
  }
}
