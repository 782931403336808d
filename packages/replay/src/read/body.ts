import type { Head, TaskEvent } from './event.ts';
import { framesOf } from './stacks.ts';
import { decimal, hex, hexEnd, hexStart, number, utf8, valueAt, word } from './fields.ts';

/**
 * The event after the head of a line, in any of the spellings that the kernel, trace-cmd and perf have for it.
 *
 * `readBody` returns null if the text is no event at all, or is a known event without the numbers that it must have.
 * An event that is not known, or a probe that somebody gave the name of a known one, is `other`.
 */
export function readBody(line: string, at: number, head: Head): TaskEvent | null {
  let end = nameEnd(line, at);
  if (end === at) return stackOf(line.slice(at), head);
  let next = line.charCodeAt(end);
  if (next === COLON && nameEnd(line, end + 1) > end + 1) {
    // perf puts the event's subsystem in front: `tlb:tlb_flush:`
    at = end + 1;
    end = nameEnd(line, at);
    next = line.charCodeAt(end);
  }
  const name = line.slice(at, end);
  if (next === COLON) {
    const text = line.slice(end + 1).trim();
    const kind = KINDS.get(name);
    if (kind !== undefined && (text.charCodeAt(0) !== OPEN_PAREN || name === 'exit_mmap')) return kind(head, text);
    if (name.startsWith('sys_enter_')) return sysEnter(head, syscallName(name, 10), text);
    if (name.startsWith('sys_exit_')) return sysExit(head, syscallName(name, 9), text);
    return other(head, name, text);
  }
  if (!name.startsWith('sys_')) return null;
  if (next === OPEN_PAREN && line.charCodeAt(line.length - 1) === CLOSE_PAREN) {
    return sysEnter(head, syscallName(name, 4), line.slice(end + 1, -1));
  }
  if (line.startsWith(' -> ', end)) return sysExit(head, syscallName(name, 4), line.slice(end + 4));
  return null;
}

/** `<stack trace>` and `<user stack trace>`: their frames are in the lines below (stacks.ts). */
function stackOf(text: string, head: Head): TaskEvent | null {
  const user = text.startsWith('<user stack trace');
  return user || text.startsWith('<stack trace') ? { ...head, kind: 'stack', user, frames: [] } : null;
}

const OPEN_PAREN = 40;
const CLOSE_PAREN = 41;
const COMMA = 44;
const COLON = 58;

type Kind = (head: Head, text: string) => TaskEvent | null;

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['tlb_flush', tlbFlush],
  ['page_fault_user', (head, text) => pageFault(head, 'user', text)],
  ['page_fault_kernel', (head, text) => pageFault(head, 'kernel', text)],
  ['rss_stat', rssStat],
  ['sched_switch', schedSwitch],
  ['sched_migrate_task', schedMigrateTask],
  ['sched_process_fork', schedProcessFork],
  ['sched_process_exec', schedProcessExec],
  ['sched_process_exit', schedProcessExit],
  ['task_newtask', taskNewtask],
  ['exit_mmap', exitMmap],
  ['csd_queue_cpu', csdQueueCpu],
  ['csd_function_entry', (head, text) => ({ ...head, kind: 'csdFunctionEntry', func: word(text, 'func=') })],
  ['csd_function_exit', (head, text) => ({ ...head, kind: 'csdFunctionExit', func: word(text, 'func=') })],
  ['ipi_send_cpu', ipiSendCpu],
  ['ipi_send_cpumask', ipiSendCpumask],
  ['call_function_entry', (head, text) => callFunction(head, 'callFunctionEntry', false, text)],
  ['call_function_exit', (head, text) => callFunction(head, 'callFunctionExit', false, text)],
  ['call_function_single_entry', (head, text) => callFunction(head, 'callFunctionEntry', true, text)],
  ['call_function_single_exit', (head, text) => callFunction(head, 'callFunctionExit', true, text)],
  ['mm_collapse_huge_page', mmCollapseHugePage],
  ['kernel_stack', (head) => ({ ...head, kind: 'stack', user: false, frames: [] })],
  ['user_stack', (head, text) => ({ ...head, kind: 'stack', user: true, frames: framesOf(text.slice(3)) })],
  ['tracing_mark_write', (head, text) => ({ ...head, kind: 'mark', text: utf8(text) })],
  ['print', print],
]);

