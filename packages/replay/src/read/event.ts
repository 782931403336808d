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
  /** CPU that it happened on. */
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

/** A system call begins. */
export interface SysEnter extends Head {
  /** Kind of the event. */
  kind: 'sysEnter';
  /** Name of the system call. */
  name: string;
  /** Arguments, by position. */
  args: number[];
}

/** A system call returns. */
export interface SysExit extends Head {
  /** Kind of the event. */
  kind: 'sysExit';
  /** Name of the system call. */
  name: string;
  /** What it returned; negative: an errno. */
  ret: number;
}

/** A fault on x86: bit 0 of errorCode protection (else not present), 1 write, 2 user, 3 reserved bit, 4 fetch. */
export interface PageFault extends Head {
  /** Kind of the event. */
  kind: 'pageFault';
  /** Where the CPU was: page_fault_user or page_fault_kernel. */
  mode: 'user' | 'kernel';
  /** Faulting address. */
  address: number;
  /** Bits of the error code, see above. */
  errorCode: number;
  /** Bit 0 of the error code is not recorded: whether the page was present is not known, unless a {@link PagePresent} follows. */
  unknown?: true;
  /** The mapping's address in the kernel, where a probe shows it: equal for faults of one mapping. */
  vma?: string;
  /** As printed: a number for user code, usually a symbol for the kernel's. */
  ip: string;
}

/** A CPU goes from one task to another. */
export interface SchedSwitch extends Head {
  /** Kind of the event. */
  kind: 'schedSwitch';
  /** Name of the task that leaves the CPU. */
  prevComm: string;
  /** Its id. */
  prevPid: number;
  /** Its priority. */
  prevPrio: number;
  /** `R`, `R+` (preempted), `S`, `D`, `X`, `Z`, ...; what `trace-cmd report` prints lacks the plus. */
  prevState: string;
  /** Name of the task that takes the CPU. */
  nextComm: string;
  /** Its id. */
  nextPid: number;
  /** Its priority. */
  nextPrio: number;
}

/** A task moves to another CPU. */
export interface SchedMigrateTask extends Head {
  /** Kind of the event. */
  kind: 'schedMigrateTask';
  /** Name of the task. */
  taskComm: string;
  /** Id of the task. */
  taskPid: number;
  /** Its priority. */
  prio: number;
  /** CPU that it leaves. */
  origCpu: number;
  /** CPU that it goes to. */
  destCpu: number;
}

/** In the parent, before `schedProcessFork`: the only event that holds the clone flags of clone3. */
export interface TaskNewtask extends Head {
  /** Kind of the event. */
  kind: 'taskNewtask';
  /** Id of the new task. */
  childPid: number;
  /** Name of the new task. */
  childComm: string;
  /** CLONE_* bits. */
  cloneFlags: number;
}

/** A task has forked. */
export interface SchedProcessFork extends Head {
  /** Kind of the event. */
  kind: 'schedProcessFork';
  /** Name of the task that forks. */
  parentComm: string;
  /** Its id. */
  parentPid: number;
  /** Name of the new task. */
  childComm: string;
  /** Id of the new task. */
  childPid: number;
}

/** A task runs another program. */
export interface SchedProcessExec extends Head {
  /** Kind of the event. */
  kind: 'schedProcessExec';
  /** Program that is run. */
  filename: string;
  /** Id of the task. */
  taskPid: number;
  /** Id before; differs if a thread other than the leader called exec. */
  oldPid: number;
}

/** A task exits. */
export interface SchedProcessExit extends Head {
  /** Kind of the event. */
  kind: 'schedProcessExit';
  /** Name of the task. */
  taskComm: string;
  /** Id of the task. */
  taskPid: number;
  /** Its priority. */
  prio: number;
  /** Last thread of its process; null on kernels that do not print it (before 6.17). */
  groupDead: boolean | null;
}

/** An address space is torn down. `mm` is an opaque tag: equal tags are one address space, while it lives. */
export interface ExitMmap extends Head {
  /** Kind of the event. */
  kind: 'exitMmap';
  /** Opaque tag of the mm. */
  mm: string;
}

/**
 * The kernel flushed, or asked for it. Reasons: 0 task switch, 1 remote shootdown, 2 local shootdown,
 * 3 local MM shootdown, 4 remote send, 5 remote wrong CPU.
 */
export interface TlbFlush extends Head {
  /** Kind of the event. */
  kind: 'tlbFlush';
  /** Reason, 0 to 5, see above; what architectures other than x86 show instead has numbers of its own (arch/). */
  reason: number;
  /** -1: everything of the mm. */
  pages: number;
  /** What else the recording says of it: addresses, operands. Nothing on x86. */
  where?: string;
}

/** A probe shows that the page of the fault under way is there, and is to be made writable or copied (do_wp_page, wp_page_copy). */
export interface PagePresent extends Head {
  /** Kind of the event. */
  kind: 'pagePresent';
  /** It is copied for sure; else that is not known. */
  copies: boolean;
}

/** A probe shows that a CPU is asked to leave an mm that it only borrows, so that fewer flushes need it (do_exit_flush_lazy_tlb). */
export interface TrimArrives extends Head {
  /** Kind of the event. */
  kind: 'trimArrives';
}

/** A probe shows that a flush begins, which may ask other CPUs for a part of it. */
export interface FlushCall extends Head {
  /** Kind of the event. */
  kind: 'flushCall';
  /** It is about to ask them. */
  asks: boolean;
}

/** A probe shows that the last user of an mm takes it down (tlb_gather_mmu_fullmm). */
export interface FullmmGather extends Head {
  /** Kind of the event. */
  kind: 'fullmmGather';
}

/** A probe shows that a fork copies page tables (dup_mmap). */
export interface ForkCopies extends Head {
  /** Kind of the event. */
  kind: 'forkCopies';
}

