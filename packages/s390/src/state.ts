/**
 * What s390 remembers: of each mm (mm_context_t, asm/mmu.h), and of each CPU (lowcore).
 *
 *     mm_cpumask(mm)         CPUs that may hold entries of the mm. Too many is allowed, too few is a bug
 *     context.attachMask     CPUs that have its ASCE loaded, or are about to
 *     context.flushCount     CPUs that are inside a change of an entry, or a flush: who attaches waits for 0
 *     context.flushMm        an entry was made invalid and not purged: all of the mm is owed a flush (the debt)
 *     context.lock           under it the debt is paid
 */
import {
  type Address,
  type Arena,
  type Cell,
  type Cpu,
  type Handle,
  Mm,
  type Struct,
  struct,
} from '@mmu-gather/core/stepped';
import type { S390 } from './s390.ts';

/** Names of the words of mm->context. */
export const MM_CONTEXT_FIELDS: readonly string[] = [
  'context.asce',
  'context.attachMask',
  'context.flushCount',
  'context.flushMm',
  'context.lock',
  'context.oldAsce',
];

/** Tag of mm->context.asce. Written before the mm is published. */
export function mmAsce(mm: Mm): Cell {
  return mm.context;
}
/** mm->context.cpu_attach_mask. Marked. */
export function attachMask(mm: Mm): Cell {
  return mm.context + 1;
}
/** mm->context.flush_count. Marked. */
export function flushCount(mm: Mm): Cell {
  return mm.context + 2;
}
/** mm->context.flush_mm. Marked. */
export function flushMm(mm: Mm): Cell {
  return mm.context + 3;
}
/** mm->context.lock. */
export function contextLock(mm: Mm): Cell {
  return mm.context + 4;
}

/** Tag of the ASCE before crst_table_upgrade, of which CPUs may hold entries; 0 if there was none. Plain, as mm->context.asce is. */
export function mmOldAsce(mm: Mm): Cell {
  return mm.context + 5;
}

/** Words of one CPU. */
export interface Lowcore extends Handle {
  /** The mm that this CPU is attached to: what the scheduler passes to switch_mm as `prev`; init_mm after boot. Only its CPU looks. */
  readonly attached: Cell;
  /** Operand of instructions that purge and change nothing (IDTE by ASCE has none, CSP a dummy): always 0. */
  readonly operand: Cell;
}
/** Struct type of {@link Lowcore}. */
export const Lowcore: Struct<Lowcore> = struct<Lowcore>('lowcore', ['attached', 'operand']);

/** Reserves the words of a CPU. */
export function reserveLowcore(arena: Arena, cpu: number, initMm: Address): Lowcore {
  const lowcore = Lowcore.at(arena.reserve(`lowcore[${cpu}]`, Lowcore.fields));
  arena.initialise(lowcore.attached, initMm);
  return lowcore;
}

/** Every CPU is in both masks of init_mm when it comes up (kernel/smp.c). */
export function initialiseInitMm(arena: Arena, cpus: number, initMm: Address): void {
  const mm = Mm.at(initMm);
  arena.initialise(mm.cpumask, 2 ** cpus - 1);
  arena.initialise(attachMask(mm), 2 ** cpus - 1);
}

/** The s390 part of the kernel that a CPU runs. */
export function s390Of(cpu: Cpu): S390 {
  return cpu.kernel.backend as S390;
}

/** This CPU's lowcore. */
export function thisLowcore(cpu: Cpu): Lowcore {
  return s390Of(cpu).lowcores[cpu.id]!;
}

/** Is this the kernel's own mm? */
export function isInitMm(cpu: Cpu, mm: Mm): boolean {
  return mm.address === cpu.kernel.initMm;
}
