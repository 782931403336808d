/**
 * What sparc64 remembers: per CPU (trap block, per_cpu_secondary_mm, and what cross calls carry), per mm (mm_context_t), and for all
 * (tlb_context_cache and its bitmap).
 *
 * A CPU's own words are read plainly by itself. Others read `secondaryMm` (context.ts: wrap) and, where CPUs work at trap level 1, `trap`:
 * these are marked. `ctxVal` of an mm is written by a wrap on another CPU, which does not hold the mm's lock: marked as well.
 */
import {
  type Address,
  type Arena,
  type Cell,
  type Cpu,
  type Handle,
  type Mm,
  type Struct,
  struct,
} from '@mmu-gather/core/stepped';
import type { Sparc64 } from './sparc64.ts';

/** Words of one CPU. */
export interface CpuState extends Handle {
  /** per_cpu_secondary_mm: the mm whose context number is in the secondary context register, or is about to be. */
  readonly secondaryMm: Cell;
  /** trap_per_cpu.pgd_paddr: the root that the miss handler walks. Only this CPU looks. */
  readonly pgd: Cell;
  /** {@link INTERRUPTS_TAKEN}, {@link INTERRUPTS_HELD}, or {@link MONDO_HELD} plus the CPU whose mondo is held. */
  readonly trap: Cell;
  /** Of its TSBs how many were ever allocated. */
  readonly tsbsTaken: Cell;
  /** Its last cross call: context number, */
  readonly callCtx: Cell;
  /** first address, or for a batch where its addresses are, */
  readonly callStart: Cell;
  /** size of a page in bytes, */
  readonly callBytes: Cell;
  /** number of addresses of a batch, or the end of a kernel range. */
  readonly callCount: Cell;
}
/** Struct type of {@link CpuState}. */
export const CpuState: Struct<CpuState> = struct<CpuState>('trap_block', [
  'secondaryMm',
  'pgd',
  'trap',
  'tsbsTaken',
  'callCtx',
  'callStart',
  'callBytes',
  'callCount',
]);

/** PSTATE.IE is 1: a mondo is taken before the next instruction. */
export const INTERRUPTS_TAKEN: number = 0;
/** PSTATE.IE is 0: mondos wait. */
export const INTERRUPTS_HELD: number = 1;
/** One waits; plus its CPU. */
export const MONDO_HELD: number = 2;

/** Names of the words of mm->context. */
export const MM_CONTEXT_FIELDS: readonly string[] = ['context.lock', 'context.ctxVal', 'context.tsb', 'context.oldTsb'];

/** mm->context.lock: TSB pointers, and the choice of a context number. Inside the PTL. */
export function contextLock(mm: Mm): Cell {
  return mm.context;
}
/** mm->context.sparc64_ctx_val: version and number; 0 before the first one, never valid. */
export function contextVal(mm: Mm): Cell {
  return mm.context + 1;
}
/** mm->context.tsb_block: its TSB, 0 if there is none. Under the lock. */
export function contextTsb(mm: Mm): Cell {
  return mm.context + 2;
}
/** The TSB that CPUs may still look into while a new one takes its place, else 0. Under the lock. Linux does not remember it. */
export function contextOldTsb(mm: Mm): Cell {
  return mm.context + 3;
}

/** Reserves the words of one CPU, as they are after boot: it runs init_mm. */
export function reserveCpuState(arena: Arena, cpu: number, initMm: Address): CpuState {
  const state = CpuState.at(arena.reserve(`trap_block[${cpu}]`, CpuState.fields));
  arena.initialise(state.secondaryMm, initMm);
  return state;
}

/** The sparc64 part of the kernel that a CPU runs. */
export function sparc64Of(cpu: Cpu): Sparc64 {
  return cpu.kernel.backend as Sparc64;
}

/** This CPU's words. */
export function thisCpuState(cpu: Cpu): CpuState {
  return sparc64Of(cpu).cpuStates[cpu.id]!;
}
