/**
 * Forks: recordings without `task_newtask` only say that a task forked, and not what its child shares. The system call tells it: `clone` by its
 * flags; of `clone3`, whose flags are in memory, it is taken for granted that the address space is shared, as threads and posix_spawn do.
 */
import type { TaskNewtask, TraceEvent } from '../read/event.ts';

/** CLONE_VM, and CLONE_FILES, CLONE_THREAD of a thread. */
const THREAD = 0x10500;
/** CLONE_VM and CLONE_VFORK. */
const VFORK = 0x4100;

/** Puts a `taskNewtask` before each fork that has none. */
export class Forks {
  /** Flags of the call that a task is in. */
  readonly #calls = new Map<number, number>();
  /** Children that were told of, and have not been forked yet. */
  readonly #told = new Set<number>();

  /** The events, with what was missing between them. */
  complete(events: readonly TraceEvent[]): readonly TraceEvent[] {
    let completed: TraceEvent[] | null = null;
    for (let at = 0; at < events.length; at++) {
      const event = events[at]!;
      const missing = this.#missing(event);
      if (missing !== null) (completed ??= events.slice(0, at)).push(missing);
      completed?.push(event);
    }
    return completed ?? events;
  }

  /** What must have been before an event, and was not recorded. */
  #missing(event: TraceEvent): TaskNewtask | null {
    const { kind } = event;
    if (kind === 'sysEnter') {
      const flags = flagsOf(event.name, event.args);
      if (flags !== null) this.#calls.set(event.pid, flags);
    } else if (kind === 'taskNewtask') {
      this.#told.add(event.childPid);
    } else if (kind === 'schedProcessFork') {
      const flags = this.#calls.get(event.pid);
      this.#calls.delete(event.pid);
      if (this.#told.delete(event.childPid) || flags === undefined) return null;
      const { line, time, cpu, pid, tgid, comm, flags: context, childPid, childComm } = event;
      const head = { line, time, cpu, pid, tgid, comm, flags: context };
      return { ...head, kind: 'taskNewtask', childPid, childComm, cloneFlags: flags };
    }
    return null;
  }
}

function flagsOf(name: string, [first = 0]: readonly number[]): number | null {
  switch (name) {
    case 'clone':
      return first;
    case 'clone3':
      return THREAD;
    case 'fork':
      return 0;
    case 'vfork':
      return VFORK;
    default:
      return null;
  }
}
