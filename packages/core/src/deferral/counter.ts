/**
 * Deferral by counter, as in Linux: tlb_flush_pending says that somebody of the mm has changed something.
 */
import type { Cpu } from '../cpu.ts';
import { countLevels, countsLevels } from '../level-counters.ts';
import type { Touched } from '../gather-range.ts';
import type { MmuGather } from '../mmu-gather.ts';
import type { Steps } from '../steps.ts';
import { mmTlbFlushPending } from '../tlb-flush-pending.ts';
import type { DeferralScheme, PteAt } from './scheme.ts';

/** The counter was raised when the gather was opened: nothing to record, unless levels are counted. */
export const COUNTER: DeferralScheme = {
  *begin(): Steps<void> {},
  *record(cpu: Cpu, tlb: MmuGather, { cleared }: Touched): Steps<void> {
    if (countsLevels(cpu)) yield* countLevels(cpu, tlb, cleared);
  },
  pending: (cpu: Cpu, at: PteAt) => mmTlbFlushPending(cpu, at.mm),
  *settle(cpu: Cpu, at: PteAt): Steps<void> {
    if (yield* mmTlbFlushPending(cpu, at.mm)) yield* cpu.kernel.backend.flushTlbPage(cpu, at.mm, at.address);
  },
  flush: (cpu: Cpu, tlb: MmuGather) => cpu.kernel.backend.tlbFlush(cpu, tlb),
};
