/**
 * What a finish records when another gather is open on the mm (mm/mmu_gather.c: the nested part of tlb_finish_mmu, and what it has been,
 * or was meant to be). That other one may have cleared entries which this one found empty, or demoted entries which this one found
 * demoted, and its flush may come later:
 *
 *     CPU 0                               CPU 1 (this gather)
 *     lock PTL; clear PTE; unlock PTL
 *                                         lock PTL; PTE is none, nothing to record; unlock PTL
 *                                         finish: nothing to flush; return to user
 *                                         user access through its own stale entry
 *     finish: flush
 *
 * The finish cannot know what the other one did, so it asks for everything; or somebody has kept a record of what others did, and it
 * asks for that.
 */
import type { Cpu } from './cpu.ts';
import { hasRing, ringNewestIn } from './deferral/index.ts';
import { tlbAdjustRange, tlbFlushLevelRange, tlbResetRange } from './gather-range.ts';
import { NO_GENERATION } from './generation.ts';
import { levelsOfOthers } from './level-counters.ts';
import type { MmuGather } from './mmu-gather.ts';
import type { GatherSwitches } from './profile/index.ts';
import type { Steps } from './steps.ts';

/** Without a ring nothing is known of the ranges of others, and only the counter scheme counts levels. */
function nestedForm(cpu: Cpu): GatherSwitches['nestedFinish'] {
  const { nestedFinish, deferral } = cpu.kernel.profile;
  const unknown =
    (nestedFinish === 'overlapping' && !hasRing(cpu)) || (nestedFinish === 'level-counters' && deferral !== 'counter');
  return unknown ? 'whole-mm' : nestedFinish;
}

/** Does a finish go by tlb_flush_pending? Otherwise what others did is on record, whether they are still open or not. */
export function looksAtPending(cpu: Cpu): boolean {
  const form = nestedForm(cpu);
  return form !== 'level-counters' && form !== 'overlapping';
}

/**
 * The order matters: the reset reads fullmm and clears freed_tables, which keeps hardware with a dead-ASID shortcut (arm64) from taking
 * fullmm for the end of the mm.
 */
function forceWholeMm(cpu: Cpu, tlb: MmuGather): void {
  tlb.fullmm = true;
  tlbResetRange(cpu, tlb);
  tlb.freedTables = true;
}

/** What other gathers have counted, see level-counters.ts. */
function forceCountedLevels(cpu: Cpu, tlb: MmuGather, counted: number): void {
  if (counted === 0) return;
  if (cpu.kernel.profile.levelRange === 'whole-mm') forceWholeMm(cpu, tlb);
  else tlb.cleared |= counted;
}

/** The newest pending generation that touched the range becomes the gather's own, which then flushes to it or finds it done. */
function* adoptPending(cpu: Cpu, tlb: MmuGather, start: number, end: number): Steps<void> {
  const gen = yield* ringNewestIn(cpu, tlb.mm, start, end);
  if (gen === NO_GENERATION) return;
  // No older than the gather's own: what it has changed itself, and nobody has completed, is found, too.
  tlb.deferGen = gen;
  tlbAdjustRange(tlb, start, end - start);
  tlb.cleared |= 1;
}

/**
 * Makes a gather's own flush cover what others may have done.
 * @param start first address of the operation; used only by the forms that flush a range
 * @param end first address past it
 */
export function* forceNestedFlush(cpu: Cpu, tlb: MmuGather, start: number, end: number): Steps<void> {
  switch (nestedForm(cpu)) {
    case 'none':
      return;
    case 'level-counters':
      forceCountedLevels(cpu, tlb, yield* levelsOfOthers(cpu, tlb));
      return;
    case 'overlapping':
      yield* adoptPending(cpu, tlb, start, end);
      return;
    case 'range-reset':
      // arch_tlb_finish_mmu(force), 4.13 to 5.1: the reset forgets freed tables and levels, so hardware that tells leaf
      // from table invalidation is asked for leaves only (bug B07).
      tlbResetRange(cpu, tlb);
      tlbFlushLevelRange(tlb, start, end - start, 0);
      return;
    case 'range-all-levels':
      tlbResetRange(cpu, tlb);
      tlbAdjustRange(tlb, start, end - start);
      tlb.freedTables = true;
      tlb.cleared = (1 << cpu.kernel.geometry.bits.length) - 1;
      return;
    case 'whole-mm':
      forceWholeMm(cpu, tlb);
      return;
    case 'whole-mm-reset-last':
      tlb.fullmm = true;
      tlb.freedTables = true;
      tlbResetRange(cpu, tlb);
      return;
    case 'need-flush-all':
      // The mm is not dying: no shortcut for dead ones is taken. The range is empty, so every tlb_flush must look at the bit.
      tlbResetRange(cpu, tlb);
      tlb.needFlushAll = true;
      tlb.freedTables = true;
      return;
  }
}
