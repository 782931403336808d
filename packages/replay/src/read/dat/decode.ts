/**
 * Decoding: from a record to the event that text of the same recording would give.
 *
 * For each event of the recording kernel there is a decoder, made of its layout; the kinds are those of event.ts.
 */
import type { Head, TaskEvent } from '../event.ts';
import { type Layout } from './layout.ts';
import { hexadecimal, type Symbols } from './symbols.ts';
import { type NumberOf, numberAt, numberField, type RecordBytes, textField, wordsField } from './values.ts';

/** Makes an event of a record; null if the record is too short for what the event must have. */
export type Decoder = (head: Head, record: RecordBytes) => TaskEvent | null;

type Make = (layout: Layout, little: boolean, symbols: Symbols) => Decoder | null;

const MAKERS: ReadonlyMap<string, Make> = new Map<string, Make>([
  ['tlb_flush', tlbFlush],
  ['page_fault_user', (layout, little, symbols) => pageFault('user', layout, little, symbols)],
  ['page_fault_kernel', (layout, little, symbols) => pageFault('kernel', layout, little, symbols)],
  ['rss_stat', rssStat],
  ['sched_switch', schedSwitch],
  ['sched_migrate_task', schedMigrateTask],
  ['sched_process_fork', schedProcessFork],
  ['sched_process_exec', schedProcessExec],
  ['sched_process_exit', schedProcessExit],
  ['task_newtask', taskNewtask],
  ['exit_mmap', exitMmap],
  ['csd_queue_cpu', csdQueueCpu],
  ['csd_function_entry', (layout, little, symbols) => csdFunction('csdFunctionEntry', layout, little, symbols)],
  ['csd_function_exit', (layout, little, symbols) => csdFunction('csdFunctionExit', layout, little, symbols)],
  ['ipi_send_cpu', ipiSendCpu],
  ['ipi_send_cpumask', ipiSendCpumask],
  ['call_function_entry', (layout, little) => callFunction('callFunctionEntry', false, layout, little)],
  ['call_function_exit', (layout, little) => callFunction('callFunctionExit', false, layout, little)],
  ['call_function_single_entry', (layout, little) => callFunction('callFunctionEntry', true, layout, little)],
  ['call_function_single_exit', (layout, little) => callFunction('callFunctionExit', true, layout, little)],
  ['mm_collapse_huge_page', mmCollapseHugePage],
  ['kernel_stack', (layout, little, symbols) => stack(false, layout, little, symbols)],
  ['user_stack', (layout, little, symbols) => stack(true, layout, little, symbols)],
  ['print', print],
]);

/** The decoder of an event. One that has no kind, or lacks a field that its kind must have, is `other`. */
export function decoderOf(layout: Layout, little: boolean, symbols: Symbols): Decoder {
  const { name } = layout;
  let decoder = MAKERS.get(name)?.(layout, little, symbols) ?? null;
  if (name.startsWith('sys_enter_')) decoder = sysEnter(layout, little);
  else if (name.startsWith('sys_exit_')) decoder = sysExit(layout, little);
  return decoder ?? other(layout, little);
}

function sysEnter(layout: Layout, little: boolean): Decoder {
  const name = layout.name.slice('sys_enter_'.length);
  const args: NumberOf[] = [];
  for (const field of layout.fields.values()) {
    // What begins with two underscores is the number, and texts that arguments point to.
    if (field.name.startsWith('common_') || field.name.startsWith('__') || field.elsewhere) continue;
    args.push(numberAt(field, little));
  }
  return (head, record) => {
    const values = args.map((arg) => arg(record));
    return values.some(Number.isNaN) ? null : { ...head, kind: 'sysEnter', name, args: values };
  };
}

function sysExit(layout: Layout, little: boolean): Decoder | null {
  const name = layout.name.slice('sys_exit_'.length);
  const value = numberField(layout, little, 'ret');
  if (value === null) return null;
  return (head, record) => {
    const ret = value(record);
    return Number.isNaN(ret) ? null : { ...head, kind: 'sysExit', name, ret };
  };
}

function tlbFlush(layout: Layout, little: boolean): Decoder | null {
  const reasonOf = numberField(layout, little, 'reason');
  const pagesOf = numberField(layout, little, 'pages');
  if (reasonOf === null || pagesOf === null) return null;
  return (head, record) => {
    const reason = reasonOf(record);
    const pages = pagesOf(record);
    return Number.isNaN(reason + pages) ? null : { ...head, kind: 'tlbFlush', reason, pages };
  };
}

