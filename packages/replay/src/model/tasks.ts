/**
 * Tasks: which address space each task has, and which task each CPU runs.
 *
 * Tasks that were there before the recording are met on the way. They are kernel threads by their names, or else have
 * address spaces of which nothing is known; which ones share theirs shows in the process ids of their own events.
 */
import { type Cpu, Mm } from '@mmu-gather/core';
import { contextSwitch, mmget } from '@mmu-gather/mm';
import { CLONE_FILES, Descriptors } from './descriptors.ts';
import type { RecordedProcess } from '../read/recorder-notes.ts';
import type { CloneAction } from '../schedule/action.ts';
import type { Host } from './host.ts';
import type { Inherited } from './inherited.ts';
import { isKernelThread } from './kthread.ts';
import { type Call, call, type Job, quietly } from './library.ts';

/** The name that a recorder gives to tasks that it does not trace. */
export const OTHER: string = 'other';

/** A task. */
export interface Task {
  readonly pid: number;
  /** Its name, as far as it was heard of. */
  comm: string;
  /** Null for a kernel thread, and for a task that is exiting. */
  mm: Mm | null;
  /** It was there before the recording, and which process it belongs to is not known yet. */
  met: boolean;
  /** Its open files. */
  readonly fds: Descriptors;
}

/** clone(2): child and parent share the address space. */
export const CLONE_VM: number = 0x100;

/** All tasks that were met. */
export class Tasks {
  readonly #host: Host;
  readonly #tasks = new Map<number, Task>();
  /** What each CPU runs. */
  readonly #current: (Task | null)[];
  /** Whether a CPU ran user code since it was met. */
  readonly #ranUser: boolean[] = [];
  readonly #idle: Task = { pid: 0, comm: '', mm: null, met: false, fds: new Descriptors() };
  /** Address spaces of processes that were met, by process id. */
  readonly #processes = new Map<number, Mm>();
  /** Processes that were there before, by the ids of their threads. */
  readonly #before: ReadonlyMap<number, RecordedProcess>;
  readonly #inherited: Inherited;
  /** Address spaces of which nothing is known. */
  readonly #unknown = new Set<number>();
  /** Those of them in which nothing happened yet. */
  readonly #untouched = new Set<number>();

  /** Told of each address space that nobody uses any more: its memory becomes another one. */
  readonly #gone: (mm: Mm) => void;

  /** @param before processes that were there before the recording, if it says so */
  constructor(host: Host, inherited: Inherited, before: readonly RecordedProcess[], gone: (mm: Mm) => void) {
    this.#host = host;
    this.#inherited = inherited;
    this.#gone = gone;
    this.#before = new Map(before.flatMap((process) => process.threads.map((pid) => [pid, process] as const)));
    this.#current = host.direct.cpus.map(() => null);
  }

  /** The task that a CPU runs, or null if nothing was heard of that CPU yet. */
  current(cpu: number): Task | null {
    return this.#current[cpu]!;
  }

  /** Whether a CPU is idle, or runs a task that the recording leaves out: interrupts that arrive there may have no line. */
  isSilent(cpu: number): boolean {
    const task = this.current(cpu);
    return task !== null && (task.pid === 0 || task.comm === OTHER);
  }

  /** The task with this id, if it was heard of. */
  known(pid: number): Task | undefined {
    return this.#tasks.get(pid);
  }

  /** The task with this id. */
  task(cpu: number, pid: number, comm: string): Task {
    if (pid === 0) return this.#idle;
    let task = this.#tasks.get(pid);
    if (task === undefined) {
      const process = this.#before.get(pid);
      const kernel = process === undefined && isKernelThread(comm);
      const mm = kernel ? null : this.#mmOf(this.#host.cpu(cpu), process);
      task = { pid, comm, mm, met: !kernel, fds: new Descriptors() };
      this.#tasks.set(pid, task);
    } else if (comm !== '') {
      task.comm = comm;
    }
    return task;
  }

  /** The address space of the youngest other task of the same name, if it is known from its beginning on; else null. */
  twinOf({ comm }: Task): Mm | null {
    const known = [...this.#tasks.values()].filter(
      (other) => other.comm === comm && !other.met && other.mm !== null && !this.isUnknown(other.mm),
    );
    return known.at(-1)?.mm ?? null;
  }

  /** Whether an address space was there before the recording, and nothing is known of it. */
  isUnknown(mm: Mm): boolean {
    return this.#unknown.has(mm.address);
  }

  /** Whether it is the first time that an address space of which nothing is known is asked for. */
  isFirst(mm: Mm): boolean {
    return this.#untouched.delete(mm.address);
  }

