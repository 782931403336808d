/**
 * The backend of powerpc with the hash MMU: its memory, and which function stands for which hook.
 *
 * All invalidation is done where entries change (pte.ts), at once or in sections; flush_tlb_mm, flush_tlb_page, flush_tlb_range and
 * flush_tlb_kernel_range are empty, and reclaim has nothing to batch.
 */
import {
  type Address,
  type Arena,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type BootOptions,
  type Cell,
  entryPresent,
  type LazyBatch,
  Mm,
  reserveLazyBatches,
  type Steps,
} from '@mmu-gather/core/stepped';
import { type ContextIds, reserveContextIds } from '../context-ids.ts';
import { hashDestroyContext, hashInitNewContext } from './context.ts';
import { BATCH_FIELDS } from './flush.ts';
import { hashPage } from './hash-page.ts';
import { type Htab, reserveHtab } from './htab.ts';
import { hashIsa, KERNEL_CONTEXT } from './isa.ts';
import { hashLazyMmu, hashSwitchTo, hashTlbFlush } from './lazy-mmu.ts';
import { HASH_LINUX_6_18, type HashSwitches } from './profiles.ts';
import { HASH_PTE } from './pte.ts';
import { activeCpus, HASH_MM_CONTEXT_FIELDS } from './state.ts';
import { hashSwitchMm } from './switch.ts';

/** The hash MMU linked into one kernel. Immutable. */
export interface Hash extends Backend {
  /** How this kernel behaves. */
  readonly switches: HashSwitches;
  /** The hash page table. */
  readonly htab: Htab;
  /** mmu_context_ida. */
  readonly contextIds: ContextIds;
  /** ppc64_tlb_batch of each CPU. */
  readonly batches: readonly LazyBatch[];
  /** native_tlbie_lock, pSeries_lpar_tlbie_lock. */
  readonly tlbieLock: Cell;
}

function* nothing(): Steps<void> {}

/** A powerpc kernel with the hash MMU and these switches. */
export function powerpcHash(switches: HashSwitches = HASH_LINUX_6_18): BackendSpec {
  const isa = hashIsa(switches.contexts);
  return {
    id: 'powerpc-hash',
    isa,
    mmContextFields: HASH_MM_CONTEXT_FIELDS,
    link(arena: Arena, options: BootOptions, initMmAddress: Address): Hash {
      const initMm = Mm.at(initMmAddress);
      // Every CPU comes up on init_mm (start_secondary).
      arena.initialise(initMm.cpumask, 2 ** options.cpus - 1);
      arena.initialise(activeCpus(initMm), options.cpus);
      const htab = reserveHtab(arena, options.geometry, switches.groups, switches.slots);
      return {
        ...ASM_GENERIC,
        id: 'powerpc-hash',
        isa,
        handlers: [],
        switches,
        htab,
        contextIds: reserveContextIds(arena, switches.contexts, KERNEL_CONTEXT),
        batches: reserveLazyBatches(arena, 'ppc64_tlb_batch', options.cpus, BATCH_FIELDS, switches.batch),
        tlbieLock: arena.reserve('native_tlbie_lock', ['']),
        lazyMmu: hashLazyMmu(switches),
        pte: HASH_PTE,
        translationTable: htab,
        movesTables: false,
        tlbMiss: hashPage,
        switchTo: hashSwitchTo,
        destroyContext: hashDestroyContext,
        initNewContext: hashInitNewContext,
        switchMm: hashSwitchMm,
        enterLazyTlb: nothing,
        leaveMmEverywhere: nothing,
        tlbFlush: hashTlbFlush,
        flushTlbMm: nothing,
        flushTlbRange: nothing,
        flushTlbPage: nothing,
        flushTlbKernelRange: nothing,
        flushTlbGen: nothing,
        pteAccessible: entryPresent,
      };
    },
  };
}
