/**
 * strace: the system calls of some tasks, and nothing else. What else a replay needs is assumed, and said.
 *
 *     tasks       all on one CPU: each line shows who runs
 *     pages       of a writable private mapping, the first and the last one are touched
 *     clone       makes its child before the child's first line
 *
 * So the ranges of flushes come out, and their number as if nothing but these system calls caused any.
 */
import { excerpt, TraceError } from '../error.ts';
import type { Head, TaskEvent, TraceEvent } from '../event.ts';
import { linesOf } from '../lines.ts';
import { batchesOf, type Trace } from '../trace.ts';
import { flagsIn, splitArgs, type StraceLine, straceLine, valueOf } from './line.ts';

/** What stands in for what strace does not see. */
const ASSUMES: readonly string[] = [
  'strace sees no switches: all tasks run on one CPU, and no other CPU has to be asked',
  'strace sees no page faults: of each writable private mapping the first and the last page are touched',
  'strace sees no flushes: there is nothing to compare with',
];

const MICROSECONDS = 1e6;
const PAGE = 4096;
const PROT_WRITE = 2;
const MAP_ANONYMOUS = 0x20;
/** clone(2): the flags of fork, as far as they matter, and of vfork. */
const CLONES: Readonly<Record<string, number>> = { clone: 0, clone3: 0, fork: 0, vfork: 0x4100 };
/** Error code of a write by user code to a page that is not there. */
const TOUCH = 6;
const MEND = 'record with strace -f -ttt -T -o FILE, and give FILE';

/** Opens what strace -ttt printed. */
export function openStrace(file: string, chunks: AsyncIterable<Buffer>): Trace {
  return {
    file,
    format: 'strace',
    clock: { ticksPerSecond: MICROSECONDS },
    header: { tracer: null, inBuffer: null, written: null, cpus: 1 },
    facts: {},
    traced: null,
    processes: [],
    assumes: ASSUMES,
    ...batchesOf(() => events(file, chunks)),
  };
}

async function* events(file: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<TraceEvent[]> {
  const calls = new Calls();
  let number = 0;
  for await (const { lines, end, rest } of linesOf(file, chunks)) {
    const batch: TraceEvent[] = [];
    for (const text of lines) {
      number++;
      if (text === '' || text.startsWith('strace: ')) continue;
      const line = straceLine(text);
      if (line === null) {
        if (batch.length > 0) yield batch;
        throw new TraceError(file, number, `no line of strace -ttt: ${excerpt(text)}`, MEND);
      }
      calls.take(line, number, batch);
    }
    if (end === 'cut') {
      const what = rest ? `the last line is cut off: ${excerpt(rest)}` : 'the file is cut off';
      batch.push({ kind: 'truncated', line: number + 1, what });
    }
    if (batch.length > 0) yield batch;
  }
}

/** A call that has begun. */
interface Open {
  readonly name: string;
  readonly args: string;
  /** The child that was seen before its clone returned. */
  child: number | null;
}

/** Makes events of calls. */
class Calls {
  readonly #open = new Map<number, Open>();
  readonly #known = new Set<number>();
  /** The end of the heap of each task. */
  readonly #heaps = new Map<number, number>();

  take({ pid, time, kind, name, args, ret }: StraceLine, line: number, into: TraceEvent[]): void {
    const head: Head = { line, time, cpu: 0, pid, tgid: null, comm: 'strace', flags: '' };
    if (!this.#known.has(pid)) this.#meet(head, into);
    if (kind === 'exit') {
      this.#open.delete(pid);
      this.#known.delete(pid);
      const task = { taskComm: head.comm, taskPid: pid, prio: 0, groupDead: null };
      into.push({ ...head, kind: 'schedProcessExit', ...task }, { ...head, kind: 'exitMmap', mm: String(pid) });
    } else if (kind === 'begin') {
      this.#open.set(pid, { name, args, child: null });
      into.push(entered(head, name, args));
    } else if (kind === 'end') {
      const open = this.#open.get(pid);
      this.#open.delete(pid);
      if (open?.name === name) this.#returns(head, { ...open, args: open.args + args }, ret, into);
    } else if (kind === 'call') {
      into.push(entered(head, name, args));
      if (ret !== null) this.#returns(head, { name, args, child: null }, ret, into);
    }
  }

  /** A task that was never seen: the child of a clone that has not returned, if there is one. */
  #meet(head: Head, into: TraceEvent[]): void {
    this.#known.add(head.pid);
    for (const [parent, open] of this.#open) {
      if (open.child !== null || CLONES[open.name] === undefined) continue;
      open.child = head.pid;
      into.push(made({ ...head, pid: parent }, open, head.pid));
      return;
    }
  }

  #returns(head: Head, open: Open, ret: number | null, into: TraceEvent[]): void {
    const { name, args, child } = open;
    const exit: TaskEvent = { ...head, kind: 'sysExit', name, ret: ret ?? 0 };
    if (ret === null || ret < 0) {
      into.push(exit);
      return;
    }
    if (CLONES[name] !== undefined && child === null && ret > 0) {
      into.push(made(head, open, ret));
      this.#known.add(ret);
    }
    if (name === 'execve' || name === 'execveat') {
      this.#heaps.delete(head.pid);
      into.push({ ...head, kind: 'schedProcessExec', filename: '', taskPid: head.pid, oldPid: head.pid });
    }
    into.push(exit);
    for (const address of this.#touched(head.pid, name, args, ret))
      into.push({ ...head, kind: 'pageFault', mode: 'user', address, errorCode: TOUCH, ip: '' });
  }

  /** Pages that are touched, as far as that is assumed. */
  #touched(pid: number, name: string, args: string, ret: number): number[] {
    const values = splitArgs(args).map(valueOf);
    const [first = 0, length = 0, prot = 0, flags = 0] = values;
    const ends = (start: number, bytes: number): number[] =>
      bytes <= 0 ? [] : [...new Set([start, start + Math.ceil(bytes / PAGE) * PAGE - PAGE])];
    if (name === 'mmap') {
      return (prot & PROT_WRITE) !== 0 && (flags & MAP_ANONYMOUS) !== 0 ? ends(ret, length) : [];
    }
    if (name === 'mprotect') return (prot & PROT_WRITE) !== 0 ? ends(first, length) : [];
    if (name !== 'brk') return [];
    const before = this.#heaps.get(pid);
    this.#heaps.set(pid, ret);
    return before === undefined ? [] : ends(before, ret - before);
  }
}

/** `-1` stands for a descriptor of none: 32 bits, as recorders print it. */
function entered(head: Head, name: string, args: string): TaskEvent {
  const values = splitArgs(args).map(valueOf);
  return { ...head, kind: 'sysEnter', name, args: values.map((value) => (value === -1 ? 0xffffffff : value)) };
}

function made(head: Head, { name, args }: Open, child: number): TaskEvent {
  const cloneFlags = CLONES[name]! | flagsIn(args);
  return { ...head, kind: 'taskNewtask', childPid: child, childComm: head.comm, cloneFlags };
}
