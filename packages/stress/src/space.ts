/**
 * The machine of a stress run: small address spaces, so that CPUs meet, and words that all workers share.
 *
 *     slots    mms that any CPU may run, fork into or kill; each holds a reference, under its lock
 *     file     one file, mapped shared
 *     areas    pages that are mapped at addresses of the kernel, each under its lock
 *     counts   of each CPU what it has done, for the progress line
 */
import type { Cell, Geometry } from '@mmu-gather/core';
import type { MachineOptions } from '@mmu-gather/threads';
import { backendOf } from './backends.ts';
import type { StressConfig } from './config.ts';

/** Three levels of 8, 4 and 4 entries: 128 pages. */
export const STRESS_GEOMETRY: Geometry = { pageShift: 12, bits: [3, 2, 2] };
/** Bytes in a page. */
export const PAGE = 4096;
/** Pages of an address space. */
export const PAGES = 128;
/** Bytes of a huge page. */
export const HUGE: number = PAGE * 2 ** STRESS_GEOMETRY.bits[0]!;
/** Pages that are mapped at addresses of the kernel, at most. */
export const AREAS = 3;
/** Mms that all CPUs share. */
export const SLOTS = 3;
/** Events that are kept of each CPU. */
const EVENTS = 400;

const SLOT_FIELDS = ['lock', 'mm'] as const;
const AREA_FIELDS = ['lock', 'page', 'address', 'value'] as const;
/** What is counted of each CPU. */
export type Count = 'operations' | 'accesses';
const COUNT_FIELDS: readonly Count[] = ['operations', 'accesses'];

const GLOBAL_FIELDS = ['over', 'file'] as const;

/** The machine that a config describes. @throws RangeError if there is no such architecture */
export function machineOptions({ arch, profile, switches, cpus, seed }: StressConfig): MachineOptions {
  return {
    cpus,
    geometry: STRESS_GEOMETRY,
    backend: backendOf(arch, switches, cpus),
    profile,
    canaries: true,
    events: EVENTS,
    jitter: seed,
    tlb: { sets: 16, ways: 4 },
    pools: {
      mm: 64 + 8 * cpus,
      page: 256 * (2 * cpus + SLOTS),
      table: 64 * (2 * cpus + SLOTS),
      vma: 2048,
      area: 2 * PAGES,
    },
    words: [
      ...GLOBAL_FIELDS,
      ...Array.from({ length: SLOTS }, (_, slot) => SLOT_FIELDS.map((field) => `slot[${slot}].${field}`)).flat(),
      ...Array.from({ length: AREAS }, (_, area) => AREA_FIELDS.map((field) => `area[${area}].${field}`)).flat(),
      ...Array.from({ length: cpus }, (_, cpu) => COUNT_FIELDS.map((field) => `${field}@${cpu}`)).flat(),
    ],
  };
}

/** A page that is mapped at an address of the kernel. */
export interface Area {
  /** Its lock. */
  readonly lock: Cell;
  /** The page, 0 if there is none. */
  readonly page: Cell;
  /** The address. */
  readonly address: Cell;
  /** What is in the page. */
  readonly value: Cell;
}

/** Where those words stand, from the first of them on. */
export interface Shared {
  /** 1: the time is over, every CPU comes to its end. */
  readonly over: Cell;
  /** The file. */
  readonly file: Cell;
  /** The lock of a slot. */
  slotLock(slot: number): Cell;
  /** The mm of a slot. */
  slotMm(slot: number): Cell;
  /** One of the areas. */
  area(area: number): Area;
  /** A count of a CPU. */
  count(cpu: number, of: Count): Cell;
}

/** @param own `Memory.own` of the machine */
export function sharedWords(own: Cell): Shared {
  const slots = own + GLOBAL_FIELDS.length;
  const areas = slots + SLOTS * SLOT_FIELDS.length;
  const counts = areas + AREAS * AREA_FIELDS.length;
  return {
    over: own,
    file: own + 1,
    slotLock: (slot) => slots + slot * SLOT_FIELDS.length,
    slotMm: (slot) => slots + slot * SLOT_FIELDS.length + 1,
    area: (area) => {
      const at = areas + area * AREA_FIELDS.length;
      return { lock: at, page: at + 1, address: at + 2, value: at + 3 };
    },
    count: (cpu, of) => counts + cpu * COUNT_FIELDS.length + COUNT_FIELDS.indexOf(of),
  };
}
