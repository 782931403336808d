/**
 * What arm64 remembers about ASIDs beyond core's allocator (arch/arm64/mm/context.c): of the machine, of each CPU, and of each mm (mm_context_t).
 */
import {
  type Address,
  type Arena,
  type Cell,
  type Cpu,
  type CpuAsids,
  type Handle,
  type Mm,
  type Struct,
  struct,
} from '@mmu-gather/core/stepped';
import type { Arm64 } from './arm64.ts';

/** USER_ASID_FLAG: with KPTI the ASID of user mode is the odd one beside the mm's. */
export const USER_ASID: number = 1;

/** What a CPU runs with. */
export interface CpuAsid extends Handle, CpuAsids {
  /** The mm in TTBR0, or init_mm for the reserved table: what the scheduler passes to switch_mm as `prev`. Only its CPU looks. */
  readonly loadedMm: Cell;
  /** What the hardware makes of its TLBIs (errata.ts). */
  readonly tlbis: Cell;
}
/** Struct type of {@link CpuAsid}. */
export const CpuAsid: Struct<CpuAsid> = struct<CpuAsid>('cpu_asid', ['active', 'reserved', 'loadedMm', 'tlbis']);

/** Names of the words of mm->context. */
export const MM_CONTEXT_FIELDS: readonly string[] = ['context.id', 'context.pinned', 'context.activeCpu'];

/** mm->context.id. */
export function mmContextId(mm: Mm): Cell {
  return mm.context;
}
/** mm->context.pinned: how many users want the ASID to stay (SMMU SVA). Under the allocator's lock. */
export function mmPinned(mm: Mm): Cell {
  return mm.context + 1;
}
/** mm->context.active_cpu (proposed): 0 if no CPU has run the mm, n + 1 if only CPU n has, ACTIVE_CPU_MULTIPLE if others have. */
export function mmActiveCpu(mm: Mm): Cell {
  return mm.context + 2;
}

/** Reserves what a CPU runs with: after boot the reserved table. */
export function reserveCpuAsid(arena: Arena, cpu: number, initMm: Address): CpuAsid {
  const own = CpuAsid.at(arena.reserve(`cpu_asid[${cpu}]`, CpuAsid.fields));
  arena.initialise(own.loadedMm, initMm);
  return own;
}

/** The arm64 part of the kernel that a CPU runs. */
export function arm64Of(cpu: Cpu): Arm64 {
  return cpu.kernel.backend as Arm64;
}

/** What this CPU runs with. */
export function thisCpuAsid(cpu: Cpu): CpuAsid {
  return arm64Of(cpu).cpuAsids[cpu.id]!;
}
