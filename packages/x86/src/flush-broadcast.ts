/**
 * Shootdown without interrupts: INVLPGB tells every CPU, TLBSYNC waits for all of them (AMD; Linux uses them since 6.15).
 *
 *     CPU 0                                   CPU 1
 *     write page tables
 *     inc mm.tlbGen            (LOCK)
 *     INVLPGB                                 goes on, may use old entries
 *     TLBSYNC                                 now it cannot
 *
 * No CPU is interrupted, so code with interrupts off is not waited for: page tables must be kept for GUP-fast by other means
 * (table-free.ts in core). Nobody raises the generation of another CPU's slot; a switch that finds it behind flushes once more.
 *
 * Simplification: all ASIDs are told, because an mm has another slot on each CPU. Linux gives mms that run on many CPUs a global ASID,
 * which saves entries of others and changes nothing about what is gone.
 */
import { ALL, type Cpu, type Extent, type Steps } from '@mmu-gather/core/stepped';
import type { FlushTlbInfo } from './flush-tlb-info.ts';
import { invlpgb } from './isa.ts';
import { TLB_FLUSH_ALL } from './reason.ts';
import { x86Of } from './tlbstate.ts';

/** broadcast_tlb_flush: what a request covers, on every CPU, whatever it runs. */
export function* broadcastTlbFlush(cpu: Cpu, info: FlushTlbInfo): Steps<void> {
  const end = cpu.read(info.end);
  const range: Extent = end === TLB_FLUSH_ALL ? ALL : { start: cpu.read(info.start), end };
  yield* cpu.invalidate(invlpgb(range));
  if (x86Of(cpu).switches.tlbsync) yield* cpu.invalidationBarrier();
}

/** Does this kernel broadcast? */
export function broadcasts(cpu: Cpu): boolean {
  return x86Of(cpu).switches.shootdown === 'broadcast';
}
