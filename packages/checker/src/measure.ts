/**
 * Measure: what one execution costs. It is run once more with an observer, so that searching pays nothing for it.
 *
 *     flush       one call of a flush function of the backend, from any CPU; calls inside it are part of it
 *     its work    invalidations on the CPU that called it, and in the interrupts that it sent, whenever they are taken
 *     silent      it did no work: it found that nobody has anything to drop, or its generation completed already
 *     redundant   it did some work, and on no CPU did it remove an entry that is older than memory
 *
 * "Entry" is a value that a TLB or walk cache may hold; it is older than memory if memory holds another value at its place
 * now. The sets are the worst case, so a flush is redundant only if no TLB whatever could have needed it.
 */
import type { Backend, Cpu, Steps } from '@mmu-gather/core/stepped';
import type { Machine } from './machine.ts';
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
  /** Interrupts sent. */
  ipis: number;
  /** Pages of which a CPU may have held a leaf before an invalidation dropped it, counted for each CPU, ASID and invalidation. */
  removed: number;
  /** The same, of those leaves and pointers to tables only that were older than memory. */
  stale: number;
}

/** One call of a flush function of the backend. */
export interface Flush extends Work {
  /** The CPU that called it. */
  readonly cpu: number;
  /** The function: flushTlbPage, tlbFlush ... */
  readonly call: string;
}

/** What one execution cost. */
export interface Costs extends Work {
  /** Steps of the execution. */
  readonly steps: number;
  /** Calls of flush functions that did some work. */
  readonly flushes: number;
  /** Calls that did none. */
  readonly silent: number;
  /** Flushes that removed nothing that was older than memory. */
  readonly redundant: number;
  /** All calls, in the order in which they began. */
  readonly calls: readonly Flush[];
}

/** Functions of a backend that are flushes, by name. */
const FLUSH = /^(flushTlb|tlbFlush|tlbbatchFlush)/;

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
  const calls: Flush[] = [];
  const total: Work = noWork();
  const open = Array.from({ length: cpus }, (): Open => ({ flush: undefined, depth: 0 }));
  /** For each CPU the flush that its interrupt side works for, and those of the interrupts that wait. */
  const serves: (Flush | undefined)[] = Array.from({ length: cpus }, () => undefined);
  const queued: (Flush | undefined)[][] = Array.from({ length: cpus }, () => []);
  /** What the step that is being performed works for. */
  let working: readonly Work[] = [total];
  /** Leaves that it has dropped so far. */
  const dropped = new Set<string>();

  const restore = bracketFlushes(machine.kernel.backend, (call, cpu, begins) => {
    const here = open[cpu]!;
    here.depth += begins ? 1 : -1;
    if (begins && here.depth === 1) calls.push((here.flush = { cpu, call, ...noWork() }));
    else if (here.depth === 0) here.flush = undefined;
  });
  const mark = machine.mark();
  machine.runCode(true);
  machine.mmu.onRemoval = ({ tag, level, page, leaf, old }) => {
    if (old) for (const work of working) work.stale++;
    const key = `${tag}.${level}.${page}`;
    if (!leaf || dropped.has(key)) return;
    dropped.add(key);
    for (const work of working) work.removed++;
  };
  try {
    for (const [actor, choice] of path) {
      const cpu = actor % cpus;
      const process = machine.processOf(actor);
      if (process === undefined) {
        if (actor < 2 * cpus) serves[cpu] = queued[cpu]!.shift();
      } else {
        const { number } = process;
        const flush = number < cpus ? open[cpu]!.flush : serves[cpu];
        working = flush === undefined ? [total] : [total, flush];
        dropped.clear();
        const kind = machine.stepKind(number);
        if (kind === 'sendIpi') {
          for (const work of working) work.ipis++;
          queued[machine.stepArgument(number, 0)]!.push(flush);
        } else if (kind === 'invalidate') {
          const full = machine.stepArgument(number, 3) === EVERYTHING_WORD;
          for (const work of working) work[full ? 'full' : 'range']++;
        } else if (kind === 'cmpxchgAndInvalidate') {
          const full = machine.stepArgument(number, 6) === EVERYTHING_WORD;
          for (const work of working) work[full ? 'full' : 'range']++;
        } else if (kind === 'loadContext' && machine.stepArgument(number, 2) === 0) {
          for (const work of working) work.contextFlushes++;
        }
      }
      machine.perform(actor, choice);
      if (machine.violation !== undefined) break;
    }
  } finally {
    machine.mmu.onRemoval = undefined;
    restore();
    machine.runCode(false);
    machine.undo(mark);
  }
  const silent = calls.filter((flush) => flush.full + flush.range + flush.contextFlushes + flush.ipis === 0).length;
  const needed = calls.filter((flush) => flush.stale > 0).length;
  return {
    steps: path.length,
    ...total,
    flushes: calls.length - silent,
    silent,
    redundant: calls.length - silent - needed,
    calls,
  };
}

function noWork(): Work {
  return { full: 0, range: 0, contextFlushes: 0, ipis: 0, removed: 0, stale: 0 };
}

type Call = (cpu: Cpu, ...args: unknown[]) => Steps<unknown>;

/**
 * Lets the flush functions of a linked backend tell when they begin and end. They take the same steps as before.
 * @returns what puts them back
 */
function bracketFlushes(backend: Backend, tell: (call: string, cpu: number, begins: boolean) => void): () => void {
  const functions = backend as unknown as Record<string, Call>;
  const before = new Map<string, PropertyDescriptor | undefined>();
  for (const name of namesOf(backend)) {
    const call = functions[name];
    if (!FLUSH.test(name) || typeof call !== 'function') continue;
    before.set(name, Object.getOwnPropertyDescriptor(backend, name));
    const bracketed: Call = function* (cpu, ...args) {
      tell(name, cpu.id, true);
      const result = yield* call.call(backend, cpu, ...args);
      tell(name, cpu.id, false);
      return result;
    };
    Object.defineProperty(backend, name, { value: bracketed, configurable: true, enumerable: true, writable: true });
  }
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) delete functions[name];
      else Object.defineProperty(backend, name, descriptor);
    }
  };
}

/** Names of an object's own properties and of its class's. */
function namesOf(backend: Backend): Set<string> {
  const names = new Set(Object.getOwnPropertyNames(backend));
  for (
    let p: unknown = Object.getPrototypeOf(backend);
    p !== null && p !== Object.prototype;
    p = Object.getPrototypeOf(p)
  )
    for (const name of Object.getOwnPropertyNames(p)) names.add(name);
  return names;
}
