/**
 * Lazy MMU mode (arch/sparc/mm/tlb.c): sections collect addresses in this CPU's batch. Up to 6.14 a task could be preempted in one and go on
 * elsewhere, without its batch (a1d416bf9faf).
 */
import { batchingLazyMmu, type LazyMmu } from '@mmu-gather/core/stepped';
import type { Sparc64Switches } from './profiles.ts';
import { flushTlbBatch, thisTlbBatch } from './tlb-batch.ts';

/** The mode of one kernel. */
export function sparc64LazyMmu(switches: Sparc64Switches): LazyMmu {
  return batchingLazyMmu(thisTlbBatch, flushTlbBatch, switches.lazyMmuPreemption);
}
