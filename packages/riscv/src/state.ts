/**
 * What RISC-V remembers about flushes, and about ASIDs beyond core's allocator: of each hart (arch/riscv/mm/context.c, tlbflush.c), and of each
 * mm (mm_context_t). ASIDs are handed out for all harts alike, and mean something on each of them alone.
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
import type { Riscv } from './riscv.ts';

/** The ASID of the boot, and of every mm where there is no allocator. */
export const BOOT_ASID: number = 0;

/** What a hart runs with, and what waits for it. */
export interface Hart extends Handle, CpuAsids {
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
