/**
 * Tasks: which address space each task has, and which task each CPU runs.
 *
 * Tasks that were there before the recording are met on the way. One that the recorder left out is called `other`; its
 * address space is unknown. Any other unknown task is taken for a kernel thread until it faults or makes a system call.
 */
import { Mm } from '@mmu-gather/core';
import { contextSwitch } from '@mmu-gather/mm';
import type { Host } from './host.ts';
import { call, type Job } from './library.ts';

/** The name that a recorder gives to tasks that it does not trace. */
export const OTHER: string = 'other';

/** A task. */
export interface Task {
  readonly pid: number;
  /** Null for a kernel thread, and for a task that is exiting. */
  mm: Mm | null;
  /** The recording holds its events. */
  readonly traced: boolean;
}

/** clone(2): child and parent share the address space. */
const CLONE_VM = 0x100;

/** All tasks that were met. */
export class Tasks {
  readonly #host: Host;
  readonly #tasks = new Map<number, Task>();
  /** What each CPU runs. */
  readonly #current: (Task | null)[];
  readonly #idle: Task = { pid: 0, mm: null, traced: true };

  constructor(host: Host) {
    this.#host = host;
    this.#current = host.direct.cpus.map(() => null);
  }

  /** The task that a CPU runs, or null if nothing was heard of that CPU yet. */
  current(cpu: number): Task | null {
    return this.#current[cpu]!;
  }

  /** The task with this id. */
  task(cpu: number, pid: number, comm: string): Task {
    if (pid === 0) return this.#idle;
    let task = this.#tasks.get(pid);
    if (task === undefined) {
      const traced = comm !== OTHER;
      task = { pid, mm: traced ? null : this.#host.unknownMm(this.#host.cpu(cpu)), traced };
      this.#tasks.set(pid, task);
    }
    return task;
  }

  /** A context switch. */
  switchTo(cpu: number, next: Task): void {
    this.#current[cpu] = next;
    contextSwitch(this.#host.cpu(cpu), next.mm);
  }

  /** Makes sure that a CPU runs a task, where the recording shows that it does. @returns false if it ran another one */
  settle(cpu: number, task: Task): boolean {
    if (this.#current[cpu] === task) return true;
    this.#host.quietly(() => this.switchTo(cpu, task));
    return false;
  }

  /** A task that does what only user code does has an address space, if only an unknown one. */
  userMm(cpu: number, task: Task): Mm {
    if (task.mm === null) {
      task.mm = this.#host.unknownMm(this.#host.cpu(cpu));
      if (this.#current[cpu] === task) this.#host.quietly(() => contextSwitch(this.#host.cpu(cpu), task.mm));
    }
    return task.mm;
  }

  /** clone, fork, vfork. @param copied told the child's address space, if it is a copy */
  clone(parent: Task, child: number, flags: number, copied: (mm: Mm) => void): Job {
    const add = (mm: Mm | null): void => {
      this.#tasks.set(child, { pid: child, mm, traced: true });
    };
    const { mm } = parent;
    if (mm === null) return { calls: [], done: () => add(null) };
    if ((flags & CLONE_VM) !== 0) return { calls: [call((lib, cpu) => lib.mmget(cpu, mm))], done: () => add(mm) };
    return {
      calls: [call((lib, cpu) => lib.dupMm(cpu, mm))],
      done: ([copy]) => {
        add(copy as Mm);
        copied(copy as Mm);
      },
    };
  }

  /** exec: the current task goes on in a new address space. */
  exec(task: Task, mm: Mm): Job {
    task.mm = mm;
    return { calls: [call((lib, cpu) => lib.execMmap(cpu, mm))] };
  }

  /** The current task gives up its address space, and is not heard of again. */
  exit(task: Task): Job {
    const kernel = task.mm === null;
    task.mm = null;
    this.#tasks.delete(task.pid);
    return { calls: kernel ? [] : [call((lib, cpu) => lib.exitMm(cpu))] };
  }
}
