/**
 * Measure: what one execution costs. It is run once more with an observer, so that searching pays nothing for it.
 *
 *     flush       one call of a flush function of the backend, from any CPU, or of another one that flushed, such as a change of an entry
 *                 where that does it (flush-calls.ts); calls inside it are part of it
 *     its work    invalidations on the CPU that called it, and in the interrupts that it sent, whenever they are taken
 *     silent      it did no work: it found that nobody has anything to drop, or its generation completed already
 *     redundant   it did some work, and on no CPU did it remove an entry that is older than memory
 *
 * "Entry" is a value that a TLB or walk cache may hold; it is older than memory if memory holds another value at its place
 * now, where the hardware looks: in page tables, or in a table of translations. The sets are the worst case, so a flush is redundant only if
 * no TLB whatever could have needed it.
 */
import { bracketFlushes, isFlushCall } from './flush-calls.ts';
import type { Machine } from './machine.ts';
import { isBroadcast, scopeCpus, scopeLevel } from './op.ts';
import { EVERYTHING_WORD } from './port.ts';
import { type Path } from './search/path.ts';

/** What an execution, or a flush, did to TLBs. */
export interface Work {
  /** Invalidations without a last address. */
  full: number;
  /** Invalidations of a range. */
  range: number;
  /** Context loads that dropped what their ASID held. */
  contextFlushes: number;
  /** Interrupts sent, and CPUs that an invalidation names instead of its own (mondos of sparc64). */
  ipis: number;
  /** Invalidations that every CPU takes part in. */
  broadcasts: number;
  /** Levels at which invalidations of a range look for leaves: one where it is hinted at. */
  lookups: number;
  /** Pages of which a CPU may have held a leaf before an invalidation dropped it, counted for each CPU, ASID and invalidation. */
  removed: number;
  /** The same, of those leaves and pointers to tables only that were older than memory. */
  stale: number;
}

/** One flush. */
export interface Flush extends Work {
  /** The CPU that called it. */
  readonly cpu: number;
  /** The function: flushTlbPage, tlbFlush, pte.ptepGetAndClear, lazyMmu.leave ... */
  readonly call: string;
}

/** What one execution cost. */
export interface Costs extends Work {
  /** Steps of the execution. */
  readonly steps: number;
  /** Loads and stores of user code; one that misses or faults is tried again, and counts again. */
  readonly accesses: number;
  /** Pages, tables, VMAs and mms that are allocated when it ends. */
  readonly allocated: number;
  /** Calls that did some work. */
  readonly flushes: number;
  /** Calls of flush functions that did none. */
  readonly silent: number;
  /** Flushes that removed nothing that was older than memory. */
  readonly redundant: number;
  /** All calls, in the order in which they began. */
  readonly calls: readonly Flush[];
}

/** The call that is open on a CPU, and how deep calls are nested in it. */
interface Open {
  flush: Flush | undefined;
  depth: number;
}

/**
 * Takes a machine, in its first state, along a path and counts. The machine is back in its first state afterwards.
 * @param path an execution, or the beginning of one
 */
export function measure(machine: Machine<never> | Machine, path: Path): Costs {
  const cpus = machine.actors / 3;
  const began: Flush[] = [];
  const total: Work = noWork();
  const open = Array.from({ length: cpus }, (): Open => ({ flush: undefined, depth: 0 }));
  /** For each CPU the flush that its interrupt side works for, and those of the interrupts that wait. */
  const serves: (Flush | undefined)[] = Array.from({ length: cpus }, () => undefined);
  const queued: (Flush | undefined)[][] = Array.from({ length: cpus }, () => []);
  /** What the step that is being performed works for. */
  let working: readonly Work[] = [total];
  /** Leaves that it has dropped so far. */
  const dropped = new Set<string>();

  const levels = machine.kernel.geometry.bits.length;
  const invalidates = (how: number, last: number): void => {
    for (const work of working) {
      work[last === EVERYTHING_WORD ? 'full' : 'range']++;
      work.ipis += bitCount(scopeCpus(how));
      if (isBroadcast(how)) work.broadcasts++;
      if (last !== EVERYTHING_WORD) work.lookups += scopeLevel(how) < 0 ? levels : 1;
    }
  };
  const restore = bracketFlushes(machine.kernel.backend, (call, cpu, begins) => {
    const here = open[cpu]!;
    here.depth += begins ? 1 : -1;
    if (begins && here.depth === 1) began.push((here.flush = { cpu, call, ...noWork() }));
    else if (here.depth === 0) here.flush = undefined;
  });
  const mark = machine.mark();
  let allocated = 0;
  let accesses = 0;
  machine.runCode(true);
  machine.mmu.onRemoval = ({ cpu: of, tag, level, page, leaf, old }) => {
    if (old) for (const work of working) work.stale++;
    const key = `${of}.${tag}.${level}.${page}`;
    if (!leaf || dropped.has(key)) return;
    dropped.add(key);
    for (const work of working) work.removed++;
  };
  try {
    for (const [actor, choice] of path) {
      const cpu = actor % cpus;
      const process = machine.view.processOf(actor);
      if (process === undefined) {
        if (actor < 2 * cpus) serves[cpu] = queued[cpu]!.shift();
      } else {
        const { number } = process;
        const flush = number < cpus ? open[cpu]!.flush : serves[cpu];
        working = flush === undefined ? [total] : [total, flush];
        dropped.clear();
        const kind = machine.view.stepKind(number);
        if (kind === 'userRead' || kind === 'userWrite') accesses++;
        if (kind === 'sendIpi') {
          for (const work of working) work.ipis++;
          queued[machine.view.stepArgument(number, 0)]!.push(flush);
        } else if (kind === 'invalidate') {
          invalidates(machine.view.stepArgument(number, 1), machine.view.stepArgument(number, 3));
        } else if (kind === 'cmpxchgAndInvalidate') {
          invalidates(machine.view.stepArgument(number, 4), machine.view.stepArgument(number, 6));
        } else if (kind === 'loadContext' && machine.view.stepArgument(number, 2) === 0) {
          for (const work of working) work.contextFlushes++;
        }
      }
      machine.perform(actor, choice);
      if (machine.violation !== undefined) break;
    }
    allocated = machine.view.allocated;
  } finally {
    machine.mmu.onRemoval = undefined;
    restore();
    machine.runCode(false);
    machine.undo(mark);
  }
  const calls = began.filter((flush) => isFlushCall(flush.call) || didSomething(flush));
  const silent = calls.filter((flush) => !didSomething(flush)).length;
  const needed = calls.filter((flush) => flush.stale > 0).length;
  return {
    steps: path.length,
    accesses,
    allocated,
    ...total,
    flushes: calls.length - silent,
    silent,
    redundant: calls.length - silent - needed,
    calls,
  };
}

function noWork(): Work {
  return { full: 0, range: 0, contextFlushes: 0, ipis: 0, broadcasts: 0, lookups: 0, removed: 0, stale: 0 };
}

function didSomething({ full, range, contextFlushes, ipis }: Work): boolean {
  return full + range + contextFlushes + ipis > 0;
}

/** Number of CPUs of a mask. */
function bitCount(mask: number): number {
  let count = 0;
  for (let left = mask; left !== 0; left &= left - 1) count++;
  return count;
}
