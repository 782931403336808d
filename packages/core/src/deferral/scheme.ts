/**
 * Deferral: entries were changed under a PTL and will be flushed later. A scheme is how that is recorded, and what follows from it.
 *
 *     gather                                           anybody else, under the same PTL
 *     lock PTL; tlbStartPtes
 *       change entries, note them in the gather
 *     tlbEndPtes: record                               pending(at)?   may a CPU still use what was there before?
 *     unlock PTL                                       settle(at)     then see to it that none does
 *     flush: up to what was recorded
 *
 * Contract: what `record` leaves behind is visible before the PTL is released (a reader takes the same PTL), and it goes
 * quiet only after every CPU has flushed. No false "not pending" (O9); a false "pending" costs a flush.
 */
import type { Cpu } from '../cpu.ts';
import { type Touched, untouched } from '../gather-range.ts';
import { countsLevels } from '../level-counters.ts';
import type { Mm, Vma } from '../mm.ts';
import type { MmuGather } from '../mmu-gather.ts';
import type { DeferralSwitches } from '../profile/index.ts';
import type { Steps } from '../steps.ts';
import type { Address, Cell } from '../struct.ts';
import { COUNTER } from './counter.ts';
import { QUEUE } from './queue.ts';
import { RING } from './ring.ts';
import { TABLE_GENERATION, VMA_GENERATION } from './generation.ts';

/** An entry of a PTE table and what surrounds it: what a page walk finds. Its PTL is held where this is used. */
export interface PteAt {
  /** The mm. */
  readonly mm: Mm;
  /** The VMA that covers the address. */
  readonly vma: Vma;
  /** The PTE table. */
  readonly table: Address;
  /** The entry. */
  readonly pte: Cell;
  /** The address that it maps. */
  readonly address: number;
}

/** One way to record deferrals. */
export interface DeferralScheme {
  /** A bracket opens: nothing is changed yet. Under its PTL. */
  begin(cpu: Cpu, tlb: MmuGather): Steps<void>;
  /** Entries of a table were changed since {@link tlbStartPtes}: `bracket` says which. Under its PTL. */
  record(cpu: Cpu, tlb: MmuGather, bracket: Touched, table: Address): Steps<void>;
  /** May some CPU still use what this entry replaced? Under its PTL. */
  pending(cpu: Cpu, at: PteAt): Steps<boolean>;
  /** Sees to it that no CPU can. Under its PTL. */
  settle(cpu: Cpu, at: PteAt): Steps<void>;
  /** Flushes what the gather recorded since its last flush, or finds it flushed already. */
  flush(cpu: Cpu, tlb: MmuGather): Steps<void>;
}

const SCHEMES: Readonly<Record<DeferralSwitches['deferral'], DeferralScheme>> = {
  counter: COUNTER,
  'vma-gen': VMA_GENERATION,
  'table-gen': TABLE_GENERATION,
  ring: RING,
  queue: QUEUE,
};

/** The scheme of a kernel. */
export function deferralOf(cpu: Cpu): DeferralScheme {
  return SCHEMES[cpu.kernel.profile.deferral];
}

/** Does the scheme want to know what was changed under each PTL? */
function asksForBrackets(cpu: Cpu): boolean {
  return cpu.kernel.profile.deferral !== 'counter' || countsLevels(cpu);
}

/** tlb_start_ptes (RFC 13): from here to {@link tlbEndPtes} one PTL is held, and never dropped. */
export function tlbStartPtes(cpu: Cpu, tlb: MmuGather): Steps<void> {
  if (asksForBrackets(cpu)) {
    cpu.claim.that(tlb.bracket === null, 'O16', 'tlb_start_ptes between tlb_start_ptes and tlb_end_ptes');
    tlb.bracket = untouched();
  }
  return deferralOf(cpu).begin(cpu, tlb);
}

/**
 * tlb_end_ptes (RFC 13): what was changed since {@link tlbStartPtes} is recorded before the PTL is released. For entries of an upper
 * table (tlb_flush_pmd_range) both are called around their change, with that table.
 */
export function* tlbEndPtes(cpu: Cpu, tlb: MmuGather, table: Address): Steps<void> {
  if (!asksForBrackets(cpu)) return;
  const { bracket } = tlb;
  tlb.bracket = null;
  cpu.claim.that(bracket !== null, 'O16', 'tlb_end_ptes without tlb_start_ptes');
  if (bracket !== null && bracket.cleared !== 0) yield* deferralOf(cpu).record(cpu, tlb, bracket, table);
}

/** pte_tlb_flush_pending (RFC 09): the finest answer that the scheme can give. */
export function pteTlbFlushPending(cpu: Cpu, at: PteAt): Steps<boolean> {
  return deferralOf(cpu).pending(cpu, at);
}
