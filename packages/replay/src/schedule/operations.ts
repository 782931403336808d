/**
 * Operations: which system call, fault, switch or exit an event belongs to, and when each takes effect.
 *
 *     takes effect    at the first request to flush that it queued or ran itself (csd events), where that was recorded;
 *                     else a fault, a switch and an exit at their first event, a system call at its last; execve before what shows
 *                     that the new address space is in use: a write to it, the old one's end, a vfork parent that goes on
 *
 *                     a fault that waits for userfaultfd when its task goes on
 *
 * Recorded flushes get their operation here, and decide nothing.
 */
import type {
  AreaFound,
  AreasGo,
  PageFault,
  RssStat,
  SchedProcessExec,
  SchedSwitch,
  Stack,
  SysEnter,
  SysExit,
  TaskEvent,
  TaskNewtask,
  TlbMiss,
} from '../read/event.ts';
import { isUserfaultfd } from '../read/userfaultfd.ts';
import type { FaultAction, Operation, OperationKind, Step, SyscallAction } from './action.ts';
import { Ahead } from './ahead.ts';
import { inHardirq, leavesForGood, queuesFlush, runsFlush } from './context.ts';
import { Attribution } from './attribution.ts';
import { Rss } from './rss.ts';
import type { Sites } from './sites.ts';
import {
  allRanges,
  isHeldUp,
  mayFlush,
  newTask,
  openFault,
  openSyscall,
  type OpenFault,
  PRESENT,
  type Task,
  WRITE,
} from './task.ts';
import { Userfaultfds } from './userfaultfds.ts';
import type { Window } from './window.ts';

/** Finds operations, and puts their actions into the window. */
export class Operations {
  readonly #window: Window;
  readonly #tasks = new Map<number, Task>();
  readonly #attribution = new Attribution();
  readonly #rss = new Rss();
  /** Parents that wait in vfork, and their children. */
  readonly #vforks = new Map<number, number>();
  readonly #userfaultfds = new Userfaultfds();
  readonly #sites: Sites;
  readonly #ahead = new Ahead();
  /** The recording shows which faults copy a page: one did. */
  #showsCopies = false;
  /** Somebody has mapped a file so that what is written to memory is written to it. */
  #writesFiles = false;
  #ids = 0;

  constructor(window: Window, sites: Sites) {
    this.#window = window;
    this.#sites = sites;
  }

  /** Takes note of where the last event of a task was made. */
  stack(event: Stack): void {
    const last = this.#tasks.get(event.pid)?.last;
    // An interrupt's stack says nothing of the task that it met.
    if (last === undefined || last === null || last.site !== '' || inHardirq(event)) return;
    last.site = this.#sites.of(event);
  }

  /** Takes note of an event. */
  take(step: Step): void {
    const { event, kind, pid } = step;
    this.#ahead.pass();
    if (kind === 'tlbFlush') {
      const current = this.#tasks.get(pid)?.last ?? null;
      step.operation = this.#attribution.operationOf(event, current) ?? this.#operation('unknown', event.comm, event);
      return;
    }
    this.#attribution.pass(step);
    if (kind === 'trimArrives') this.#attribution.trims();
    const runs = (!step.inTask || pid === 0) && kind === 'csdFunctionEntry' && runsFlush(event);
    if (runs) {
      step.operation = this.#attribution.runs(step.cpu);
    } else if (step.inTask) {
      const task = this.#task(pid);
      task.cpu = step.cpu;
      task.process = event.tgid;
      if (step.own) this.#takeOwn(task, step);
      else this.#takeQuiet(task, step);
    }
    if (kind === 'schedSwitch') {
      step.operation = this.#operation('switch', 'switch', event);
      this.#attribution.switches(event, step.operation);
      this.#wakes(step, event);
    }
  }

  /** No more events will come: what had begun and is not over took effect all the same. */
  end(): void {
    for (const [pid, task] of this.#tasks) {
      if (task.miss !== null) this.#closeMiss(task, task.miss.first);
      this.#endFault(task);
      if (task.exit !== null) this.#closeExit(task, task.exit.first, pid);
    }
  }