/** Where the event's name ends that begins at `at`. */
function nameEnd(line: string, at: number): number {
  for (; at < line.length; at++) {
    const code = line.charCodeAt(at);
    const letter = (code | 32) >= 97 && (code | 32) <= 122;
    if (!letter && !(code >= 48 && code <= 57) && code !== 95 && code !== 46) break;
  }
  return at;
}

/** One string for each system call, whichever line it came from. */
const syscallNames = new Map<string, string>();

function syscallName(event: string, prefix: number): string {
  let name = syscallNames.get(event);
  if (name === undefined) {
    name = event.slice(prefix);
    syscallNames.set(event, name);
  }
  return name;
}

/** `addr: 0x1000, len: 2000`: values are hexadecimal with or without 0x; text may follow a value, in quotes or not. */
function sysEnter(head: Head, name: string, text: string): TaskEvent | null {
  const args: number[] = [];
  let colon = text.indexOf(': ');
  while (colon >= 0) {
    const value = hex(text, colon + 2);
    if (Number.isNaN(value)) return null;
    args.push(value);
    let at = hexEnd(text, hexStart(text, colon + 2));
    if (text.charCodeAt(at) !== COMMA && at < text.length) {
      const quote = text.indexOf('"', at);
      const close = quote < 0 ? -1 : text.lastIndexOf('"');
      at = text.indexOf(', ', close < 0 ? at : close);
      if (at < 0) break;
    }
    colon = text.indexOf(': ', at);
  }
  return { ...head, kind: 'sysEnter', name, args };
}

function sysExit(head: Head, name: string, text: string): TaskEvent | null {
  const ret = hex(text, 0);
  return Number.isNaN(ret) ? null : { ...head, kind: 'sysExit', name, ret };
}

/** `pages:1 reason:local MM shootdown (3)`; trace-cmd's plugin has `=`, its raw form `reason=3 pages=1`. */
function tlbFlush(head: Head, text: string): TaskEvent | null {
  const pagesAt = text.startsWith('pages:') ? 6 : valueAt(text, 'pages=');
  const open = text.lastIndexOf('(');
  const reason = open < 0 ? number(text, 'reason=') : decimal(text, open + 1);
  const pages = pagesAt < 0 ? NaN : decimal(text, pagesAt);
  if (Number.isNaN(pages) || Number.isNaN(reason)) return null;
  return { ...head, kind: 'tlbFlush', reason, pages };
}

function pageFault(head: Head, mode: 'user' | 'kernel', text: string): TaskEvent | null {
  const addressAt = valueAt(text, 'address=');
  const errorAt = valueAt(text, 'error_code=');
  if (addressAt < 0 || errorAt < 0) return null;
  const address = hex(text, addressAt);
  const errorCode = hex(text, errorAt);
  if (Number.isNaN(address) || Number.isNaN(errorCode)) return null;
  return { ...head, kind: 'pageFault', mode, address, errorCode, ip: word(text, 'ip=') };
}

function rssStat(head: Head, text: string): TaskEvent | null {
  const mmId = number(text, 'mm_id=');
  const bytes = number(text, 'size=');
  if (Number.isNaN(mmId) || Number.isNaN(bytes)) return null;
  // before 5.19 `member=1` instead of a name
  const type = word(text, 'type=') || `member=${word(text, 'member=')}`;
  return { ...head, kind: 'rssStat', mmId, current: number(text, 'curr=') === 1, type, bytes };
}

const NEXT = ' ==> next_comm=';

