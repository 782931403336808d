/**
 * Footprint: what a step touches, for dependence between steps (dpor).
 *
 * Besides cells there are pseudo-locations: a CPU's store buffer, its interrupt state, its queue of calls and the count of its
 * own calls; and one for the TLBs of all CPUs, written by every step that changes or uses what TLBs hold, by page and table
 * frees and by mode changes, and read by every step of kernel code, because a claim may follow it. Coarse, and so safe.
 */
import type { Touch } from './explorable.ts';
import { OP } from './op.ts';
import { CPU, type Words } from './words.ts';

/** What footprints need to know of the machine. */
export interface FootprintHost {
  readonly words: Words;
  readonly tso: boolean;
  /** The pseudo-location of all TLBs. */
  readonly tlbs: number;
  /** Whether interrupts and claims can matter: bare programs of memory accesses have neither. */
  readonly hasKernel: boolean;
  isEntry(cell: number): boolean;
}

/** The drain of a CPU's oldest buffered store. */
export function drainFootprint(host: FootprintHost, cpu: number, cell: number, touch: Touch): void {
  touch(cell, 'write');
  touch(host.words.cpuAt(cpu, CPU.buffered), 'write');
  if (host.isEntry(cell)) touch(host.tlbs, 'write');
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
  const buffer = words.cpuAt(cpu, CPU.buffered);
  if (host.hasKernel) {
    touch(words.cpuAt(cpu, CPU.inIrq), 'read');
    touch(tlbs, 'read');
  }
  switch (kind) {
    case OP.writeOnce:
    case OP.storeRelease:
      if (tso) touch(buffer, 'write');
      else {
        touch(a, 'write');
        if (host.isEntry(a)) touch(tlbs, 'write');
      }
      return;
    case OP.spinUnlock:
      if (tso) touch(buffer, 'write');
      else touch(a, 'release');
      return;
    case OP.alloc:
      return;
    case OP.localIrqDisable:
    case OP.localIrqEnable:
      touch(words.cpuAt(cpu, CPU.inIrq), 'write');
      return;
  }
  // All others look into the buffer, or wait until it is empty.
  if (tso) touch(buffer, 'read');
  switch (kind) {
    case OP.readOnce:
    case OP.loadAcquire:
      touch(a, 'read');
      return;
    case OP.atomicAdd:
      touch(a, 'add');
      return;
    case OP.xchg:
    case OP.cmpxchg:
    case OP.atomicAddReturn:
    case OP.atomicOr:
    case OP.atomicAndNot:
    case OP.atomicFetchAndNot:
      touch(a, 'write');
      if (host.isEntry(a)) touch(tlbs, 'write');
      return;
    case OP.waitFor:
      touch(a, 'await');
      return;
    case OP.spinLock:
      touch(a, 'acquire');
      return;
    case OP.downRead:
    case OP.downWrite:
    case OP.upRead:
    case OP.upWrite:
    case OP.downgradeWrite:
      touch(a, 'write');
      return;
    case OP.smpMb:
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
    default:
      touch(tlbs, 'write');
  }
}
