/**
 * The sparc64 backend: its memory, its handlers, and which function stands for which hook.
 */
import {
  type Address,
  type Arena,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type BootOptions,
  type Cpu,
  entryPresent,
  type LazyBatch,
  type Mm,
  reserveLazyBatches,
  type Steps,
} from '@mmu-gather/core/stepped';
import { type ContextNumbers, destroyContext, initNewContext, reserveContextNumbers } from './context.ts';
import { tlbPendingFunc, xcallFlushTlbKernelRange, xcallFlushTlbPage } from './cross-call.ts';
import { flushTlbGen, flushTlbMm, flushTlbPage, flushTlbRange, tlbFlush } from './gather.ts';
import { sparc64Isa } from './isa.ts';
import { flushTlbKernelRange } from './kernel-range.ts';
import { sparc64LazyMmu } from './lazy-mmu.ts';
import { SPARC64_LINUX_6_18, type Sparc64Switches } from './profiles.ts';
import { SPARC64_PTE } from './pte.ts';
import { type CpuState, MM_CONTEXT_FIELDS, reserveCpuState } from './state.ts';
import { enterLazyTlb, switchMm } from './switch.ts';
import { tlbMiss } from './tlb-miss.ts';
import { tsbSync } from './tsb-grow.ts';
import { reserveTsbs, translationTable, type TsbMemory } from './tsb.ts';

/** sparc64 linked into one kernel. Immutable. */
export interface Sparc64 extends Backend {
  /** How this kernel behaves. */
  readonly switches: Sparc64Switches;
  /** Words of each CPU. */
  readonly cpuStates: readonly CpuState[];
  /** Batch of each CPU. */
  readonly batches: readonly LazyBatch[];
  /** Context numbers. */
  readonly contexts: ContextNumbers;
  /** TSBs, and the register of each CPU. */
  readonly tsbs: TsbMemory;
}

/** Nothing but the miss handler reads page tables, and who does not run the mm does not miss: nobody need leave one that ends. */
function* leaveMmEverywhere(_cpu: Cpu, _mm: Mm): Steps<void> {}

/** A sparc64 kernel with these switches. */
export function sparc64(switches: Sparc64Switches = SPARC64_LINUX_6_18): BackendSpec {
  const isa = sparc64Isa(switches.contexts);
  return {
    id: 'sparc64',
    isa,
    mmContextFields: MM_CONTEXT_FIELDS,
    link(arena: Arena, { cpus, geometry }: BootOptions, initMm: Address): Sparc64 {
      const tsbs = reserveTsbs(arena, cpus, geometry, switches);
      return {
        ...ASM_GENERIC,
        id: 'sparc64',
        isa,
        handlers: [tlbPendingFunc, xcallFlushTlbPage, xcallFlushTlbKernelRange, tsbSync],
        switches,
        cpuStates: Array.from({ length: cpus }, (_, cpu) => reserveCpuState(arena, cpu, initMm)),
        batches: reserveLazyBatches(arena, 'tlb_batch', cpus, ['vaddr'], switches.batchNr),
        contexts: reserveContextNumbers(arena, switches.contexts),
        tsbs,
        lazyMmu: sparc64LazyMmu(switches),
        pte: SPARC64_PTE,
        translationTable: tsbs.each === 0 ? null : translationTable(tsbs, geometry),
        tlbMiss: tsbs.each === 0 ? null : tlbMiss,
        destroyContext,
        initNewContext,
        switchMm,
        enterLazyTlb,
        leaveMmEverywhere,
        tlbFlush,
        flushTlbMm,
        flushTlbRange,
        flushTlbPage,
        flushTlbKernelRange,
        flushTlbGen,
        pteAccessible: entryPresent,
      };
    },
  };
}