/** The kernel's own text, or that of trace-cmd's plugin. */
function schedSwitch(head: Head, text: string): TaskEvent | null {
  const arrow = text.lastIndexOf(NEXT);
  if (arrow < 0) return schedSwitchPlugin(head, text);
  const prev = text.slice(0, arrow);
  const next = text.slice(arrow + NEXT.length);
  const prevPidAt = prev.lastIndexOf(' prev_pid=');
  const nextPidAt = next.lastIndexOf(' next_pid=');
  const prevPid = lastNumber(prev, ' prev_pid=');
  const nextPid = lastNumber(next, ' next_pid=');
  if (Number.isNaN(prevPid) || Number.isNaN(nextPid)) return null;
  return {
    ...head,
    kind: 'schedSwitch',
    prevComm: utf8(prev.slice('prev_comm='.length, prevPidAt)),
    prevPid,
    prevPrio: lastNumber(prev, ' prev_prio='),
    prevState: prev.slice(prev.lastIndexOf('=') + 1),
    nextComm: utf8(next.slice(0, nextPidAt)),
    nextPid,
    nextPrio: lastNumber(next, ' next_prio='),
  };
}

/** `comm:pid [prio] state ==> comm:pid [prio]`, where a comm may hold anything. */
function schedSwitchPlugin(head: Head, text: string): TaskEvent | null {
  const [, prevComm = '', prevPid, prevPrio, prevState = '', nextComm = '', nextPid, nextPrio] =
    /^(.*?):(\d+) \[(\d+)\] (\S+) ==> (.*):(\d+) \[(\d+)\]$/.exec(text) ?? [];
  if (prevPid === undefined) return null;
  return {
    ...head,
    kind: 'schedSwitch',
    prevComm: utf8(prevComm),
    prevPid: Number(prevPid),
    prevPrio: Number(prevPrio),
    prevState,
    nextComm: utf8(nextComm),
    nextPid: Number(nextPid),
    nextPrio: Number(nextPrio),
  };
}

/** `comm=... pid=N`: the name is what stands before the last ` pid=` and may itself hold spaces. */
function commBefore(text: string, key: string): string {
  const end = text.lastIndexOf(key);
  return utf8(text.slice(text.indexOf('=') + 1, end < 0 ? text.length : end));
}

function schedMigrateTask(head: Head, text: string): TaskEvent | null {
  const destCpu = number(text, 'dest_cpu=');
  const taskPid = lastNumber(text, ' pid=');
  if (Number.isNaN(destCpu) || Number.isNaN(taskPid)) return null;
  return {
    ...head,
    kind: 'schedMigrateTask',
    taskComm: commBefore(text, ' pid='),
    taskPid,
    prio: number(text, 'prio='),
    origCpu: number(text, 'orig_cpu='),
    destCpu,
  };
}

/** `comm=mmw pid=1 child_comm=mmw child_pid=2` */
function schedProcessFork(head: Head, text: string): TaskEvent | null {
  const childPid = lastNumber(text, ' child_pid=');
  const childComm = text.lastIndexOf(' child_comm=');
  if (childComm < 0 || Number.isNaN(childPid)) return null;
  const parent = text.slice(0, childComm);
  return {
    ...head,
    kind: 'schedProcessFork',
    parentComm: commBefore(parent, ' pid='),
    parentPid: lastNumber(parent, ' pid='),
    childComm: utf8(text.slice(childComm + 12, text.lastIndexOf(' child_pid='))),
    childPid,
  };
}

function schedProcessExec(head: Head, text: string): TaskEvent | null {
  const taskPid = lastNumber(text, ' pid=');
  if (Number.isNaN(taskPid)) return null;
  return {
    ...head,
    kind: 'schedProcessExec',
    filename: commBefore(text, ' pid='),
    taskPid,
    oldPid: lastNumber(text, ' old_pid='),
  };
}

