/**
 * What radix remembers: per CPU, per mm (mm_context_t), and of PIDs.
 *
 * A bit in mm_cpumask says that a CPU *may hold* entries of the mm. It is set on the way in and stays when the CPU goes on to another mm, or
 * is lazy: only trimming (lazy.ts), and a CPU that goes offline, take it away.
 *
 *     active_cpus = weight of mm_cpumask + (copros > 0 ? 1 : 0)
 */
import {
  type Address,
  type Arena,
  type Cell,
  type Cpu,
  type Handle,
  type Mm,
  type Steps,
  type Struct,
  struct,
} from '@mmu-gather/core/stepped';
import type { Radix } from './radix.ts';

/** State of one CPU. Only its own CPU touches it, but for the request, which its interrupts carry. */
export interface RadixCpu extends Handle {
  /** The mm whose PID is in PIDR: the `prev` of the next switch. */
  readonly loadedMm: Cell;
  /** mm_cpumask_trim_clock: global flushes since the last attempt to trim. */
  readonly trimClock: Cell;
  /** What `typeRead: 'before-clear'` found: 1 + active_cpus; 0 if it did not look. */
  readonly earlyActive: Cell;
  /** And the mask. */
  readonly earlyMask: Cell;
  /** From here on what other CPUs shall do (struct tlbiel_pid, struct tlbiel_va_range): of which PID. */
  readonly pid: Cell;
  /** RIC of a whole PID. */
  readonly ric: Cell;
  /** First address of a range. */
  readonly start: Cell;
  /** First address past it. */
  readonly end: Cell;
  /** Level of the leaves in the range. */
  readonly level: Cell;
  /** 1 if the page walk cache goes, too. */
  readonly alsoPwc: Cell;
}
/** Struct type of {@link RadixCpu}. */
export const RadixCpu: Struct<RadixCpu> = struct<RadixCpu>('radix', [
  'loadedMm',
  'trimClock',
  'earlyActive',
  'earlyMask',
  'pid',
  'ric',
  'start',
  'end',
  'level',
  'alsoPwc',
]);

/** Names of the words of mm->context. */
export const RADIX_MM_CONTEXT_FIELDS: readonly string[] = ['context.id', 'context.activeCpus', 'context.copros'];

/** mm->context.id: the PID. Written before the mm is published. */
export function mmPid(mm: Mm): Cell {
  return mm.context;
}
/** mm->context.active_cpus. */
export function mmActiveCpus(mm: Mm): Cell {
  return mm.context + 1;
}
/** mm->context.copros: coprocessors that use the mm. */
export function mmCopros(mm: Mm): Cell {
  return mm.context + 2;
}

/** Reserves the state of one CPU, with init_mm loaded. */
export function reserveRadixCpu(arena: Arena, cpu: number, initMm: Address): RadixCpu {
  const state = RadixCpu.at(arena.reserve(`radix[${cpu}]`, RadixCpu.fields));
  arena.initialise(state.loadedMm, initMm);
  return state;
}

/** The radix part of the kernel that a CPU runs. */
export function radixOf(cpu: Cpu): Radix {
  return cpu.kernel.backend as Radix;
}

/** This CPU's state. */
export function thisRadixCpu(cpu: Cpu): RadixCpu {
  return radixOf(cpu).cpus[cpu.id]!;
}

/** mm_cpumask, of the CPUs that can be interrupted: a cross-CPU call leaves out those that are offline. */
export function* onlineUsers(cpu: Cpu, mm: Mm): Steps<number> {
  const mask = yield* cpu.readOnce(mm.cpumask);
  return mask & ~(yield* cpu.readOnce(radixOf(cpu).offlineMask));
}