function pageFault(mode: 'user' | 'kernel', layout: Layout, little: boolean, symbols: Symbols): Decoder | null {
  const addressOf = numberField(layout, little, 'address');
  const errorOf = numberField(layout, little, 'error_code');
  const ipOf = numberField(layout, little, 'ip');
  if (addressOf === null || errorOf === null || ipOf === null) return null;
  return (head, record) => {
    const address = addressOf(record);
    const errorCode = errorOf(record);
    const ip = ipOf(record);
    if (Number.isNaN(address + errorCode + ip)) return null;
    return { ...head, kind: 'pageFault', mode, address, errorCode, ip: symbols.name(ip) };
  };
}

function rssStat(layout: Layout, little: boolean): Decoder | null {
  const mmOf = numberField(layout, little, 'mm_id');
  const currentOf = numberField(layout, little, 'curr');
  const memberOf = numberField(layout, little, 'member');
  const sizeOf = numberField(layout, little, 'size');
  if (mmOf === null || memberOf === null || sizeOf === null) return null;
  const types = new Map(layout.symbols);
  return (head, record) => {
    const mmId = mmOf(record);
    const bytes = sizeOf(record);
    const member = memberOf(record);
    if (Number.isNaN(mmId + bytes + member)) return null;
    const type = types.get(member) ?? `member=${member}`;
    return { ...head, kind: 'rssStat', mmId, current: currentOf?.(record) === 1, type, bytes };
  };
}

/** Kernels before 4.14 had other names of states, which their format files tell, too. */
function schedSwitch(layout: Layout, little: boolean): Decoder | null {
  const prevCommOf = textField(layout, little, 'prev_comm');
  const nextCommOf = textField(layout, little, 'next_comm');
  const [prevPidOf, nextPidOf, prevPrioOf, nextPrioOf, stateOf] = [
    'prev_pid',
    'next_pid',
    'prev_prio',
    'next_prio',
    'prev_state',
  ].map((name) => numberField(layout, little, name));
  if (!prevCommOf || !nextCommOf || !prevPidOf || !nextPidOf || !prevPrioOf || !nextPrioOf || !stateOf) return null;
  const states = stateNames(layout);
  return (head, record) => {
    const prevPid = prevPidOf(record);
    const nextPid = nextPidOf(record);
    const state = stateOf(record);
    if (Number.isNaN(prevPid + nextPid + state)) return null;
    return {
      ...head,
      kind: 'schedSwitch',
      prevComm: prevCommOf(record),
      prevPid,
      prevPrio: prevPrioOf(record),
      prevState: states(state),
      nextComm: nextCommOf(record),
      nextPid,
      nextPrio: nextPrioOf(record),
    };
  };
}

/** The bit above all that have names says that the task was preempted. */
function stateNames({ symbols }: Layout): (state: number) => string {
  const bits = symbols.filter(([bit]) => bit > 0);
  const preempted = 2 * Math.max(0, ...bits.map(([bit]) => bit));
  const known = new Map<number, string>();
  return (state) => {
    let text = known.get(state);
    if (text === undefined) {
      text = bits
        .filter(([bit]) => (state & bit) !== 0)
        .map(([, name]) => name)
        .join('|');
      if (text === '') text = 'R';
      if ((state & preempted) !== 0) text += '+';
      known.set(state, text);
    }
    return text;
  };
}

function schedMigrateTask(layout: Layout, little: boolean): Decoder | null {
  const commOf = textField(layout, little, 'comm');
  const [pidOf, prioOf, fromOf, toOf] = ['pid', 'prio', 'orig_cpu', 'dest_cpu'].map((name) =>
    numberField(layout, little, name),
  );
  if (!commOf || !pidOf || !prioOf || !fromOf || !toOf) return null;
  return (head, record) => {
    const taskPid = pidOf(record);
    const destCpu = toOf(record);
    if (Number.isNaN(taskPid + destCpu)) return null;
    const taskComm = commOf(record);
    return {
      ...head,
      kind: 'schedMigrateTask',
      taskComm,
      taskPid,
      prio: prioOf(record),
      origCpu: fromOf(record),
      destCpu,
    };
  };
}

