/**
 * The machine of a stress run: small address spaces, so that CPUs meet, and words that all workers share.
 *
 *     slots    mms that any CPU may run, fork into or kill; each holds a reference, under its lock
 *     file     one file, mapped shared
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
/** Mms that all CPUs share. */
export const SLOTS = 3;
/** Events that are kept of each CPU. */
const EVENTS = 400;

const SLOT_FIELDS = ['lock', 'mm'] as const;
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
    pools: { mm: 64 + 8 * cpus, page: 256 * (2 * cpus + SLOTS), table: 64 * (2 * cpus + SLOTS), vma: 2048 },
    words: [
      ...GLOBAL_FIELDS,
      ...Array.from({ length: SLOTS }, (_, slot) => SLOT_FIELDS.map((field) => `slot[${slot}].${field}`)).flat(),
      ...Array.from({ length: cpus }, (_, cpu) => COUNT_FIELDS.map((field) => `${field}@${cpu}`)).flat(),
    ],
  };
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
  /** A count of a CPU. */
  count(cpu: number, of: Count): Cell;
}

/** @param own `Memory.own` of the machine */
export function sharedWords(own: Cell): Shared {
  const slots = own + GLOBAL_FIELDS.length;
  const counts = slots + SLOTS * SLOT_FIELDS.length;
  return {
    over: own,
    file: own + 1,
    slotLock: (slot) => slots + slot * SLOT_FIELDS.length,
    slotMm: (slot) => slots + slot * SLOT_FIELDS.length + 1,
    count: (cpu, of) => counts + cpu * COUNT_FIELDS.length + COUNT_FIELDS.indexOf(of),
  };
}
