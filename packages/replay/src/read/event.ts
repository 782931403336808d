/**
 * What a recording tells a replayer, one event a line.
 *
 * Kinds carry the kernel's event name in camel case. Every event that a task caused has the same head: where
 * (cpu, task), when (time) and which line of the file. Two kinds have no task: `lost` (the recorder says that it
 * dropped events) and `truncated` (the file ends before the recording did; always the last event).
 *
 * Numbers: addresses, lengths and return values are 64 bits wide in the kernel and are given here as *signed*
 * numbers: -22 is an errno, -1 all ones, and both user addresses and the kernel's (0xffff8880_00000000 and up) are
 * exact. 32-bit arguments are as printed: a file descriptor of -1 in `sysEnter.args` is 0xffffffff.
 *
 * What a kernel prints differently by version (system call argument names, spelling of a flush's reason) is not
 * here: arguments are positional, a reason is its number.
 */

/** The task, CPU and moment of an event. */
export interface Head {
  /** Line of the (uncompressed) file, from 1. */
  line: number;
  /** Ticks of the trace's clock, an exact integer; `Clock.ticksPerSecond` tells their length. */
  time: number;
  cpu: number;
  /** The thread's id as the kernel has it (a Linux pid); 0 for the idle tasks. */
  pid: number;
  /** The process's id; null where the text has no such column or says `(-------)`. */
  tgid: number | null;
  /** The task's name: 15 bytes at most, changes at exec, may hold spaces, colons, dashes and slashes. */
  comm: string;
  /** irqs-off, need-resched, hardirq/softirq, preempt-depth, migrate-disable; empty where not printed. */
  flags: string;
}

export interface SysEnter extends Head {
  kind: 'sysEnter';
  name: string;
  args: number[];
}

export interface SysExit extends Head {
  kind: 'sysExit';
  name: string;
  ret: number;
}

/** A fault on x86: bit 0 of errorCode protection (else not present), 1 write, 2 user, 3 reserved bit, 4 fetch. */
export interface PageFault extends Head {
  kind: 'pageFault';
  /** Where the CPU was: page_fault_user or page_fault_kernel. */
  mode: 'user' | 'kernel';
  address: number;
  errorCode: number;
  /** As printed: a number for user code, usually a symbol for the kernel's. */
  ip: string;
}

export interface SchedSwitch extends Head {
  kind: 'schedSwitch';
  prevComm: string;
  prevPid: number;
  prevPrio: number;
  /** `R`, `R+` (preempted), `S`, `D`, `X`, `Z`, ...; what `trace-cmd report` prints lacks the plus. */
  prevState: string;
  nextComm: string;
  nextPid: number;
  nextPrio: number;
}

export interface SchedMigrateTask extends Head {
  kind: 'schedMigrateTask';
  taskComm: string;
  taskPid: number;
  prio: number;
  origCpu: number;
  destCpu: number;
}

/** In the parent, before `schedProcessFork`: the only event that holds the clone flags of clone3. */
export interface TaskNewtask extends Head {
  kind: 'taskNewtask';
  childPid: number;
  childComm: string;
  cloneFlags: number;
}

export interface SchedProcessFork extends Head {
  kind: 'schedProcessFork';
  parentComm: string;
  parentPid: number;
  childComm: string;
  childPid: number;
}

export interface SchedProcessExec extends Head {
  kind: 'schedProcessExec';
  filename: string;
  taskPid: number;
  oldPid: number;
}

export interface SchedProcessExit extends Head {
  kind: 'schedProcessExit';
  taskComm: string;
  taskPid: number;
  prio: number;
  /** Last thread of its process; null on kernels that do not print it (before 6.17). */
  groupDead: boolean | null;
}

/** An address space is torn down. `mm` is an opaque tag: equal tags are one address space, while it lives. */
export interface ExitMmap extends Head {
  kind: 'exitMmap';
  mm: string;
}

/**
 * The kernel flushed, or asked for it. Reasons: 0 task switch, 1 remote shootdown, 2 local shootdown,
 * 3 local MM shootdown, 4 remote send, 5 remote wrong CPU.
 */
export interface TlbFlush extends Head {
  kind: 'tlbFlush';
  reason: number;
  /** -1: everything of the mm. */
  pages: number;
}

export interface CsdQueueCpu extends Head {
  kind: 'csdQueueCpu';
  target: number;
  callsite: string;
  func: string;
}

export interface CsdFunction extends Head {
  kind: 'csdFunctionEntry' | 'csdFunctionExit';
  func: string;
}

/** ipi_send_cpu and ipi_send_cpumask. */
export interface IpiSend extends Head {
  kind: 'ipiSend';
  targets: number[];
  callsite: string;
  callback: string;
}

/** The interrupt itself. `single`: sent to one CPU (vector 251), else to several (252). */
export interface CallFunction extends Head {
  kind: 'callFunctionEntry' | 'callFunctionExit';
  single: boolean;
  vector: number;
}

export interface RssStat extends Head {
  kind: 'rssStat';
  /** Opaque tag of the mm (not the one of `exitMmap`). */
  mmId: number;
  /** The current task's own mm. */
  current: boolean;
  type: string;
  /** Size after the change, in bytes. */
  bytes: number;
}

export interface MmCollapseHugePage extends Head {
  kind: 'mmCollapseHugePage';
  mm: string;
  isolated: number;
  status: string;
}

/** What the workload wrote into trace_marker: for people, never an input of a model. */
export interface Mark extends Head {
  kind: 'mark';
  text: string;
}

/** An event that no kind above stands for; `fieldsOf(text)` takes it apart. */
export interface Other extends Head {
  kind: 'other';
  name: string;
  text: string;
}

/** The recorder's ring buffer overflowed on a CPU, before the next event of that CPU. */
export interface Lost {
  kind: 'lost';
  line: number;
  cpu: number;
  /** null: unknown how many. 0: the CPU's buffer holds nothing at all. */
  count: number | null;
}

/** The file is shorter than the recording: what came before is good, what is missing is unknown. */
export interface Truncated {
  kind: 'truncated';
  /** The line at which it ends. */
  line: number;
  what: string;
}

export type TaskEvent =
  | SysEnter
  | SysExit
  | PageFault
  | SchedSwitch
  | SchedMigrateTask
  | TaskNewtask
  | SchedProcessFork
  | SchedProcessExec
  | SchedProcessExit
  | ExitMmap
  | TlbFlush
  | CsdQueueCpu
  | CsdFunction
  | IpiSend
  | CallFunction
  | RssStat
  | MmCollapseHugePage
  | Mark
  | Other;

export type TraceEvent = TaskEvent | Lost | Truncated;

export type EventKind = TraceEvent['kind'];
