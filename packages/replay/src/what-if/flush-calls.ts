/**
 * Flush calls of a replay: which flush each invalidation and interrupt works for, as the checker counts them (flush-calls.ts there).
 *
 *     CPU 0 (flush_tlb_range)             CPU 1
 *     begins; invalidates; interrupts     its handler works for CPU 0's flush
 *     ends: redundant if nothing that it dropped, on either CPU, was older than memory
 */
import { bracketFlushes, type Bracket, isFlushCall } from '@mmu-gather/checker';
import type { Address } from '@mmu-gather/core';
import type { PendingIpi } from '@mmu-gather/counting/stepped';
import type { Host } from '../model/host.ts';
import type { Operation } from '../schedule/action.ts';

/** A flush: one call of a flush function of the backend, or of another one that flushed. */
export interface FlushCall {
  /** The function. */
  readonly call: string;
  /** The CPU that called it. */
  readonly cpu: number;
  /** The operation that it is part of; null for what the recording leaves out. */
  readonly operation: Operation | null;
  /** Pages that it was asked for; -1 for everything, null where it was not asked for a range. */
  readonly pages: number | null;
  /** Instructions that invalidate, and context loads that drop. */
  invalidations: number;
  /** Interrupts sent. */
  ipis: number;
  /** See {@link Dropped}. */
  entries: number;
  stale: number;
  changed: number;
  held: number;
  unusable: number;
}

/** What is followed. */
type Followed = Pick<Host, 'direct' | 'stepped' | 'cpus' | 'operation'>;

/** Follows flush calls on all CPUs. */
export class FlushCalls {
  readonly #open: { flush: FlushCall | null; depth: number }[];
  readonly #serves: (FlushCall | null)[];

  /**
   * @param generic the direct build's generic changes of entries, which flush nothing
   * @param ended told of each call of a flush function, and of each other one that did some work
   */
  constructor(host: Followed, generic: object, ended: (flush: FlushCall) => void) {
    this.#open = Array.from({ length: host.cpus }, () => ({ flush: null, depth: 0 }));
    this.#serves = Array.from({ length: host.cpus }, () => null);
    const tell = (call: string, cpu: number, begins: boolean): void => {
      const here = this.#open[cpu]!;
      here.depth += begins ? 1 : -1;
      if (begins && here.depth === 1) here.flush = this.#begin(call, cpu, host);
      if (begins || here.depth > 0) return;
      const flush = here.flush!;
      here.flush = null;
      if (isFlushCall(call) || flush.invalidations + flush.ipis > 0) ended(flush);
    };
    bracketFlushes(host.stepped.kernel.backend, tell, inSteps(this));
    bracketFlushes(host.direct.kernel.backend as never, tell, atOnce(this), generic);
    this.#followInterrupts(host);
  }

  /** What a CPU works for now; null if for no flush. */
  of(cpu: number): FlushCall | null {
    return this.#serves[cpu] ?? this.#open[cpu]!.flush;
  }

  /** Pages that the next call is asked for. */
  asked: number | null = null;

  #begin(call: string, cpu: number, { operation }: Followed): FlushCall {
    const pages = this.asked;
    const work = { invalidations: 0, ipis: 0, entries: 0, stale: 0, changed: 0, held: 0, unusable: 0 };
    return { call, cpu, operation, pages, ...work };
  }

  /** An interrupt's handler runs at once in the direct build, and when it is delivered in the stepped one. */
  #followInterrupts({ direct, stepped }: Followed): void {
    const serving = <T>(target: number, flush: FlushCall | null, work: () => T): T => {
      const before = this.#serves[target]!;
      this.#serves[target] = flush;
      try {
        return work();
      } finally {
        this.#serves[target] = before;
      }
    };
    for (const cpu of direct.cpus) {
      const send = cpu.sendIpi.bind(cpu);
      cpu.sendIpi = (target: number, handler: number, argument: Address): void =>
        serving(target, this.of(cpu.id), () => send(target, handler, argument));
    }
    const deliver = stepped.deliver.bind(stepped);
    // Handlers take no steps that others come between: a delivered interrupt runs to its end.
    stepped.deliver = (ipi: PendingIpi) => {
      const flush = this.of(ipi.from);
      const steps = deliver(ipi);
      return { [Symbol.iterator]: () => this, next: () => serving(ipi.target, flush, () => steps.next()) } as never;
    };
  }
}

/** Pages of a request: of a range, a page, a gather or an address space. */
function pagesOf(call: string, args: readonly unknown[], pageSize: number): number | null {
  const [, first, second] = args as [unknown, number, number];
  if (call === 'flushTlbPage') return 1;
  if (call === 'flushTlbMm') return -1;
  if (call === 'flushTlbRange') return Math.ceil((second - first) / pageSize);
  if (call !== 'tlbFlush') return null;
  const { start, end, fullmm, needFlushAll } = args[0] as {
    start: number;
    end: number;
    fullmm: boolean;
    needFlushAll: boolean;
  };
  return fullmm || needFlushAll ? -1 : Math.max(0, Math.ceil((end - start) / pageSize));
}

function atOnce(calls: FlushCalls): Bracket {
  return (name, call, self, tell) =>
    (cpu, ...args) => {
      calls.asked = pagesOf(name, args, 2 ** cpu.kernel.geometry.pageShift);
      tell(name, cpu.id, true);
      const result = call.call(self, cpu, ...args);
      tell(name, cpu.id, false);
      return result;
    };
}

function inSteps(calls: FlushCalls): Bracket {
  return (name, call, self, tell) =>
    function* (cpu, ...args) {
      calls.asked = pagesOf(name, args, 2 ** cpu.kernel.geometry.pageShift);
      tell(name, cpu.id, true);
      const result = yield* call.call(self, cpu, ...args);
      tell(name, cpu.id, false);
      return result;
    };
}