  /** The address space of a task that was met: that of its process, if that is known, or one of which nothing is. */
  #mmOf(cpu: Cpu, process: RecordedProcess | undefined): Mm {
    const known = process === undefined ? undefined : this.#processes.get(process.tgid);
    if (known !== undefined) {
      mmget(cpu, known);
      return known;
    }
    const mm = this.#host.unknownMm(cpu);
    if (process === undefined) {
      this.#unknown.add(mm.address);
      this.#untouched.add(mm.address);
    } else {
      this.#processes.set(process.tgid, mm);
      this.#inherited.note(mm, process);
    }
    return mm;
  }

  /** The process of the task that a CPU runs is known now: threads that were met share one address space. */
  join(cpu: number, task: Task, tgid: number): void {
    task.met = false;
    if (task.mm === null) return;
    const shared = this.#processes.get(tgid);
    if (shared === undefined) {
      this.#processes.set(tgid, task.mm);
      return;
    }
    if (shared.address === task.mm.address) return;
    mmget(this.#host.cpu(cpu), shared);
    task.mm = shared;
    this.#host.quietly(() => this.switchTo(cpu, task));
  }

  /**
   * Whether a switch may find its address space loaded, as the last user task before the recording left it: the first one
   * on a CPU to a task that was met.
   */
  mayBeLoaded(cpu: number, next: Task): boolean {
    return next.met && this.#ranUser[cpu] !== true;
  }

  /** A task has left its CPU for good: its id may name another one soon. @returns what it did unseen: its exit, unless that was recorded */
  forget(pid: number): Job {
    const job = this.#over(pid);
    this.#tasks.delete(pid);
    return job;
  }

  /** Whoever had this id is dead, and gives up its address space if that was not seen. */
  #over(pid: number): Job {
    const task = this.#tasks.get(pid);
    if (task === undefined || task.mm === null) return { calls: [] };
    const { mm } = task;
    task.mm = null;
    for (const [cpu, current] of this.#current.entries()) if (current === task) this.settle(cpu, this.#idle);
    return { calls: [quietly((lib, cpu) => lib.mmput(cpu, mm))], done: () => this.#left(mm) };
  }

  /** An address space has one user less. */
  #left(mm: Mm): void {
    if (this.#host.cpu(0).read(mm.mmUsers) > 0) return;
    for (const [tgid, known] of this.#processes) if (known.address === mm.address) this.#processes.delete(tgid);
    this.#unknown.delete(mm.address);
    this.#untouched.delete(mm.address);
    this.#gone(mm);
  }

  /** Events of a CPU were lost: the next one shows who runs there. */
  lose(cpu: number): void {
    this.#current[cpu] = null;
  }

  /** A context switch. */
  switchTo(cpu: number, next: Task): void {
    this.#current[cpu] = next;
    if (next.mm !== null) this.#ranUser[cpu] = true;
    contextSwitch(this.#host.cpu(cpu), next.mm);
  }

  /** Makes sure that a CPU runs a task, where the recording shows that it does. @returns false if it ran another one */
  settle(cpu: number, task: Task): boolean {
    if (this.#current[cpu] === task) return true;
    this.#host.quietly(() => this.switchTo(cpu, task));
    return false;
  }

  /** A task that does what only user code does has an address space, whatever its name. */
  userMm(cpu: number, task: Task): Mm {
    if (task.mm === null) {
      task.mm = this.#host.unknownMm(this.#host.cpu(cpu));
      if (this.#current[cpu] === task) this.#host.quietly(() => contextSwitch(this.#host.cpu(cpu), task.mm));
    }
    return task.mm;
  }

  /** clone, fork, vfork. @param copied told the child's address space, if it is a copy */
  clone(parent: Task, { child, childComm: comm, flags }: CloneAction, copied: (mm: Mm) => void): Job {
    const before = this.#over(child);
    const add = (mm: Mm | null): void => {
      before.done?.([]);
      const fds = (flags & CLONE_FILES) !== 0 ? parent.fds : parent.fds.copy();
      this.#tasks.set(child, { pid: child, comm, mm, met: false, fds });
    };
    const { mm } = parent;
    const calls = (last: Call): readonly Call[] => [...before.calls, last];
    if (mm === null) return { ...before, done: () => add(null) };
    if ((flags & CLONE_VM) !== 0) return { calls: calls(call((lib, cpu) => lib.mmget(cpu, mm))), done: () => add(mm) };
    return {
      calls: calls(call((lib, cpu) => lib.dupMm(cpu, mm))),
      done: (results) => {
        const copy = results.at(-1) as Mm;
        add(copy);
        if (this.#unknown.has(mm.address)) this.#unknown.add(copy.address);
        else this.#unknown.delete(copy.address);
        copied(copy);
      },
    };
  }

  /** exec: the current task goes on in a new address space. @param after what exec does in it */
  exec(task: Task, mm: Mm, after: Job): Job {
    const old = task.mm;
    task.mm = mm;
    this.#unknown.delete(mm.address);
    this.#untouched.delete(mm.address);
    return {
      calls: [call((lib, cpu) => lib.execMmap(cpu, mm)), ...after.calls],
      done: (results) => {
        after.done?.(results);
        if (old !== null) this.#left(old);
      },
    };
  }

  /** The current task gives up its address space. */
  exit(task: Task): Job {
    const { mm } = task;
    if (mm === null) return { calls: [] };
    task.mm = null;
    return { calls: [call((lib, cpu) => lib.exitMm(cpu))], done: () => this.#left(mm) };
  }
}