  /** Events of a CPU were lost: nothing waits for what its tasks have begun, as its end may be among them. */
  lose(cpu: number): void {
    this.#attribution.lose(cpu);
    for (const [pid, task] of this.#tasks) {
      if (task.cpu !== cpu) continue;
      if (task.miss !== null) this.#closeMiss(task, task.miss.first);
      this.#endFault(task);
      if (task.exit !== null) this.#closeExit(task, task.exit.first, pid);
      const { syscall } = task;
      if (syscall === null || syscall.anchor === null) continue;
      syscall.anchor.holds--;
      syscall.anchor = null;
      syscall.interrupts = false;
    }
  }

  /** An event that was written from below what a task is at. */
  #takeQuiet(task: Task, step: Step): void {
    const { event, kind } = step;
    switch (kind) {
      case 'csdQueueCpu':
      case 'csdFunctionEntry':
        if (!queuesFlush(event) && !runsFlush(event)) break;
        this.#anchor(task, step);
        if (kind !== 'csdQueueCpu') return;
        if (task.last !== null) this.#attribution.asks(task.last, event.target);
        step.operation = task.last ?? this.#operation('unknown', event.comm, event);
        return;
      case 'rssStat':
        this.#takeRss(task, step, event);
        break;
      case 'flushCall':
        if (event.asks) this.#anchor(task, step);
        if (task.last !== null) this.#attribution.sends(task.last);
        break;
      case 'forkCopies':
        this.#forks(task, step);
        break;
      case 'areaFound':
      case 'areasGo':
        this.#takeArea(task, step, event);
        break;
      case 'tablesMove':
        task.shift = event.from - event.to;
        break;
      case 'advisedRanges':
        if (task.syscall !== null) task.syscall.ranges = event.ranges;
        break;
      case 'pageReturns':
        task.syscall?.returned.push(event.address);
        break;
      case 'pagePresent':
        if (task.fault === null) break;
        this.#showsCopies ||= event.copies;
        task.fault.present = true;
        task.fault.copied ||= event.copies;
        break;
      default:
    }
    if (task.fault !== null) task.fault.seen = event.time;
  }

  /** An event of a task's own work. */
  #takeOwn(task: Task, step: Step): void {
    const { event, kind, pid } = step;
    this.#closeMiss(task, step);
    if (kind !== 'schedSwitch') this.#closeFault(task, step);
    else if (!this.#waits(task, step, event) && !isHeldUp(task, event)) this.#closeFault(task, step);
    this.#attribution.answered(pid);
    if (kind !== 'schedSwitch') task.slept = false;
    switch (kind) {
      case 'sysEnter':
        task.last = this.#operation('syscall', event.name, event);
        task.shift = null;
        task.syscall = openSyscall(task.last, event.args);
        if (isUserfaultfd(event)) this.#answers(step, event);
        else if (mapsFile(event)) this.#writesFiles = true;
        this.#ahead.calls(event);
        return;
      case 'sysExit':
        this.#takeSysExit(task, step, event);
        return;
      case 'pageFault':
        this.#takeFault(task, step, event);
        return;
      case 'tlbMiss':
        this.#takeMiss(task, step, event);
        return;
      case 'taskNewtask':
        this.#takeNewtask(task, step, event);
        return;
      case 'schedProcessExec':
        this.#takeExec(task, step, event);
        return;
      case 'fullmmGather':
        this.#takeFullmm(task, step, event);
        return;
      case 'schedProcessExit':
        if (task.gone) return;
        if (task.syscall === null) task.last = this.#operation('exit', 'exit', event);
        task.exit = { operation: task.last!, first: step };
        step.holds++;
        return;
      case 'exitMmap':
        if (task.exit !== null) this.#closeExit(task, task.exit.first, pid, step);
        else this.#switched(task, step);
        return;
      case 'schedSwitch':
        // Its parent waits until it has left the parent's address space.
        if (this.#vforks.get(event.nextPid) === event.prevPid) this.#switched(task, step);
        if (task.exit !== null) this.#closeExit(task, task.exit.first, pid, step);
        else if (this.#writesFiles) this.#sleeps(task, step, event);
        if (leavesForGood(event)) this.#dies(task, pid);
        return;
      default:
    }
  }

  /** A mapping is made, or goes: if not in a recorded call, then in one that is not recorded. */
  #takeArea({ syscall, exit, gone, last }: Task, step: Step, event: AreaFound | AreasGo): void {
    if (syscall !== null) {
      if (event.kind === 'areaFound') syscall.found = event.length;
      return;
    }
    if (exit !== null || gone) return;
    const operation = last ?? this.#operation('syscall', 'unknown', event);
    const area = event.kind === 'areaFound' ? { start: event.address, length: event.length } : null;
    this.#window.before(step, { kind: 'attach', operation, pid: event.pid, area, interrupts: false }, step);
  }

  /** A task that no call is recorded of sleeps as those do that wait for a disk. */
  #sleeps(task: Task, step: Step, { prevState, pid }: SchedSwitch): void {
    const { syscall, last: operation, slept } = task;
    // What it did before it slept, it did before it slept first.
    if (slept || syscall !== null || operation === null || !prevState.startsWith('D')) return;
    task.slept = true;
    const hindsight = this.#ahead.sleeps(step);
    this.#window.before(step, { kind: 'writeback', operation, pid, hindsight, interrupts: false }, step);
  }

  /** A task is gone: its last system call does not return. */
  #dies({ syscall }: Task, pid: number): void {
    if (syscall !== null && syscall.anchor !== null) syscall.anchor.holds--;
    this.#tasks.delete(pid);
  }

  /** The innermost thing that a task is at takes effect here, if it did not before. */
  #anchor(task: Task, step: Step): void {
    if (task.fault !== null && mayFlush(task.fault)) {
      if (task.fault.anchor === null) task.fault.anchor = step;
      else return;
    } else if (task.exit !== null) {
      this.#closeExit(task, step, step.event.pid);
      return;
    } else if (task.syscall !== null && !task.syscall.interrupts) {
      if (task.syscall.anchor !== null) task.syscall.anchor.holds--;
      task.syscall.anchor = step;
      task.syscall.interrupts = true;
    } else {
      return;
    }
    step.holds++;
  }

  /** An execve has switched to the new address space, at the latest now. */
  #switched(task: Task, step: Step): void {
    const { syscall } = task;
    if (syscall === null || syscall.anchor !== null || !EXECS.has(syscall.operation.name)) return;
    syscall.anchor = step;
    step.holds++;
  }

  /** A fork takes effect where it copies, and not where the child is announced, if it did not interrupt others before. */
  #forks({ syscall }: Task, step: Step): void {
    if (syscall === null || syscall.anchor !== null) return;
    syscall.anchor = step;
    step.holds++;
  }

  #takeFault(task: Task, step: Step, event: PageFault): void {
    // Before the switch execve only reads the caller's memory.
    if ((event.errorCode & WRITE) !== 0) this.#switched(task, step);
    if (task.syscall === null) task.last = this.#operation('fault', 'fault', event);
    this.#ahead.faults(event);
    task.fault = openFault(task.last!, event, step);
    step.holds++;
  }

  /** A fault whose task falls asleep in it waits for userfaultfd. @returns false if it does not */
  #waits({ fault, syscall }: Task, step: Step, { pid, tgid, prevState }: SchedSwitch): boolean {
    if (fault === null || fault.anchor !== null || fault.mapped || syscall !== null) return false;
    if (!prevState.startsWith('S') || !this.#userfaultfds.has(tgid)) return false;
    this.#wait(fault, pid, step);
    return true;
  }

  /** A process is about to answer a fault: one of its own that is under way need not have fallen asleep yet. */
  #answers(step: Step, { tgid }: SysEnter): void {
    this.#userfaultfds.uses(tgid);
    for (const [pid, { process, syscall, fault }] of this.#tasks) {
      if (process !== tgid || syscall !== null || fault === null || fault.waited || fault.anchor !== null) continue;
      if (!fault.mapped) this.#wait(fault, pid, step);
    }
  }

  #wait(fault: OpenFault, pid: number, step: Step): void {
    if (fault.first !== null) fault.first.holds--;
    fault.first = null;
    fault.waited = true;
    const { operation, event } = fault;
    this.#ahead.waits(event);
    this.#userfaultfds.waits(event);
    this.#window.before(step, { kind: 'wait', operation, pid, address: event.address, interrupts: false }, step);
  }

  /** A task that slept in a fault goes on: from here on the fault is at work. */
  #wakes(step: Step, { nextPid, cpu, time }: SchedSwitch): void {
    const task = this.#tasks.get(nextPid);
    const fault = task?.fault;
    if (task === undefined || fault === null || fault === undefined || fault.first !== null) return;
    fault.operation = task.last = { ...fault.operation, id: this.#ids++, cpu, time, until: time };
    fault.first = step;
    step.holds++;
  }

  /** Nothing more will be heard of a fault. */
  #endFault(task: Task): void {
    const first = task.fault?.first;
    if (first === null) task.fault = null;
    else if (first !== undefined) this.#closeFault(task, first);
  }

  #takeMiss(task: Task, step: Step, event: TlbMiss): void {
    if (task.syscall === null) task.last = this.#operation('fault', 'fault', event);
    task.miss = { operation: task.last!, event, first: step };
    step.holds++;
  }

  /** A page fault for the same address says that page tables had no answer. */
  #closeMiss(task: Task, now: Step): void {
    const { miss } = task;
    if (miss === null) return;
    task.miss = null;
    miss.first.holds--;
    const { operation, event, first } = miss;
    const { pid, address, write } = event;
    if (now.event.kind === 'pageFault' && now.event.address === address) return;
    this.#window.before(first, { kind: 'miss', operation, pid, address, write, interrupts: false }, now);
  }

  /** exit_mm, of a kernel that says that a task exits only when that is done; in execve, the old address space. */
  #takeFullmm(task: Task, step: Step, event: TaskEvent): void {
    if (task.exit !== null || task.gone) return;
    if (task.syscall !== null && EXECS.has(task.syscall.operation.name)) {
      this.#switched(task, step);
      return;
    }
    if (task.syscall === null) task.last = this.#operation('exit', 'exit', event);
    task.gone = true;
    const { pid, time: until } = event;
    this.#window.before(step, { kind: 'exit', operation: task.last!, pid, until, interrupts: false }, step);
  }

  #closeFault(task: Task, now: Step): void {
    const { fault } = task;
    if (fault === null) return;
    task.fault = null;
    const { operation, event, first, waited, anchor, seen, present, copied, filePages, memory } = fault;
    const { pid, address } = event;
    const user = event.mode === 'user';
    const errorCode = present ? event.errorCode | PRESENT : event.errorCode;
    const unknown = event.unknown === true || waited;
    // Its end is not recorded. Until the task's next event it may have been back in its own work for long.
    operation.until = Math.max(operation.until, seen);
    if (first !== null) first.holds--;
    if (anchor !== null) anchor.holds--;
    // Probes show that it is tried again.
    if (waited && now.event.kind === 'pageFault' && now.event.address === address) return;
    const action: FaultAction = {
      kind: 'fault',
      operation,
      pid,
      address,
      errorCode,
      // It may only have begun when its task sleeps.
      copied: copied || (this.#showsCopies && now.event.kind !== 'schedSwitch') ? copied : null,
      user,
      unknown,
      vma: event.vma,
      filePages,
      memory,
      interrupts: anchor !== null,
    };
    if (waited && anchor === null && first !== null) this.#window.after(first, action, now);
    else this.#window.before(anchor ?? first ?? now, action, now);
  }

  #takeRss(task: Task, step: Step, event: RssStat): void {
    // In execve: the old address space is not the task's any more, or another one is.
    if (task.mmId !== 0 && event.current !== (event.mmId === task.mmId)) this.#switched(task, step);
    // Pages of an address space that the task had, and has no more: it exits.
    if (task.syscall === null && task.mmId !== 0 && !event.current && event.mmId === task.mmId)
      this.#takeFullmm(task, step, event);
    if (event.current) task.mmId = event.mmId;
    if (task.fault !== null) task.fault.mapped = true;
    if (event.type === 'MM_SHMEMPAGES' && task.fault !== null) task.fault.memory = true;
    this.#rss.take(event, task);
  }

  #takeSysExit(task: Task, step: Step, event: SysExit): void {
    const { syscall } = task;
    task.syscall = null;
    this.#vforks.delete(event.pid);
    if (syscall === null) return;
    const { operation, args, returned, found, pauses, anchor, interrupts } = syscall;
    operation.until = event.time;
    if (anchor !== null) anchor.holds--;
    if (operation.name !== event.name || NO_ACTION.has(event.name)) return;
    const { pid, name, ret } = event;
    const at = anchor ?? step;
    const ranges = allRanges(syscall, ret);
    const part = name === 'ioctl' ? this.#partOf(at, event, args) : null;
    this.#window.before(
      at,
      { kind: 'syscall', operation, pid, name, args, ret, returned, ranges, found, pauses, part, interrupts },
      step,
    );
  }

  /** An ioctl answers the fault that has waited longest; UFFDIO_WRITEPROTECT protects if none waits. */
  #partOf(at: Step, { tgid }: SysExit, args: readonly number[]): SyscallAction['part'] {
    return this.#userfaultfds.answers(tgid, args) === 'protects' ? this.#ahead.protects(at, tgid) : null;
  }

  #takeNewtask(task: Task, step: Step, event: TaskNewtask): void {
    const [operation, at, interrupts] = this.#settleSyscall(task, 'clone', event);
    const { pid, childPid: child, childComm, cloneFlags: flags } = event;
    if ((flags & CLONE_VFORK) !== 0) this.#vforks.set(pid, child);
    this.#window.before(at ?? step, { kind: 'clone', operation, pid, child, childComm, flags, interrupts }, step);
  }

  #takeExec(task: Task, step: Step, event: SchedProcessExec): void {
    const [operation, at, interrupts] = this.#settleSyscall(task, 'execve', event);
    const { shift } = task;
    const { pid, time: until } = event;
    this.#window.before(at ?? step, { kind: 'exec', operation, pid, shift, until, interrupts }, step, true);
  }

  /** A system call takes effect before it returns. @returns it, where, and whether it interrupts others */
  #settleSyscall({ syscall }: Task, name: string, event: TaskEvent): [Operation, Step | null, boolean] {
    if (syscall === null) return [this.#operation('syscall', name, event), null, false];
    const { operation, anchor, interrupts } = syscall;
    if (anchor !== null) anchor.holds--;
    syscall.anchor = null;
    return [operation, anchor, interrupts];
  }

  #closeExit(task: Task, at: Step, pid: number, now: Step = at): void {
    const { operation, first } = task.exit!;
    task.exit = null;
    operation.until = Math.max(operation.until, at.event.time);
    first.holds--;
    const until = now.event.time;
    this.#window.before(at, { kind: 'exit', operation, pid, until, interrupts: at !== first }, at);
  }

  #operation(kind: OperationKind, name: string, event: TaskEvent): Operation {
    const { pid, cpu, line, time } = event;
    const args = event.kind === 'sysEnter' ? event.args : NO_ARGS;
    return {
      id: this.#ids++,
      kind,
      name,
      args,
      pid,
      cpu,
      line,
      time,
      until: time,
      trims: false,
      site: '',
      assumed: null,
      space: 0,
    };
  }

  #task(pid: number): Task {
    let task = this.#tasks.get(pid);
    if (task === undefined) this.#tasks.set(pid, (task = newTask()));
    return task;
  }
}

const NO_ARGS: readonly number[] = [];

const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_ANONYMOUS = 0x20;

/** mmap of a file whose pages are written out. */
function mapsFile({ name, args: [, , prot = 0, flags = 0] }: SysEnter): boolean {
  return name === 'mmap' && (prot & PROT_WRITE) !== 0 && (flags & (MAP_SHARED | MAP_ANONYMOUS)) === MAP_SHARED;
}

/** clone(2): the parent waits until the child has another address space, or is gone. */
const CLONE_VFORK = 0x4000;

/** System calls that replace the address space. */
const EXECS: ReadonlySet<string> = new Set(['execve', 'execveat']);

/** System calls whose effect has an event of its own. */
const NO_ACTION: ReadonlySet<string> = new Set([
  'clone',
  'clone3',
  'fork',
  'vfork',
  'execve',
  'execveat',
  'exit',
  'exit_group',
]);