function schedProcessFork(layout: Layout, little: boolean): Decoder | null {
  const parentCommOf = textField(layout, little, 'parent_comm');
  const childCommOf = textField(layout, little, 'child_comm');
  const parentOf = numberField(layout, little, 'parent_pid');
  const childOf = numberField(layout, little, 'child_pid');
  if (!parentCommOf || !childCommOf || !parentOf || !childOf) return null;
  return (head, record) => {
    const parentPid = parentOf(record);
    const childPid = childOf(record);
    if (Number.isNaN(parentPid + childPid)) return null;
    const parentComm = parentCommOf(record);
    return { ...head, kind: 'schedProcessFork', parentComm, parentPid, childComm: childCommOf(record), childPid };
  };
}

function schedProcessExec(layout: Layout, little: boolean): Decoder | null {
  const fileOf = textField(layout, little, 'filename');
  const pidOf = numberField(layout, little, 'pid');
  const oldOf = numberField(layout, little, 'old_pid');
  if (!fileOf || !pidOf || !oldOf) return null;
  return (head, record) => {
    const taskPid = pidOf(record);
    const oldPid = oldOf(record);
    if (Number.isNaN(taskPid + oldPid)) return null;
    return { ...head, kind: 'schedProcessExec', filename: fileOf(record), taskPid, oldPid };
  };
}

function schedProcessExit(layout: Layout, little: boolean): Decoder | null {
  const commOf = textField(layout, little, 'comm');
  const pidOf = numberField(layout, little, 'pid');
  const prioOf = numberField(layout, little, 'prio');
  const deadOf = numberField(layout, little, 'group_dead');
  if (!commOf || !pidOf || !prioOf) return null;
  return (head, record) => {
    const taskPid = pidOf(record);
    if (Number.isNaN(taskPid)) return null;
    const groupDead = deadOf === null ? null : deadOf(record) === 1;
    return { ...head, kind: 'schedProcessExit', taskComm: commOf(record), taskPid, prio: prioOf(record), groupDead };
  };
}

function taskNewtask(layout: Layout, little: boolean): Decoder | null {
  const commOf = textField(layout, little, 'comm');
  const pidOf = numberField(layout, little, 'pid');
  const flagsOf = numberField(layout, little, 'clone_flags');
  if (!commOf || !pidOf || !flagsOf) return null;
  return (head, record) => {
    const childPid = pidOf(record);
    const cloneFlags = flagsOf(record);
    if (Number.isNaN(childPid + cloneFlags)) return null;
    return { ...head, kind: 'taskNewtask', childPid, childComm: commOf(record), cloneFlags };
  };
}

/** The maple tree in the mm, as in the text; or the mm. */
function exitMmap(layout: Layout, little: boolean): Decoder | null {
  const mmOf = numberField(layout, little, 'mt', 'mm');
  if (mmOf === null) return null;
  return (head, record) => {
    const mm = mmOf(record);
    return Number.isNaN(mm) ? null : { ...head, kind: 'exitMmap', mm: hexadecimal(mm) };
  };
}

function csdQueueCpu(layout: Layout, little: boolean, symbols: Symbols): Decoder | null {
  const cpuOf = numberField(layout, little, 'cpu');
  const siteOf = numberField(layout, little, 'callsite');
  const funcOf = numberField(layout, little, 'func');
  if (!cpuOf || !siteOf || !funcOf) return null;
  return (head, record) => {
    const target = cpuOf(record);
    const func = funcOf(record);
    if (Number.isNaN(target + func)) return null;
    const callsite = symbols.place(siteOf(record));
    return { ...head, kind: 'csdQueueCpu', target, callsite, func: symbols.name(func) };
  };
}

function csdFunction(
  kind: 'csdFunctionEntry' | 'csdFunctionExit',
  layout: Layout,
  little: boolean,
  symbols: Symbols,
): Decoder | null {
  const funcOf = numberField(layout, little, 'func');
  if (funcOf === null) return null;
  return (head, record) => {
    const func = funcOf(record);
    return Number.isNaN(func) ? null : { ...head, kind, func: symbols.name(func) };
  };
}

function ipiSendCpu(layout: Layout, little: boolean, symbols: Symbols): Decoder | null {
  const cpuOf = numberField(layout, little, 'cpu');
  const siteOf = numberField(layout, little, 'callsite');
  const callbackOf = numberField(layout, little, 'callback');
  if (!cpuOf || !siteOf || !callbackOf) return null;
  return (head, record) => {
    const target = cpuOf(record);
    const callback = callbackOf(record);
    if (Number.isNaN(target + callback)) return null;
    const callsite = symbols.place(siteOf(record));
    return { ...head, kind: 'ipiSend', targets: [target], callsite, callback: symbols.place(callback) };
  };
}

