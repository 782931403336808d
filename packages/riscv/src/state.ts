/**
 * What RISC-V remembers about ASIDs and flushes: of the machine and of each hart (arch/riscv/mm/context.c, tlbflush.c), and of each mm
 * (mm_context_t).
 *
 *     mm.context.id    version + ASID; 0: none yet. An ASID counts only in the version that it was given in
 *     active           what this hart runs with; 0 after a rollover has taken note of it
 *     reserved         what it ran with at the last rollover: kept for that mm, for the hart may still walk under it
 *
 * ASIDs are handed out for all harts alike, and mean something on each of them alone.
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
import type { Riscv } from './riscv.ts';

/** The first version: versions start from it and step by it (BIT(SATP_ASID_BITS)). */
export const FIRST_VERSION: number = 1 << 16;
/** The ASID of the boot, and of every mm where there is no allocator. */
export const BOOT_ASID: number = 0;
/** ASIDs in a word of the map. */
const MAP_BITS = 31;

/** The allocator. */
export interface AsidAllocator extends Handle {
  /** context_lock. */
  readonly lock: Cell;
  /** current_version. Marked: the fast path reads it without the lock. */
  readonly version: Cell;
  /** context_tlb_flush_pending: harts that must flush themselves before they run a task with an ASID of this version. */
  readonly tlbFlushPending: Cell;
  /** Where the search for a free ASID goes on. */
  readonly curIdx: Cell;
}
/** Struct type of {@link AsidAllocator}. */
export const AsidAllocator: Struct<AsidAllocator> = struct<AsidAllocator>('asids', [
  'lock',
  'version',
  'tlbFlushPending',
  'curIdx',
]);

/** What a hart runs with, and what waits for it. */
export interface Hart extends Handle {
  /** active_context. Marked: a rollover on another hart takes it away. */
  readonly active: Cell;
  /** reserved_context. Under the allocator's lock. */
  readonly reserved: Cell;
  /** The mm in satp, or init_mm: what the scheduler passes to switch_mm as `prev`. Only its hart looks. */
  readonly loadedMm: Cell;
  /** loaded_asid: the ASID in satp, for flushers that defer. Marked. */
  readonly loadedAsid: Cell;
  /** need_tlb_flush: something is in the queue. Marked. */
  readonly needTlbFlush: Cell;
  /** Lock of the queue. */
  readonly queueLock: Cell;
  /** Ranges in the queue; at {@link Hart.queue} they begin. */
  readonly queued: Cell;
  /** First word of the queue. */
  readonly queue: Cell;
}
/** Struct type of {@link Hart}; the queue follows. */
export const Hart: Struct<Hart> = struct<Hart>('hart', [
  'active',
  'reserved',
  'loadedMm',
  'loadedAsid',
  'needTlbFlush',
  'queueLock',
  'queued',
  'queue',
]);

/** A flush as interrupts and queues carry it (struct flush_tlb_range_data). */
export interface FlushData extends Handle {
  /** The ASID, or ALL_ASIDS. */
  readonly asid: Cell;
  /** First address. */
  readonly start: Cell;
  /** Bytes, or {@link FLUSH_TLB_MAX_SIZE}. */
  readonly size: Cell;
  /** Bytes of the smallest entry that was changed. */
  readonly stride: Cell;
  /** 1 if tables were unlinked: for the choice whom to interrupt. */
  readonly freedTables: Cell;
}
/** Struct type of {@link FlushData}. */
export const FlushData: Struct<FlushData> = struct<FlushData>('flush_tlb_range_data', [
  'asid',
  'start',
  'size',
  'stride',
  'freedTables',
]);

/** FLUSH_TLB_MAX_SIZE: everything. */
export const FLUSH_TLB_MAX_SIZE: number = -1;

/** Names of the words of mm->context. */
export const MM_CONTEXT_FIELDS: readonly string[] = ['context.id'];

/** mm->context.id. */
export function mmContextId(mm: Mm): Cell {
  return mm.context;
}
/** The ASID in a context id. */
export function asidIn(id: number): number {
  return id % FIRST_VERSION;
}
/** The version in a context id. */
export function versionIn(id: number): number {
  return id - asidIn(id);
}

/** context_asid_map: ASIDs that this version has given out, or keeps. Under the allocator's lock. */
export interface AsidMap {
  /** The first word. */
  readonly base: Address;
  /** Number of words. */
  readonly words: number;
}

/** Is an ASID taken? */
export function testAsid(cpu: Cpu, { base }: AsidMap, asid: number): boolean {
  return (cpu.read(base + Math.floor(asid / MAP_BITS)) & (1 << (asid % MAP_BITS))) !== 0;
}
/** Takes an ASID. */
export function setAsid(cpu: Cpu, { base }: AsidMap, asid: number): void {
  const cell = base + Math.floor(asid / MAP_BITS);
  cpu.write(cell, cpu.read(cell) | (1 << (asid % MAP_BITS)));
}

/** Reserves the map, empty. */
export function reserveAsidMap(arena: Arena, asids: number): AsidMap {
  const words = Math.ceil(asids / MAP_BITS);
  const fields = Array.from({ length: words }, (_, word) => (words === 1 ? '' : `${word}`));
  return { base: arena.reserve('context_asid_map', fields), words };
}

/** Reserves the allocator: the first version, and nothing given out. */
export function reserveAllocator(arena: Arena): AsidAllocator {
  const asids = AsidAllocator.at(arena.reserve('asids', AsidAllocator.fields));
  arena.initialise(asids.version, FIRST_VERSION);
  arena.initialise(asids.curIdx, 1);
  return asids;
}

/** Reserves what a hart runs with, and its queue: after boot the kernel's own tables. */
export function reserveHart(arena: Arena, cpu: number, initMm: Address, queue: number): Hart {
  const ranges = Array.from({ length: queue }, (_, i) => FlushData.fields.map((field) => `queue[${i}].${field}`));
  const hart = Hart.at(arena.reserve(`hart[${cpu}]`, [...Hart.fields.slice(0, -1), ...ranges.flat()]));
  arena.initialise(hart.loadedMm, initMm);
  return hart;
}

/** Reserves the request of a hart. */
export function reserveFlushData(arena: Arena, cpu: number): FlushData {
  return FlushData.at(arena.reserve(`flush_tlb_range_data[${cpu}]`, FlushData.fields));
}

/** The RISC-V part of the kernel that a hart runs. */
export function riscvOf(cpu: Cpu): Riscv {
  return cpu.kernel.backend as Riscv;
}

/** What this hart runs with. */
export function thisHart(cpu: Cpu): Hart {
  return riscvOf(cpu).harts[cpu.id]!;
}
