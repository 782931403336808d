/**
 * Causes: why recording and prediction differ, in plain words.
 *
 * What was assumed for the operation comes first. Else the kind of flush tells which unknown decides it.
 */
import {
  TLB_FLUSH_ON_TASK_SWITCH,
  TLB_REMOTE_SEND_IPI,
  TLB_REMOTE_SHOOTDOWN,
  TLB_REMOTE_WRONG_CPU,
} from '@mmu-gather/x86';
import { type Flush, INTERRUPT } from './model/flush.ts';
import type { Difference } from './model/ledger.ts';
import type { Operation } from './schedule/action.ts';

/**
 * The sentence for one difference.
 * @param flushes whether the flush of the operation's own CPU differs as well; else the question was only whom it concerned
 */
export function causeOf({ operation, recorded, predicted, notes }: Difference, flushes: boolean): string {
  if (notes.length > 0) return notes.join('; ');
  const flush = (recorded ?? predicted)!;
  if (operation.kind === 'unknown') return 'no operation in the recording explains this flush';
  if (flush.reason === INTERRUPT) return operation.kind === 'fault' && flushes ? faultCause(recorded) : TARGETS;
  if (recorded !== null && predicted !== null) return pagesCause(operation, flush);
  if (flush.reason === TLB_FLUSH_ON_TASK_SWITCH && flush.cpu === operation.cpu) return SLOTS;
  if (flush.reason === TLB_REMOTE_SEND_IPI && !flushes) return MASK;
  if (operation.kind === 'fault' && flush.cpu === operation.cpu) return faultCause(recorded);
  if (flush.reason === TLB_REMOTE_WRONG_CPU)
    return 'when a CPU leaves mm_cpumask depends on what runs there as the request arrives';
  if (flush.reason === TLB_FLUSH_ON_TASK_SWITCH || flush.reason === TLB_REMOTE_SHOOTDOWN) return ARRIVAL;
  return 'the order of events does not tell what other CPUs and threads were doing';
}

const SLOTS = 'which ASID slots were taken before the recording, or by tasks that it leaves out, is not recorded';
const INIT_SLOT = 'whether init_mm had an ASID slot when the recording began is not recorded; taken to have none';
const COPIED =
  'the page was copied, not reused: somebody held another reference to it (a batch for the LRU lists, say), which is not recorded';
const REUSED = 'the page was reused, not copied: its other user was gone by then';
const ARRIVAL = 'the CPU became idle, or busy, between the choice of targets and the arrival of the interrupt';

const MASK = 'whether another CPU was still in mm_cpumask depends on what ran there as earlier requests arrived';
const TARGETS =
  'which CPUs ran the address space, or were idle in it, at the moment of the choice is not recorded to the instant';

/** Reasons of what an operation flushes on its own CPU are others than these. */
const NOT_OWN: ReadonlySet<number> = new Set([
  INTERRUPT,
  TLB_FLUSH_ON_TASK_SWITCH,
  TLB_REMOTE_SEND_IPI,
  TLB_REMOTE_WRONG_CPU,
]);

/** The operations whose flush on their own CPU differs. */
export function flushDiffers(differences: readonly Difference[]): ReadonlySet<Operation> {
  const own = differences.filter(({ operation, recorded, predicted }) => {
    const { cpu, reason } = (recorded ?? predicted)!;
    return cpu === operation.cpu && !NOT_OWN.has(reason);
  });
  return new Set(own.map(({ operation }) => operation));
}

/** A fault flushes, and interrupts, where it copies. */
function faultCause(recorded: Flush | null): string {
  return recorded === null ? REUSED : COPIED;
}

/** The flush was predicted with other pages. */
function pagesCause(operation: Operation, flush: Flush): string {
  if (flush.reason !== TLB_FLUSH_ON_TASK_SWITCH)
    return 'how much was flushed depends on other flushes that were under way';
  return operation.kind === 'switch' ? SLOTS : INIT_SLOT;
}