function schedProcessExit(head: Head, text: string): TaskEvent | null {
  const taskPid = lastNumber(text, ' pid=');
  if (Number.isNaN(taskPid)) return null;
  const dead = word(text, 'group_dead=');
  return {
    ...head,
    kind: 'schedProcessExit',
    taskComm: commBefore(text, ' pid='),
    taskPid,
    prio: lastNumber(text, ' prio='),
    groupDead: dead === '' ? null : dead === 'true',
  };
}

/** `pid=2 comm=mmw clone_flags=3d0f00 oom_score_adj=0` */
function taskNewtask(head: Head, text: string): TaskEvent | null {
  const childPid = number(text, 'pid=');
  const flagsAt = text.lastIndexOf(' clone_flags=');
  if (flagsAt < 0 || Number.isNaN(childPid)) return null;
  const comm = text.indexOf('comm=');
  return {
    ...head,
    kind: 'taskNewtask',
    childPid,
    childComm: utf8(text.slice(comm + 5, flagsAt)),
    cloneFlags: hex(text, flagsAt + 13),
  };
}

/** The decimal after the last `key`; NaN if there is none. */
function lastNumber(text: string, key: string): number {
  const at = text.lastIndexOf(key);
  return at < 0 ? NaN : decimal(text, at + key.length);
}

/** `mt_mod 00000000dec1782b, DESTROY`: the maple tree in the mm; or a probe of the function with `mm=`. */
function exitMmap(head: Head, text: string): TaskEvent | null {
  if (!text.startsWith('mt_mod ')) return { ...head, kind: 'exitMmap', mm: word(text, 'mm=') };
  const comma = text.indexOf(',');
  return { ...head, kind: 'exitMmap', mm: text.slice(7, comma < 0 ? text.length : comma) };
}

function csdQueueCpu(head: Head, text: string): TaskEvent | null {
  const target = number(text, 'cpu=');
  if (Number.isNaN(target)) return null;
  return { ...head, kind: 'csdQueueCpu', target, callsite: word(text, 'callsite='), func: word(text, 'func=') };
}

function ipiSendCpu(head: Head, text: string): TaskEvent | null {
  const target = number(text, 'cpu=');
  if (Number.isNaN(target)) return null;
  return {
    ...head,
    kind: 'ipiSend',
    targets: [target],
    callsite: word(text, 'callsite='),
    callback: word(text, 'callback='),
  };
}

/** `cpumask=00000000,00000012`: words of 32 bits, the highest CPUs first. */
function ipiSendCpumask(head: Head, text: string): TaskEvent | null {
  const words = word(text, 'cpumask=').split(',').toReversed();
  const targets: number[] = [];
  for (const [index, bits] of words.entries()) {
    const mask = hex(bits, 0);
    if (Number.isNaN(mask)) return null;
    for (let bit = 0; bit < 32; bit++) if ((mask / 2 ** bit) & 1) targets.push(index * 32 + bit);
  }
  return { ...head, kind: 'ipiSend', targets, callsite: word(text, 'callsite='), callback: word(text, 'callback=') };
}

function callFunction(
  head: Head,
  kind: 'callFunctionEntry' | 'callFunctionExit',
  single: boolean,
  text: string,
): TaskEvent {
  return { ...head, kind, single, vector: number(text, 'vector=') };
}

function mmCollapseHugePage(head: Head, text: string): TaskEvent {
  return {
    ...head,
    kind: 'mmCollapseHugePage',
    mm: word(text, 'mm='),
    isolated: number(text, 'isolated='),
    status: word(text, 'status='),
  };
}

const MARK = 'tracing_mark_write: ';

/** How trace-cmd reports a mark; other prints are the kernel's own trace_printk. */
function print(head: Head, text: string): TaskEvent {
  return text.startsWith(MARK)
    ? { ...head, kind: 'mark', text: utf8(text.slice(MARK.length)) }
    : other(head, 'print', text);
}

function other(head: Head, name: string, text: string): TaskEvent {
  return { ...head, kind: 'other', name, text: utf8(text) };
}
