/**
 * Kernel: what is linked together for one run. Immutable; CPUs share it freely.
 */
import { MAPPING_FIELDS } from './address-space.ts';
import type { Backend } from './backend.ts';
import type { CacheName, Cpu } from './cpu.ts';
import { type DesignWords, mmDesignFields, tableDesignFields } from './design-words.ts';
import type { Geometry } from './geometry.ts';
import type { Isa } from './isa.ts';
import { Mm, Page, Vma } from './mm.ts';
import type { Profile } from './profile/index.ts';
import type { Steps } from './steps.ts';
import { type Address, type Cell, type Handle, type Struct, struct } from './struct.ts';
import { tableFields } from './table.ts';
import { VmapArea } from './vmap-area.ts';

/** Runs in interrupt context on the CPU it was sent to. */
export type IpiHandler = (cpu: Cpu, argument: Address) => Steps<void>;

/** Memory that a machine hands out before any CPU runs. */
export interface Arena {
  /** Reserves one word per field, all 0, and names them for diagrams. Returns the address of the first. */
  reserve(name: string, fields: readonly string[]): Address;
  /** Gives a reserved word another first value than 0. */
  initialise(cell: Cell, value: number): void;
}

/** One run's kernel. */
export interface Kernel {
  /** Number of CPUs, at most 31: masks are one word. */
  readonly cpus: number;
  /** Shape of all page tables. */
  readonly geometry: Geometry;
  /** Bytes that one entry of each level maps (entrySize of the geometry): for what is done for each entry. */
  readonly entrySizes: readonly number[];
  /** First address past user space (taskSize of the geometry). */
  readonly taskSize: number;
  /** The architecture. */
  readonly backend: Backend;
  /** Which batching schemes the generic code uses. */
  readonly profile: Profile;
  /** Interrupt handlers by id: the backend's, then those of core. */
  readonly handlers: readonly IpiHandler[];
  /** Where an mm and a table keep what the profile's designs need. */
  readonly designs: DesignWords;
  /** The kernel's own mm: no user mappings, never freed. */
  readonly initMm: Address;
  /** The shared page of zeroes (empty_zero_page): never counted, never freed. */
  readonly zeroPage: Address;
  /** The shared row of zeroes that huge entries may map (huge_zero_page): never counted, never freed. 0 if there is none. */
  readonly hugeZeroPage: Address;
  /** See {@link BootOptions.hugeZeroPage}. */
  readonly hugeZeroWrite: 'split' | 'huge';
  /** See {@link BootOptions.needResched}. */
  readonly needResched: ((cpu: number) => boolean) | null;
  /** Bit n: CPU n must flush for reclaim (tlb_flush_batched_cpumask, RFC 20); one word for all mms. */
  readonly batchedCpumask: Cell;
  /** Areas of kernel addresses: {@link VmapLists}. */
  readonly vmap: Address;
  /** What each CPU runs: one {@link Runqueue} after another, in the order of CPUs. */
  readonly runqueues: Address;
}

/** What runs on a CPU (struct rq, and of its current task what mm needs). Only that CPU reads or writes it. */
export interface Runqueue extends Handle {
  /** current->mm: 0 for a kernel thread, idle included. */
  readonly mm: Cell;
  /** current->active_mm: its own mm, or the one it borrowed; 0 after boot stands for init_mm. */
  readonly activeMm: Cell;
  /** Gathers that the current task has open, where a finish waits for others. */
  readonly gathers: Cell;
  /** Lazy MMU sections that the current task is in (lazy-mmu.ts): lazy_mmu_state.enable_count. */
  readonly lazyMmu: Cell;
  /** How often it has paused the mode: lazy_mmu_state.pause_count. */
  readonly lazyMmuPaused: Cell;
  /** Sections of the current task that keep it on this CPU (preempt_count). */
  readonly preemptCount: Cell;
  /** Interrupts that it is in which change entries (the hardirq part of preempt_count). */
  readonly hardirqCount: Cell;
}
/** Struct type of {@link Runqueue}. */
export const Runqueue: Struct<Runqueue> = struct<Runqueue>('rq', [
  'mm',
  'activeMm',
  'gathers',
  'lazyMmu',
  'lazyMmuPaused',
  'preemptCount',
  'hardirqCount',
]);

/** this_rq(): what this CPU runs. */
export function thisRq(cpu: Cpu): Runqueue {
  return Runqueue.at(cpu.kernel.runqueues + cpu.id * Runqueue.words);
}

/** What {@link bootKernel} needs to know. */
export interface BootOptions {
  /** Number of CPUs. */
  readonly cpus: number;
  /** Shape of all page tables. */
  readonly geometry: Geometry;
  /** The architecture, not yet linked. */
  readonly backend: BackendSpec;
  /** Which batching schemes the generic code uses. */
  readonly profile: Profile;
  /**
   * transparent_hugepage/use_zero_page: reads of what may be huge map a huge page of zeroes, and a write there splits it (`split`, up to 6.12) or puts a
   * huge page of its own in its place (`huge`, 6.13 on). Not given: there is none, which is all that machines need that explore.
   */
  readonly hugeZeroPage?: 'split' | 'huge';
  /**
   * need_resched: whether another task waits for a CPU, so that who clears entries in a row lets go of their table's lock, and goes on behind. What it
   * answers is part of the run: a machine that rebuilds a CPU has none. Not given: nobody ever waits.
   */
  readonly needResched?: (cpu: number) => boolean;
}

/** An architecture before it has memory on a machine: what a backend package exports. */
export interface BackendSpec {
  /** See {@link Backend.id}. */
  readonly id: string;
  /** The hardware, as data. */
  readonly isa: Isa;
  /** Names of the words that `mm.context` takes; the first one is `context` itself. At least one. */
  readonly mmContextFields: readonly string[];
  /** Reserves per-CPU memory and returns the functions. */
  link(arena: Arena, options: BootOptions, initMm: Address): Backend;
}

/** Fields of the objects of a cache, in order: what a machine's pools hold. */
export function cacheFields(options: BootOptions, cache: CacheName): readonly string[] {
  switch (cache) {
    case 'mm':
      return mmFields(options);
    case 'vma':
      return Vma.fields;
    case 'page':
      return Page.fields;
    case 'table':
      return [...tableFields(options.geometry), ...tableDesignFields(options)];
    case 'mapping':
      return MAPPING_FIELDS;
    case 'area':
      return VmapArea.fields;
  }
}

/** Fields of an mm, behind them the backend's context, and behind that what the profile's designs need. */
export function mmFields(options: BootOptions): readonly string[] {
  return [...Mm.fields.slice(0, -1), ...options.backend.mmContextFields, ...mmDesignFields(options)];
}
