/**
 * Causes: why a prediction and a recording differ, in plain words.
 */
import type { Difference } from './model/ledger.ts';

/** The sentence for one difference. */
export function causeOf({ operation, recorded, predicted, notes }: Difference): string {
  const where = operation.kind === 'syscall' ? operation.name : operation.kind;
  if (notes.length > 0) return `${where}: ${notes.join('; ')}`;
  if (operation.kind === 'unknown') return 'no operation of the recording explains this flush';
  const reason = (recorded ?? predicted)!.reason;
  if (reason === 0)
    return `${where}: the ASID slots from before the recording, or taken by tasks outside of it, are unknown`;
  return `${where}: other CPUs did something else at that moment than the order of events tells`;
}
