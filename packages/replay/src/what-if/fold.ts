/**
 * Fold: fewer CPUs than were recorded. What CPU c did is done by CPU c mod n, in the recorded order, so tasks that ran at once take turns.
 *
 * What tells of interrupts is left out: who has to be interrupted is the running code's to say.
 */
import type { TraceEvent } from '../read/event.ts';

const OF_INTERRUPTS: ReadonlySet<string> = new Set([
  'csdQueueCpu',
  'csdFunctionEntry',
  'csdFunctionExit',
  'ipiSend',
  'callFunctionEntry',
  'callFunctionExit',
]);

/** Puts events on fewer CPUs. */
export function foldCpus(cpus: number): (events: readonly TraceEvent[]) => TraceEvent[] {
  return (events) => {
    const kept = events.filter(({ kind }) => !OF_INTERRUPTS.has(kind));
    for (const event of kept) if ('cpu' in event) event.cpu %= cpus;
    return kept;
  };
}
