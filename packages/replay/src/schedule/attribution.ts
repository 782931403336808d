/**
 * Attribution: which operation a recorded flush belongs to. It decides nothing but what is compared with what.
 *
 *     after a switch, reason 0      the switch
 *     in an interrupt, or idle      the operation that asked this CPU, in the order of requests (csd events); where those
 *                                   were not recorded, the one that last said it would send
 *     else                          what the task is at
 */
import type { SchedSwitch, TlbFlush } from '../read/event.ts';
import type { Operation, Step } from './action.ts';
import { inHardirq } from './context.ts';

/** Reason of tlb_flush: others are about to be interrupted. */
const SEND_IPI = 4;
/** Reason of tlb_flush: a context load. */
const TASK_SWITCH = 0;
/** Reason of tlb_flush: another CPU asked for it. */
const REMOTE_SHOOTDOWN = 1;

/** What a CPU did last. */
interface CpuTail {
  /** The switch that was the last event here. */
  switched: Operation | null;
  prevPid: number;
  /** Operations that asked this CPU to flush and are not known to be answered, in order. */
  asked: Operation[];
  /** The one whose request ran here last. */
  remote: Operation | null;
}

/** Follows requests to flush from CPU to CPU. */
export class Attribution {
  /** By CPU. */
  readonly #cpus: (CpuTail | undefined)[] = [];
  /** The operation that last said it would interrupt others. */
  #lastSend: Operation | null = null;

  /** Events of a CPU were lost: requests to it may be answered, and those of its tasks forgotten. */
  lose(cpu: number): void {
    this.#cpus[cpu] = undefined;
    this.#lastSend = null;
  }

  /**
   * An event that is no flush: unless it is of the task that was switched away, what follows is not of that switch. Nor is it if that task
   * is at its own work again, and the recording lacks the switch back.
   */
  pass({ cpu, pid, kind }: Step): void {
    const tail = this.#cpu(cpu);
    if (pid !== tail.prevPid || kind === 'rssStat') tail.switched = null;
  }

  /** A switch. */
  switches(event: SchedSwitch, operation: Operation): void {
    const tail = this.#cpu(event.cpu);
    tail.switched = operation;
    tail.prevPid = event.pid;
  }

  /** An operation asks a CPU to flush. */
  asks(operation: Operation, target: number): void {
    this.#cpu(target).asked.push(operation);
  }

  /** An operation begins to flush, and may ask others. */
  sends(operation: Operation): void {
    this.#lastSend = operation;
  }

  /** A CPU is asked to leave an address space: by the operation that flushes. */
  trims(): void {
    if (this.#lastSend !== null) this.#lastSend.trims = true;
  }

  /** A request begins to run on a CPU. @returns whose it is, if the recording shows who asked */
  runs(cpu: number): Operation | null {
    const tail = this.#cpu(cpu);
    const asks = tail.asked.shift() ?? null;
    tail.remote = asks ?? tail.remote;
    return asks;
  }

  /** A task that goes on has got its answers, also those that the recording does not show. */
  answered(pid: number): void {
    for (const tail of this.#cpus) {
      if (tail !== undefined && tail.asked.length > 0)
        tail.asked = tail.asked.filter((operation) => operation.pid !== pid);
    }
  }

  /** The operation of a flush; null if there is none. @param current what its task is at */
  operationOf(event: TlbFlush, current: Operation | null): Operation | null {
    const operation = this.#find(event, current);
    if (event.reason === SEND_IPI) this.#lastSend = operation;
    return operation;
  }

  #find(event: TlbFlush, current: Operation | null): Operation | null {
    const tail = this.#cpu(event.cpu);
    // A remote shootdown is always an interrupt's, also where the recording has no flags to say so.
    if (inHardirq(event) || event.reason === REMOTE_SHOOTDOWN) return tail.remote ?? this.#lastSend;
    if (tail.switched !== null && event.reason === TASK_SWITCH && event.pid === tail.prevPid) return tail.switched;
    return event.pid === 0 ? (tail.remote ?? this.#lastSend) : current;
  }

  #cpu(cpu: number): CpuTail {
    return (this.#cpus[cpu] ??= { switched: null, prevPid: 0, asked: [], remote: null });
  }
}
