/**
 * The processes that are there as a recording begins: which threads belong together, and what they have mapped.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mappedIn } from '../read/maps.ts';
import type { RecordedProcess } from '../read/recorder-notes.ts';
import { presentPages } from './pagemap.ts';

/** A process, as /proc shows it. */
export interface Process {
  /** Its id. */
  readonly pid: number;
  /** Its parent's id. */
  readonly parent: number;
  /** Its name. */
  readonly comm: string;
  /** It runs in the kernel alone. */
  readonly kernel: boolean;
  /** Its state: `R`, `S`, `T` (stopped), ... */
  readonly state: string;
  /** Ids of its threads. */
  readonly threads: readonly number[];
}

/** /proc/PID/stat: the task is a kernel thread (PF_KTHREAD). */
const KERNEL_THREAD = 0x200000;

/** A process; null if there is none of that id any more. */
export function processOf(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold anything, parentheses too.
    const end = stat.lastIndexOf(')');
    const [state = '', parent, , , , , flags] = stat.slice(end + 2).split(' ');
    return {
      pid,
      parent: Number(parent),
      comm: stat.slice(stat.indexOf('(') + 1, end),
      kernel: (Number(flags) & KERNEL_THREAD) !== 0,
      state,
      threads: readdirSync(`/proc/${pid}/task`).map(Number),
    };
  } catch {
    return null;
  }
}

/** All processes. */
export function allProcesses(): Process[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => processOf(Number(pid)) ?? []);
}

/** A process and all that it and its children made. */
export function familyOf(root: number, all: readonly Process[]): Process[] {
  const family = all.filter(({ pid }) => pid === root);
  for (let at = 0; at < family.length; at++) {
    const { pid } = family[at]!;
    family.push(...all.filter(({ parent }) => parent === pid));
  }
  return family;
}

/** What is kept of processes. */
export function recordedProcesses(processes: readonly Process[]): RecordedProcess[] {
  const pageSize = ownPageSize();
  return processes.map(({ pid, comm, threads }) => {
    const maps = mapsOf(pid);
    const pages = maps === null ? [] : presentPages(pid, mappedIn(maps), pageSize);
    return { tgid: pid, comm, threads, maps, pages };
  });
}

/** Bytes of a page of this machine. */
function ownPageSize(): number {
  const size = /^KernelPageSize: +(\d+) kB$/m.exec(readFileSync('/proc/self/smaps', 'latin1'))?.[1];
  return size === undefined ? 4096 : Number(size) * 1024;
}

function mapsOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8');
  } catch {
    return null;
  }
}

/** `pid name` of all tasks, threads too. */
export function taskNames(all: readonly Process[]): string[] {
  return all.flatMap(({ pid, comm, threads }) =>
    threads.map((thread) => `${thread} ${thread === pid ? comm : (threadName(pid, thread) ?? comm)}`),
  );
}

function threadName(pid: number, thread: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').replace(/\n$/, '');
  } catch {
    return null;
  }
}