/** A page is mapped again that was away for a moment: it was moved, or a huge page was split (remove_migration_pte). */
export interface PageReturns extends Head {
  /** Kind of the event. */
  kind: 'pageReturns';
  /** Its address. */
  address: number;
}

/** A place for a mapping was found. */
export interface AreaFound extends Head {
  /** Kind of the event. */
  kind: 'areaFound';
  /** Its address. */
  address: number;
  /** Bytes. */
  length: number;
}

/** A probe shows that mappings lose their pages and go (unmap_vmas). */
export interface AreasGo extends Head {
  /** Kind of the event. */
  kind: 'areasGo';
}

/** A probe shows that page tables move (move_page_tables): in execve, the new stack. */
export interface TablesMove extends Head {
  /** Kind of the event. */
  kind: 'tablesMove';
  /** The first address. */
  from: number;
  /** Where it goes. */
  to: number;
}

/** A miss that software answers from page tables, below the page fault (powerpc's hash_page_mm). */
export interface TlbMiss extends Head {
  /** Kind of the event. */
  kind: 'tlbMiss';
  /** Missing address. */
  address: number;
  /** Whether it is written. */
  write: boolean;
}

/** A call is queued for another CPU. */
export interface CsdQueueCpu extends Head {
  /** Kind of the event. */
  kind: 'csdQueueCpu';
  /** CPU that the call is queued for. */
  target: number;
  /** Kernel code that asked for it. */
  callsite: string;
  /** Kernel function that is called. */
  func: string;
}

/** A queued call begins or ends on its CPU. */
export interface CsdFunction extends Head {
  /** Kind of the event. */
  kind: 'csdFunctionEntry' | 'csdFunctionExit';
  /** Kernel function that is called. */
  func: string;
}

/** ipi_send_cpu and ipi_send_cpumask. */
export interface IpiSend extends Head {
  /** Kind of the event. */
  kind: 'ipiSend';
  /** CPUs that are interrupted. */
  targets: number[];
  /** Kernel code that asked for it. */
  callsite: string;
  /** Kernel function that is called. */
  callback: string;
}

/** The interrupt itself. `single`: sent to one CPU (vector 251), else to several (252). */
export interface CallFunction extends Head {
  /** Kind of the event. */
  kind: 'callFunctionEntry' | 'callFunctionExit';
  /** Sent to one CPU only. */
  single: boolean;
  /** Interrupt vector. */
  vector: number;
}

/** A probe shows the first ranges of the process_madvise that is under way, as many as it has room for. */
export interface AdvisedRanges extends Head {
  /** Kind of the event. */
  kind: 'advisedRanges';
  /** In the order of the call; behind those that it has, whatever lies there in memory. */
  ranges: readonly AdvisedRange[];
}

/** A range of process_madvise. */
export interface AdvisedRange {
  /** Its first address. */
  readonly start: number;
  /** Its bytes. */
  readonly length: number;
}

/** An mm has more or fewer pages of a kind. */
export interface RssStat extends Head {
  /** Kind of the event. */
  kind: 'rssStat';
  /** Opaque tag of the mm (not the one of `exitMmap`). */
  mmId: number;
  /** The current task's own mm. */
  current: boolean;
  /** Kind of pages that is counted. */
  type: string;
  /** Size after the change, in bytes. */
  bytes: number;
}

/** khugepaged has tried to make a huge page. */
export interface MmCollapseHugePage extends Head {
  /** Kind of the event. */
  kind: 'mmCollapseHugePage';
  /** Opaque tag of the mm. */
  mm: string;
  /** Pages that were taken. */
  isolated: number;
  /** How it ended. */
  status: string;
}

/** Where the event before, of the same task, was made: functions and addresses, the innermost first. */
export interface Stack extends Head {
  /** Kind of the event. */
  kind: 'stack';
  /** In user mode; else in the kernel. */
  user: boolean;
  /** Names of the kernel's functions; addresses of user mode, or what the recorder made of them. */
  frames: string[];
}

/** What the workload wrote into trace_marker: for people, never an input of a model. */
export interface Mark extends Head {
  /** Kind of the event. */
  kind: 'mark';
  /** The text. */
  text: string;
}

/** An event that no kind above stands for; `fieldsOf(text)` takes it apart. */
export interface Other extends Head {
  /** Kind of the event. */
  kind: 'other';
  /** Name of the system call. */
  name: string;
  /** The text. */
  text: string;
}

/** The recorder's ring buffer overflowed on a CPU, before the next event of that CPU. */
export interface Lost {
  /** Kind of the event. */
  kind: 'lost';
  /** Line of the file, from 1. */
  line: number;
  /** CPU that it happened on. */
  cpu: number;
  /** null: unknown how many. 0: the CPU's buffer holds nothing at all. */
  count: number | null;
}

/** The file is shorter than the recording: what came before is good, what is missing is unknown. */
export interface Truncated {
  /** Kind of the event. */
  kind: 'truncated';
  /** The line at which it ends. */
  line: number;
  /** What is missing, in words. */
  what: string;
}

/** An event that a task caused. */
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
  | PagePresent
  | TrimArrives
  | FlushCall
  | FullmmGather
  | ForkCopies
  | AreaFound
  | AreasGo
  | TablesMove
  | PageReturns
  | TlbMiss
  | CsdQueueCpu
  | CsdFunction
  | IpiSend
  | CallFunction
  | RssStat
  | AdvisedRanges
  | MmCollapseHugePage
  | Stack
  | Mark
  | Other;

/** All there is in a recording. */
export type TraceEvent = TaskEvent | Lost | Truncated;

/** Names of the kinds. */
export type EventKind = TraceEvent['kind'];
