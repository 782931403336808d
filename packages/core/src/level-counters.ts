/**
 * Counters for each level (N. Amit, May 2019): an mm counts the open gathers that have cleared entries of each level, so that a nested
 * finish need not ask for all of it. He counted unlinked tables, too; here they are not: who unlinks one flushes before it is freed, and nobody
 * else relies on that.
 *
 *     gather                                       another one, under the same PTL
 *     clear PTE
 *     cleared[0]++          (first time)
 *     unlock PTL                                   PTE is none
 *                                                  finish: cleared[0] > 0, besides its own: flush
 *     finish: flush; cleared[0]--
 *
 * The count comes before the unlock, and goes after the flush: what is seen under a PTL is counted until it is flushed. That is not
 * enough, and this is why it was never merged:
 *
 * - a table is unlinked first and counted then, and others see that without a lock. So what was cleared below must have been counted by
 *   then (profile.unlinkTable);
 * - the level is known and the addresses are not. Only a flush of the whole mm is sure to hit them (profile.levelRange), and then the
 *   levels save nothing on hardware that does not tell them apart. It costs an atomic operation for each level of each gather.
 */
import type { Cpu } from './cpu.ts';
import type { MmuGather } from './mmu-gather.ts';
import type { Steps } from './steps.ts';
import type { Cell } from './struct.ts';

/** Does this kernel count? */
export function countsLevels(cpu: Cpu): boolean {
  return cpu.kernel.profile.nestedFinish === 'level-counters';
}

function levels(cpu: Cpu): number {
  return cpu.kernel.geometry.bits.length;
}

/** The count of a level. */
function countOf(cpu: Cpu, tlb: MmuGather, level: number): Cell {
  return tlb.mm.address + cpu.kernel.designs.levels + level;
}

/**
 * Counts levels that this gather has not counted yet, where levels are counted. Before others can see the change, if they see it under a
 * lock.
 */
export function* countLevels(cpu: Cpu, tlb: MmuGather, cleared: number): Steps<void> {
  for (let level = 0; level < levels(cpu); level++) {
    if ((cleared & ~tlb.counted & (1 << level)) !== 0) yield* cpu.atomicAdd(countOf(cpu, tlb, level), 1);
  }
  tlb.counted |= cleared;
}

/** Takes back what this gather counted, at its end. */
export function* uncountLevels(cpu: Cpu, tlb: MmuGather): Steps<void> {
  for (let level = 0; level < levels(cpu); level++) {
    if ((tlb.counted & (1 << level)) !== 0) yield* cpu.atomicAdd(countOf(cpu, tlb, level), -1);
  }
}

/** Levels that others have counted, as bits. */
export function* levelsOfOthers(cpu: Cpu, tlb: MmuGather): Steps<number> {
  let bits = 0;
  for (let level = 0; level < levels(cpu); level++) {
    const own = (tlb.counted & (1 << level)) === 0 ? 0 : 1;
    if ((yield* cpu.readOnce(countOf(cpu, tlb, level))) > own) bits |= 1 << level;
  }
  return bits;
}
