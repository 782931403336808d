/**
 * What arm64 remembers about ASIDs: of the machine and of each CPU (arch/arm64/mm/context.c), and of each mm (mm_context_t).
 *
 *     mm.context.id    generation + ASID; 0: none yet. An ASID counts only in the generation that it was given in
 *     active ASID      what this CPU runs with; 0 after a rollover has taken note of it
 *     reserved ASID    what it ran with at the last rollover: kept for that mm, for the CPU may still walk under it
 *
 * The words of the allocator are read and written under its lock, except for those that the fast path looks at: the generation, the
 * mm's id, and the active ASID.
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
import type { Arm64 } from './arm64.ts';

/** ASID_FIRST_VERSION: generations start from it and step by it, however many bits an ASID has. */
export const ASID_FIRST_VERSION: number = 1 << 16;
/** The ASID of the kernel and of the reserved TTBR0, which maps nothing: given to no mm. */
export const RESERVED_ASID: number = 0;
/** USER_ASID_FLAG: with KPTI the ASID of user mode is the odd one beside the mm's. */
export const USER_ASID: number = 1;
/** ASIDs in a word of a map. */
const MAP_BITS = 31;

/** The allocator. */
export interface AsidAllocator extends Handle {
  /** cpu_asid_lock. */
  readonly lock: Cell;
  /** asid_generation. Marked: the fast path reads it without the lock. */
  readonly generation: Cell;
  /** tlb_flush_pending: CPUs that must flush themselves before they run a task with an ASID of this generation. */
  readonly tlbFlushPending: Cell;
  /** cur_idx: where the search for a free ASID goes on. */
  readonly curIdx: Cell;
  /** Pinned ASIDs (nr_pinned_asids). */
  readonly nrPinned: Cell;
}
/** Struct type of {@link AsidAllocator}. */
export const AsidAllocator: Struct<AsidAllocator> = struct<AsidAllocator>('asids', [
  'lock',
  'generation',
  'tlbFlushPending',
  'curIdx',
  'nrPinned',
]);

/** What a CPU runs with. */
export interface CpuAsid extends Handle {
  /** active_asids. Marked: a rollover on another CPU takes it away. */
  readonly active: Cell;
  /** reserved_asids. Under the allocator's lock. */
  readonly reserved: Cell;
  /** The mm in TTBR0, or init_mm for the reserved table: what the scheduler passes to switch_mm as `prev`. Only its CPU looks. */
  readonly loadedMm: Cell;
}
/** Struct type of {@link CpuAsid}. */
export const CpuAsid: Struct<CpuAsid> = struct<CpuAsid>('cpu_asid', ['active', 'reserved', 'loadedMm']);

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

/** The ASID in a context id. */
export function asidIn(id: number): number {
  return id % ASID_FIRST_VERSION;
}
/** The generation in a context id. */
export function generationIn(id: number): number {
  return id - asidIn(id);
}

/** A set of ASIDs, one bit each (asid_map, pinned_asid_map). Under the allocator's lock. */
export interface AsidMap {
  /** The first word. */
  readonly base: Address;
  /** Number of words. */
  readonly words: number;
}

/** Is an ASID in a set? */
export function testAsid(cpu: Cpu, { base }: AsidMap, asid: number): boolean {
  return (cpu.read(base + Math.floor(asid / MAP_BITS)) & (1 << (asid % MAP_BITS))) !== 0;
}
/** Puts an ASID into a set, or takes it out. */
export function putAsid(cpu: Cpu, { base }: AsidMap, asid: number, present: boolean): void {
  const cell = base + Math.floor(asid / MAP_BITS);
  const bit = 1 << (asid % MAP_BITS);
  const old = cpu.read(cell);
  cpu.write(cell, present ? old | bit : old & ~bit);
}

/** Reserves a set with room for every ASID, empty. */
export function reserveAsidMap(arena: Arena, name: string, asids: number): AsidMap {
  const words = Math.ceil(asids / MAP_BITS);
  const fields = Array.from({ length: words }, (_, word) => (words === 1 ? '' : `${word}`));
  return { base: arena.reserve(name, fields), words };
}

/** Reserves the allocator: the first generation, and nothing given out. */
export function reserveAllocator(arena: Arena): AsidAllocator {
  const asids = AsidAllocator.at(arena.reserve('asids', AsidAllocator.fields));
  arena.initialise(asids.generation, ASID_FIRST_VERSION);
  arena.initialise(asids.curIdx, 1);
  return asids;
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
