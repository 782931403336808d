/**
 * In which context an event was written: what its flags and its kind say.
 */
import type { SchedSwitch, TaskEvent, TraceEvent } from '../read/event.ts';

/** In a hardware interrupt: the task that is named was only interrupted. */
export function inHardirq(event: TaskEvent): boolean {
  const level = event.flags.charAt(2);
  return level === 'h' || level === 'H' || level === 'Z';
}

/** Another task waits for the CPU (TIF_NEED_RESCHED). */
export function needsResched({ flags }: TaskEvent): boolean {
  const level = flags.charAt(1);
  return level === 'N' || level === 'n' || level === 'B' || level === 'b';
}

const FLUSH_FUNC = 'flush_tlb_func';
const WAKE_FUNC = 'sched_ttwu_pending';

/** A request to flush is queued for another CPU. */
export function queuesFlush(event: TaskEvent): boolean {
  return event.kind === 'csdQueueCpu' && event.func.startsWith(FLUSH_FUNC);
}

/** A request to flush begins to run here. */
export function runsFlush(event: TaskEvent): boolean {
  return event.kind === 'csdFunctionEntry' && event.func.startsWith(FLUSH_FUNC);
}

/** Where the kernel asks other CPUs to run a function, as callsites of ipi_send name it. */
const ASKS = /^(?:on_each_cpu|smp_call_function)/;

/** Shows that a CPU was asked to flush, or may be at it. */
export function tellsOfFlush(event: TraceEvent): boolean {
  switch (event.kind) {
    case 'csdQueueCpu':
    case 'csdFunctionEntry':
    case 'csdFunctionExit':
      return event.func.startsWith(FLUSH_FUNC);
    case 'ipiSend':
      return ASKS.test(event.callsite);
    case 'flushCall':
      return event.asks;
    case 'callFunctionEntry':
    case 'callFunctionExit':
    case 'trimArrives':
      return true;
    default:
      return false;
  }
}

/** Probes in a switch: from here on the CPU counts as idle in an address space, or as one that runs another. */
const IN_SWITCH: ReadonlySet<string> = new Set(['enter_lazy_tlb', 'switch_mm_irqs_off']);

/** A switch that the recording told of before takes effect. */
export function isInSwitch(event: TaskEvent): boolean {
  return event.kind === 'other' && IN_SWITCH.has(event.name);
}

/** The task that is switched away from is dead. */
export function leavesForGood({ prevState }: SchedSwitch): boolean {
  return prevState.startsWith('Z') || prevState.startsWith('X');
}

/** The CPU that an event says is about to be given a task to run; -1 if it says nothing of that kind. */
export function wakesCpu(event: TaskEvent): number {
  switch (event.kind) {
    case 'csdQueueCpu':
      return event.func.startsWith(WAKE_FUNC) ? event.target : -1;
    case 'ipiSend':
      // An interrupt without a callback asks the CPU to reschedule.
      return event.callback === '0x0' && event.targets.length === 1 ? event.targets[0]! : -1;
    case 'csdFunctionExit':
      return event.pid === 0 && event.func.startsWith(WAKE_FUNC) ? event.cpu : -1;
    default:
      return -1;
  }
}

/** An event of this kind says nothing about where its task is in its own work: it was written from below an operation. */
export function isQuiet(kind: TaskEvent['kind']): boolean {
  switch (kind) {
    case 'rssStat':
    case 'tlbFlush':
    case 'pagePresent':
    case 'trimArrives':
    case 'flushCall':
    case 'forkCopies':
    case 'areaFound':
    case 'areasGo':
    case 'tablesMove':
    case 'advisedRanges':
    case 'pageReturns':
    case 'csdQueueCpu':
    case 'csdFunctionEntry':
    case 'csdFunctionExit':
    case 'ipiSend':
    case 'callFunctionEntry':
    case 'callFunctionExit':
    case 'schedMigrateTask':
    case 'mmCollapseHugePage':
    case 'other':
      return true;
    default:
      return false;
  }
}
