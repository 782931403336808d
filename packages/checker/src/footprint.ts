/**
 * Footprint: what a step touches, for dependence between steps (dpor).
 *
 * Besides cells there are pseudo-locations: a CPU's store buffer, its interrupt and RCU state, its queue of calls and the count of its
 * own calls; and one for the TLBs of all CPUs, written by every step that changes or uses what TLBs hold, or stores what an oracle
 * watches, by frees and by mode changes, and read by every step of kernel code, because a claim may follow it. Coarse, and so safe.
 */
import type { Touch, TouchMode } from './explorable.ts';
import { OP } from './op.ts';
import { BUFFER, CPU, QUIET, type Words } from './words.ts';

/** What footprints need to know of the machine. */
export interface FootprintHost {
  readonly words: Words;
  readonly tso: boolean;
  /** The pseudo-location of all TLBs. */
  readonly tlbs: number;
  /** Whether interrupts and claims can matter: bare programs of memory accesses have neither. */
  readonly hasKernel: boolean;
  /** Does a store to this cell change what TLBs may hold, or does an oracle look at it? */
  isWatched(cell: number): boolean;
  /** Does it make a difference who stores to this cell first, and with which value, whoever reads it? */
  isOrdered(cell: number): boolean;
  /** Does anything wait for an RCU reader to leave? */
  readersAwaited(): boolean;
}

/** The drain of a CPU's oldest buffered store. */
export function drainFootprint(host: FootprintHost, cpu: number, cell: number, touch: Touch): void {
  touch(cell, 'write');
  const drained = host.words.quiet(cpu, QUIET.stored) - host.words.cpu(cpu, CPU.buffered);
  touch(slotAt(host.words, cpu, drained), 'write');
  if (host.isWatched(cell)) touch(host.tlbs, 'write');
}

/**
 * The place of a store in its CPU's buffer, by its number. A store and its own drain share it, and so do a store that waits
 * for room and the drain that makes it; a store and the drain of an older one do not, for they commute.
 */
function slotAt(words: Words, cpu: number, store: number): number {
  return words.cpuAt(cpu, CPU.buffer + 2 * (store % BUFFER));
}

/** The delivery of an interrupt. */
export function deliveryFootprint(host: FootprintHost, cpu: number, touch: Touch): void {
  touch(host.words.cpuAt(cpu, CPU.inIrq), 'write');
  touch(host.words.cpuAt(cpu, CPU.queued), 'write');
  touch(host.tlbs, 'write');
}

/** The pending step of a process. */
export function stepFootprint(host: FootprintHost, process: number, cpu: number, touch: Touch): void {
  const { words, tso, tlbs } = host;
  const kind = words.kind(process);
  const a = words.arg(process, 0);
  const stored = words.quiet(cpu, QUIET.stored);
  if (host.hasKernel) {
    touch(words.cpuAt(cpu, CPU.inIrq), 'read');
    touch(tlbs, 'read');
  }
  // A plain store that follows the step may go into the buffer, too.
  if (tso) touch(slotAt(words, cpu, stored), 'read');
  const write = (cell: number): void => {
    touch(cell, 'write');
    if (host.isWatched(cell)) touch(tlbs, 'write');
  };
  const change = (cell: number, how: TouchMode): void => {
    if (host.isOrdered(cell)) write(cell);
    else touch(cell, how);
  };
  switch (kind) {
    case OP.writeOnce:
    case OP.storeRelease:
    case OP.bareStore:
    case OP.spinUnlock:
      if (tso) touch(slotAt(words, cpu, stored), 'write');
      else write(a);
      return;
    case OP.readOnce:
    case OP.loadAcquire:
    case OP.bareLoad:
    case OP.waitFor:
      touch(a, 'read');
      return;
    case OP.alloc:
    case OP.mayFail:
      return;
    case OP.localIrqDisable:
    case OP.rcuReadLock:
      touch(words.cpuAt(cpu, CPU.inIrq), 'write');
      return;
    case OP.localIrqEnable:
    case OP.rcuReadUnlock:
      touch(words.cpuAt(cpu, CPU.inIrq), 'write');
      // The end of a grace period frees.
      if (host.readersAwaited()) touch(tlbs, 'write');
      return;
  }
  // All others wait until the last store has left the buffer.
  if (tso) touch(slotAt(words, cpu, stored + BUFFER - 1), 'read');
  switch (kind) {
    case OP.atomicAdd:
      change(a, 'add');
      return;
    case OP.atomicOr:
      change(a, 'or');
      return;
    case OP.atomicAndNot:
      change(a, 'andNot');
      return;
    case OP.xchg:
    case OP.cmpxchg:
    case OP.atomicAddReturn:
    case OP.atomicFetchAndNot:
    case OP.bareLoadExclusive:
    case OP.bareStoreExclusive:
    case OP.bareRmw:
    case OP.bareCas:
    case OP.spinLock:
    case OP.downRead:
    case OP.downReadTrylock:
    case OP.downWrite:
    case OP.upRead:
    case OP.upWrite:
    case OP.downgradeWrite:
      write(a);
      return;
    case OP.smpMb:
    case OP.bareFence:
      return;
    case OP.sendIpi:
      touch(words.cpuAt(a, CPU.queued), 'write');
      touch(words.cpuAt(cpu, CPU.outstanding), 'write');
      return;
    case OP.awaitIpis:
      touch(words.cpuAt(cpu, CPU.outstanding), 'write');
      return;
    case OP.irqReturn:
      touch(words.cpuAt(cpu, CPU.inIrq), 'write');
      touch(words.cpuAt(words.cpu(cpu, CPU.irqSource), CPU.outstanding), 'write');
      touch(tlbs, 'write');
      return;
    case OP.freeRcu:
    case OP.synchronizeRcu:
      // Who reads now is what it waits for.
      for (let other = 0; other < words.cpus; other++) touch(words.cpuAt(other, CPU.inIrq), 'read');
      touch(tlbs, 'write');
      return;
    case OP.cmpxchgAndInvalidate:
      touch(a, 'write');
      touch(tlbs, 'write');
      return;
    default:
      touch(tlbs, 'write');
  }
}
