/**
 * Task: where a task is in its own work, as far as its events show: what has begun, and what is known of it until it is over.
 */
import type { AdvisedRange, PageFault, SchedSwitch, TlbMiss } from '../read/event.ts';
import type { Operation, Step } from './action.ts';

/** Error code: the page was present, and the access a write. */
const COPIES = 3;
/** Error code: the page was present. */
export const PRESENT: number = 1;
/** Error code: the access was a write. */
export const WRITE: number = 2;

/** A system call that is under way. */
export interface OpenSyscall {
  /** What it is. */
  readonly operation: Operation;
  /** Its arguments. */
  readonly args: readonly number[];
  /** Pages that came back after they were away for a moment. */
  readonly returned: number[];
  /** Ranges of process_madvise, and what lies behind them; null if they were not recorded. */
  ranges: readonly AdvisedRange[] | null;
  /** Bytes of the place that was found for a mapping. */
  found: number | null;
  /** Bytes that it has unmapped so far. */
  unmapped: number;
  /** Of which kind they were last (rss_stat). */
  kind: string;
  /** The same, each time it paused. */
  readonly pauses: number[];
  /** Where it takes effect, once that is known. */
  anchor: Step | null;
  /** The anchor is a request to flush. */
  interrupts: boolean;
}

/** A fault that is under way. */
export interface OpenFault {
  /** What it is. */
  operation: Operation;
  /** Its first event. */
  readonly event: PageFault;
  /** Where it takes effect: at its first event, or, if it slept, at the switch back; null while it waits. */
  first: Step | null;
  /** It waited until somebody answered it. */
  waited: boolean;
  /** It mapped a page, so it does not wait. */
  mapped: boolean;
  /** Where it takes effect, as it asks other CPUs there. */
  anchor: Step | null;
  /** Time of the last event that was written from below it. */
  seen: number;
  /** The error code's bit 0, which may become known later. */
  present: boolean;
  /** It copies the page. */
  copied: boolean;
  /** Pages of files that it mapped; null if that was not recorded. */
  filePages: number | null;
  /** It mapped memory that processes share. */
  memory: boolean;
}

/** A miss of which the next event shows whether page tables had an answer. */
export interface OpenMiss {
  /** What it is part of. */
  readonly operation: Operation;
  /** Its event. */
  readonly event: TlbMiss;
  /** Where it takes effect. */
  readonly first: Step;
}

/** A task gives up its address space. */
export interface OpenExit {
  /** What it is part of. */
  readonly operation: Operation;
  /** Its first event. */
  readonly first: Step;
}

/** A fault flushes only where it replaces a page: at a write to one that is there, or that came while it waited. */
export function mayFlush({ event: { errorCode }, waited }: OpenFault): boolean {
  return (errorCode & COPIES) === COPIES || (waited && (errorCode & WRITE) !== 0);
}

/** Where a task is in its own work. */
export interface Task {
  /** Where it was seen last. */
  cpu: number;
  /** Its process; null if the recording does not tell. */
  process: number | null;
  /** The system call that it is in. */
  syscall: OpenSyscall | null;
  /** The fault that it is in. */
  fault: OpenFault | null;
  /** It exits. */
  exit: OpenExit | null;
  /** It missed. */
  miss: OpenMiss | null;
  /** It slept as if for a disk, and did nothing of its own since. */
  slept: boolean;
  /** It has taken its address space down already. */
  gone: boolean;
  /** How far down the stack of a new program moves; null if that was not recorded. */
  shift: number | null;
  /** The operation that is not over, or was the last one. */
  last: Operation | null;
  /** The tag of its address space in rss_stat; 0 if none was seen. */
  mmId: number;
}

/** A task of which nothing was heard. */
export function newTask(): Task {
  return {
    cpu: -1,
    process: null,
    syscall: null,
    fault: null,
    exit: null,
    miss: null,
    slept: false,
    gone: false,
    shift: null,
    last: null,
    mmId: 0,
  };
}

/** A system call begins. */
export function openSyscall(operation: Operation, args: readonly number[]): OpenSyscall {
  return {
    operation,
    args,
    returned: [],
    ranges: null,
    found: null,
    unmapped: 0,
    kind: '',
    pauses: [],
    anchor: null,
    interrupts: false,
  };
}

/** A fault begins. */
export function openFault(operation: Operation, event: PageFault, first: Step): OpenFault {
  return {
    operation,
    event,
    first,
    waited: false,
    mapped: false,
    anchor: null,
    seen: event.time,
    present: (event.errorCode & PRESENT) !== 0,
    copied: false,
    filePages: null,
    memory: false,
  };
}

/** The ranges of a process_madvise, if a probe has shown all that its result speaks of. */
export function allRanges({ args, ranges }: OpenSyscall, ret: number): readonly AdvisedRange[] | null {
  const own = ranges?.slice(0, args[2] ?? 0) ?? [];
  const bytes = own.reduce((sum, { length }) => sum + length, 0);
  return own.length > 0 && bytes >= ret ? own : null;
}

/** A fault that may still flush, and whose task another one takes the CPU from, or that waits for a lock: it goes on afterwards. */
export function isHeldUp({ fault }: Task, { prevState }: SchedSwitch): boolean {
  if (fault === null || !mayFlush(fault) || fault.anchor !== null || fault.waited) return false;
  return prevState.startsWith('R') || prevState.startsWith('D');
}