function ipiSendCpumask(layout: Layout, little: boolean, symbols: Symbols): Decoder | null {
  const maskOf = wordsField(layout, little, 'cpumask');
  const siteOf = numberField(layout, little, 'callsite');
  const callbackOf = numberField(layout, little, 'callback');
  if (!maskOf || !siteOf || !callbackOf) return null;
  return (head, record) => {
    const targets: number[] = [];
    for (const [index, word] of maskOf(record).entries()) {
      // The kernel's masks are of longs: in the other byte order the upper half of each comes first.
      const first = 32 * (little ? index : index ^ 1);
      for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) targets.push(first + bit);
    }
    const callback = callbackOf(record);
    if (Number.isNaN(callback)) return null;
    targets.sort((a, b) => a - b);
    const callsite = symbols.place(siteOf(record));
    return { ...head, kind: 'ipiSend', targets, callsite, callback: symbols.place(callback) };
  };
}

function callFunction(
  kind: 'callFunctionEntry' | 'callFunctionExit',
  single: boolean,
  layout: Layout,
  little: boolean,
): Decoder | null {
  const vectorOf = numberField(layout, little, 'vector');
  return vectorOf === null ? null : (head, record) => ({ ...head, kind, single, vector: vectorOf(record) });
}

function mmCollapseHugePage(layout: Layout, little: boolean): Decoder | null {
  const mmOf = numberField(layout, little, 'mm');
  const isolatedOf = numberField(layout, little, 'isolated');
  const statusOf = numberField(layout, little, 'status');
  if (!mmOf || !isolatedOf || !statusOf) return null;
  const names = new Map(layout.symbols);
  return (head, record) => {
    const status = statusOf(record);
    const mm = mmOf(record);
    if (Number.isNaN(mm + status)) return null;
    return {
      ...head,
      kind: 'mmCollapseHugePage',
      mm: hexadecimal(mm),
      isolated: isolatedOf(record),
      status: names.get(status) ?? String(status),
    };
  };
}

/** Of user mode there are as many addresses as the field has room for, with 0 or all ones behind the last one; of the kernel, as many as there are. */
function stack(user: boolean, layout: Layout, little: boolean, symbols: Symbols): Decoder | null {
  const field = layout.fields.get('caller');
  if (field === undefined) return null;
  return (head, record) => {
    const frames: string[] = [];
    for (let offset = field.offset; offset + 8 <= record.length; offset += 8) {
      const address = numberAt({ ...field, offset, size: 8, signed: true }, little)(record);
      if (address === 0 || address === -1) break;
      frames.push(user ? hexadecimal(address) : symbols.name(address));
    }
    return { ...head, kind: 'stack', user, frames };
  };
}

/** What the workload wrote into trace_marker, or the kernel with trace_printk: without symbols the first is meant. */
function print(layout: Layout, little: boolean, symbols: Symbols): Decoder | null {
  const ipOf = numberField(layout, little, 'ip');
  const textOf = textField(layout, little, 'buf');
  if (!ipOf || !textOf) return null;
  return (head, record) => {
    const ip = ipOf(record);
    if (Number.isNaN(ip)) return null;
    const text = textOf(record).replace(/\n$/, '');
    const from = symbols.name(ip);
    return from.startsWith('0x') || from.startsWith('tracing_mark_write')
      ? { ...head, kind: 'mark', text }
      : { ...head, kind: 'other', name: 'print', text: `${from}: ${text}` };
  };
}

/** `name=0x...` of each field that is a number. */
function other(layout: Layout, little: boolean): Decoder {
  const { name } = layout;
  const fields = [...layout.fields.values()]
    .filter((field) => !field.name.startsWith('common_') && !field.elsewhere && [1, 2, 4, 8].includes(field.size))
    .map((field) => ({ key: field.name, valueOf: numberAt(field, little) }));
  return (head, record) => {
    const values = fields.map(({ key, valueOf }) => {
      const value = valueOf(record);
      return `${key}=${Number.isNaN(value) ? '?' : hexadecimal(value)}`;
    });
    return { ...head, kind: 'other', name, text: values.join(' ') };
  };
}
