/**
 * Lazy MMU mode of the hash MMU: what a section has collected leaves the hash page table before the PTL is dropped (tlbflush-hash.h).
 *
 * Why then: the hardware looks at the hash page table, not at the Linux PTE. Until the drain a PTE that was cleared can be used, and cached
 * anew, by every CPU. And after the PTL is dropped another CPU may set a new PTE and hash it (a741e6796957; bug B49):
 *
 *     CPU 0                                       CPU 1
 *     lock; PTE = 0, collected; unlock
 *                                                 fault: lock; PTE = new page; unlock
 *                                                 hash fault: the new page is hashed, too: two entries for one page
 *     drain: the old one goes; CPU 1 may have used it meanwhile
 */
import { batchingLazyMmu, type Cpu, drainLazyBatch, type LazyMmu, type Steps } from '@mmu-gather/core/stepped';
import { flushTlbPending, thisBatch } from './flush.ts';
import type { HashSwitches } from './profiles.ts';
import { hashOf } from './state.ts';

/** Enter, leave and flush, as of a kernel with these switches. */
export function hashLazyMmu(switches: HashSwitches): LazyMmu {
  const mode = batchingLazyMmu(thisBatch, flushTlbPending, switches.lazyPreemption);
  if (switches.drainAt === 'leave') return mode;
  return { ...mode, enter: never, leave: never, flush: never };
}

/** Before 2007: nobody says where a section begins or ends, the gather's flush drains. */
function* never(): Steps<void> {}

/** hash__tlb_flush: nothing that this CPU has collected outlives the gather. Normally the section has drained it. */
export function hashTlbFlush(cpu: Cpu): Steps<void> {
  return drainLazyBatch(cpu, thisBatch(cpu), flushTlbPending);
}

/**
 * __switch_to, up to 6.19: what the task that goes has collected is done, and its section ends on this CPU (`_TLF_LAZY_MMU` begins it again
 * where the task goes on).
 */
export function* hashSwitchTo(cpu: Cpu): Steps<void> {
  const batch = thisBatch(cpu);
  if (!hashOf(cpu).switches.switchDrains || cpu.read(batch.active) === 0) return;
  yield* drainLazyBatch(cpu, batch, flushTlbPending);
  cpu.write(batch.active, 0);
}
