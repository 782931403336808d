/**
 * The barriers of a flush (the comment at the head of arch/arm64/include/asm/tlbflush.h):
 *
 *     store to page tables
 *     DSB ISHST           the store is visible to every walker          pairs with the walks of all CPUs
 *     TLBI ...IS          told to every CPU
 *     DSB ISH             done on every CPU, and accesses through what went are over
 *     (ISB)               kernel addresses only: this CPU fetches anew
 *
 * DSB ISHST orders what this CPU has stored, and not what it has read of another CPU's stores (litmus test V2I-R-DSB.ST): who flushes for another
 * CPU relies on the page-table lock, whose acquire does (scenario arm64/flush-for-another). The ISB has no step: kernel code runs in order on
 * all machines, and returns to user mode are context synchronisation events.
 */
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import { waitForTlbis } from './errata.ts';

/** DSB ISHST, DSB NSHST: what this CPU stored is visible to walkers; what comes next, loads included, comes after. */
export function dsbIshst(cpu: Cpu): Steps<void> {
  return cpu.smpMb('stores');
}

/** DSB ISH: the TLBIs that this CPU has broadcast are done everywhere. Those of other CPUs are not waited for. */
export function dsbIsh(cpu: Cpu): Steps<void> {
  return waitForTlbis(cpu);
}
