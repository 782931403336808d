/**
 * Heads: what every record begins with, and which task that is.
 */
import type { Head } from '../event.ts';
import type { Layout } from './layout.ts';
import { type NumberOf, numberField, type RecordBytes } from './values.ts';

/** Bits of common_flags (enum trace_flag_type). */
const IRQS_OFF = 1;
const RESCHED_LAZY = 2;
const RESCHED = 4;
const HARDIRQ = 8;
const SOFTIRQ = 16;
const PREEMPT_RESCHED = 32;
const NMI = 64;
const BH_OFF = 128;

/** clone(2): the child is a thread of the same process. */
const CLONE_THREAD = 0x10000;

/** Names and processes of tasks. */
export class TaskNames {
  readonly #comms = new Map<number, string>([[0, '<idle>']]);
  readonly #tgids = new Map<number, number>();

  /** @param cmdlines `pid name` a line; of what is not in it the name is not known */
  constructor(cmdlines: string, tgids: Iterable<readonly [pid: number, tgid: number]>) {
    for (const line of cmdlines.split('\n')) {
      const space = line.indexOf(' ');
      if (space > 0) this.#comms.set(Number(line.slice(0, space)), line.slice(space + 1));
    }
    for (const [pid, tgid] of tgids) this.#tgids.set(pid, tgid);
  }

  comm(pid: number): string {
    return this.#comms.get(pid) ?? '<...>';
  }

  /** Null if nobody said it. */
  tgid(pid: number): number | null {
    return this.#tgids.get(pid) ?? null;
  }

  /** A task made another one. */
  made(parent: number, child: number, cloneFlags: number): void {
    const shares = (cloneFlags & CLONE_THREAD) !== 0;
    const tgid = shares ? this.#tgids.get(parent) : child;
    if (tgid === undefined) this.#tgids.delete(child);
    else this.#tgids.set(child, tgid);
  }
}

/** Reads heads. */
export class Heads {
  readonly #typeOf: NumberOf;
  readonly #flagsOf: NumberOf;
  readonly #countOf: NumberOf;
  readonly #pidOf: NumberOf;
  readonly #tasks: TaskNames;
  readonly #head: Head = { line: 0, time: 0, cpu: 0, pid: 0, tgid: null, comm: '', flags: '' };
  /** One text of each value. */
  readonly #flags: string[] = [];

  /** @param layout any event's: all begin alike. Null if one of the usual fields is missing. */
  static of(layout: Layout, little: boolean, tasks: TaskNames): Heads | null {
    const names = ['common_type', 'common_flags', 'common_preempt_count', 'common_pid'];
    const [type, flags, count, pid] = names.map((name) => numberField(layout, little, name));
    return type && flags && count && pid ? new Heads([type, flags, count, pid], tasks) : null;
  }

  private constructor(fields: readonly [NumberOf, NumberOf, NumberOf, NumberOf], tasks: TaskNames) {
    [this.#typeOf, this.#flagsOf, this.#countOf, this.#pidOf] = fields;
    this.#tasks = tasks;
  }

  /** The number of the event; NaN if the record is too short to have one. */
  type(record: RecordBytes): number {
    return this.#typeOf(record);
  }

  /**
   * The head; null if the record is too short. One object serves all: decoders copy it into their event.
   * @param line the number of the record
   */
  read(record: RecordBytes, line: number, time: number, cpu: number): Head | null {
    const pid = this.#pidOf(record);
    if (Number.isNaN(pid)) return null;
    const bits = (this.#flagsOf(record) << 8) | this.#countOf(record);
    const flags = (this.#flags[bits] ??= flagText(bits >> 8, bits & 0xff));
    const head = this.#head;
    head.line = line;
    head.time = time;
    head.cpu = cpu;
    head.pid = pid;
    head.tgid = this.#tasks.tgid(pid);
    head.comm = this.#tasks.comm(pid);
    head.flags = flags;
    return head;
  }
}

/** As the kernel prints them: irqs-off, need-resched, hardirq/softirq, preempt-depth, migrate-disable. */
function flagText(flags: number, count: number): string {
  const off = (flags & IRQS_OFF) !== 0;
  const irqs = (flags & BH_OFF) !== 0 ? (off ? 'D' : 'b') : off ? 'd' : '.';
  const depth = count & 15;
  const migrate = count >> 4;
  const digit = (value: number): string => (value === 0 ? '.' : value.toString(16));
  return irqs + reschedLetter(flags) + contextLetter(flags) + digit(depth) + digit(migrate);
}

function reschedLetter(flags: number): string {
  const lazy = (flags & RESCHED_LAZY) !== 0;
  switch (flags & (RESCHED | PREEMPT_RESCHED)) {
    case RESCHED | PREEMPT_RESCHED:
      return lazy ? 'B' : 'N';
    case RESCHED:
      return lazy ? 'b' : 'n';
    case PREEMPT_RESCHED:
      return lazy ? 'L' : 'p';
    default:
      return lazy ? 'l' : '.';
  }
}

function contextLetter(flags: number): string {
  const hard = (flags & HARDIRQ) !== 0;
  if ((flags & NMI) !== 0) return hard ? 'Z' : 'z';
  if ((flags & SOFTIRQ) !== 0) return hard ? 'H' : 's';
  return hard ? 'h' : '.';
}
