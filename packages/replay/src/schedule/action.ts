/**
 * What a recording makes the model do, and where in the order of events.
 *
 * An operation is one system call, page fault, switch or exit of a task: the unit in which flushes are compared. An
 * action is the moment at which it takes effect, with all that was recorded about it up to its end.
 */
import type { AdvisedRange, TaskEvent } from '../read/event.ts';
import type { Hindsight } from './ahead.ts';

/** What kind of operation it is. */
export type OperationKind = 'syscall' | 'fault' | 'switch' | 'exit' | 'unknown';

/** One operation of one task. */
export interface Operation {
  /** Unique, in the order in which they begin. */
  readonly id: number;
  readonly kind: OperationKind;
  /** The system call; for the others the kind. */
  readonly name: string;
  /** Arguments of the system call, if it has begun after the recording did. */
  readonly args: readonly number[];
  readonly pid: number;
  /** The CPU on which it begins. */
  readonly cpu: number;
  /** Its first event. */
  readonly line: number;
  readonly time: number;
  /** Time of the last event that is known to be of it. */
  until: number;
  /** The recording shows that it takes CPUs out of an address space's mask. */
  trims: boolean;
  /** Where in the program, or in the kernel, it was asked for, if stacks were recorded; else ''. */
  site: string;
  /** What the model had to assume for it, each once; null: nothing. */
  assumed: string[] | null;
  /** Address of the mm whose entries it changes; 0 until it does. */
  space: number;
}

// `interrupts`: the recording shows that it asked CPUs to flush, and the action stands where it did so first.

/** A system call that changes an address space. */
export interface SyscallAction {
  readonly kind: 'syscall';
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
  readonly name: string;
  readonly args: readonly number[];
  readonly ret: number;
  /** Pages that a split took away for a moment and put back (remove_migration_pte). */
  readonly returned: readonly number[];
  /** Ranges of process_madvise; null if not all of them were recorded. */
  readonly ranges: readonly AdvisedRange[] | null;
  /** Bytes of the place that was found for a mapping; null if that was not recorded. */
  readonly found: number | null;
  /** After how many pages the call let go of a table, as another task waited for the CPU (rss_stat, need-resched); in order. */
  readonly pauses: readonly number[];
  /** UFFDIO_WRITEPROTECT that answers no fault: what later faults tell of it, and which of the calls that they tell of it is. */
  readonly part: { readonly hindsight: Hindsight; readonly index: number } | null;
}

/** A call that is not recorded maps memory, or unmaps some. */
export interface AttachAction {
  readonly kind: 'attach';
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
  /** Where; null: a mapping goes. */
  readonly area: { readonly start: number; readonly length: number } | null;
}

/** A task sleeps as if for a disk, and no call is recorded: it may have had a file written out. */
export interface WritebackAction {
  readonly kind: 'writeback';
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
  /** Write faults at pages that are there, later on. */
  readonly hindsight: Hindsight;
}

/** clone, clone3, fork or vfork made a task. */
export interface CloneAction {
  readonly kind: 'clone';
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
  readonly child: number;
  readonly childComm: string;
  readonly flags: number;
}

/** execve got so far that the new address space is in use. */
export interface ExecAction {
  readonly kind: 'exec';
  /** Time by which the CPU had loaded it at the latest. */
  readonly until: number;
  /** How far down the new stack moves, in bytes; null if that was not recorded. */
  readonly shift: number | null;
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
}

/** A task gives up its address space. */
export interface ExitAction {
  readonly kind: 'exit';
  /** Time by which the CPU had left it at the latest. */
  readonly until: number;
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
}

/** A page fault. */
export interface FaultAction {
  readonly kind: 'fault';
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
  readonly address: number;
  /** x86: bit 0 the page is present, 1 write, 4 instruction fetch. */
  readonly errorCode: number;
  /** The access was one of user mode. */
  readonly user: boolean;
  /** Whether the page was copied; null where the recording does not show such. */
  readonly copied: boolean | null;
  /** If bit 0 is not set, the recording does not tell whether the page was present. */
  readonly unknown: boolean;
  /** The mapping's address in the kernel, if it was recorded. */
  readonly vma: string | undefined;
  /** Pages of files that were mapped in the course of it (rss_stat); null where that was not recorded. */
  readonly filePages: number | null;
  /** Memory that processes share was mapped, so the file is no file of a disk (tmpfs, memfd, or none). */
  readonly memory: boolean;
}

/** A page fault sleeps until somebody answers it through userfaultfd. What becomes of it is a {@link FaultAction} of its own. */
export interface WaitAction {
  readonly kind: 'wait';
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
  readonly address: number;
}

/** A miss that software answers from page tables. */
export interface MissAction {
  readonly kind: 'miss';
  readonly operation: Operation;
  readonly pid: number;
  readonly interrupts: boolean;
  readonly address: number;
  readonly write: boolean;
}

/** A switch that the recording lacks: from here on this task runs on the CPU. */
export interface HiddenSwitchAction {
  readonly kind: 'hidden';
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  /** How its moment was chosen. */
  readonly placed: 'wake' | 'interrupt' | 'seen';
  /** Time by which it was over at the latest. */
  readonly until: number;
}

/** Something that the model does. */
export type Action =
  | SyscallAction
  | WritebackAction
  | AttachAction
  | CloneAction
  | ExecAction
  | ExitAction
  | FaultAction
  | WaitAction
  | MissAction
  | HiddenSwitchAction;

/** An event in its place, with what takes effect there. */
export type Step = StepOf<TaskEvent>;

type StepOf<E extends TaskEvent> = E extends TaskEvent
  ? Place & { readonly event: E; readonly kind: E['kind'] }
  : never;

interface Place {
  // Asked of every event, many times: one shape, where events have one for each kind.
  /** The event's task. */
  readonly pid: number;
  /** The event's CPU. */
  readonly cpu: number;
  /** It is no hardware interrupt's. */
  readonly inTask: boolean;
  /** It shows its task at its own work: no interrupt's, and not written from below an operation. */
  readonly own: boolean;
  /** CPUs of which events were lost before this one; null: none. */
  readonly lost: readonly number[] | null;
  /** The operation that the event belongs to: set on tlbFlush, schedSwitch, requests to flush, and interrupts that run such. */
  operation: Operation | null;
  /** In effect before the event itself. */
  before: Action[] | null;
  /** In effect after it. */
  after: Action[] | null;
  /** Reasons to wait before this step may be passed on. */
  holds: number;
  /** It was passed on: nothing can be added any more. */
  passed: boolean;
  /** The step after it; null if it is not read yet, or once that step is passed on, too. */
  next: Step | null;
}
