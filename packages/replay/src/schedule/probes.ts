/**
 * Probes in place of csd events, which kernels before 6.6 do not have: they show as well when a call asks other CPUs, and when they answer.
 *
 *     native_flush_tlb_multi     a flush is about to ask other CPUs
 *     flush_tlb_func             a request begins to run
 */
import type { EventKind, TaskEvent } from '../read/event.ts';

/** Turns probes into what csd events are for the model, unless the recording has those. */
export class Probes {
  #csd = false;

  /** An event that is no probe. */
  pass(kind: EventKind): void {
    if (kind === 'csdQueueCpu' || kind === 'csdFunctionEntry') this.#csd = true;
  }

  /** A probe's event as the model knows it. */
  complete(event: TaskEvent): TaskEvent {
    if (this.#csd || event.kind !== 'other') return event;
    const { line, time, cpu, pid, tgid, comm, flags, name } = event;
    const head = { line, time, cpu, pid, tgid, comm, flags };
    if (name === 'native_flush_tlb_multi') return { ...head, kind: 'flushCall', asks: true };
    return name === 'flush_tlb_func' ? { ...head, kind: 'csdFunctionEntry', func: name } : event;
  }
}
