/**
 * Claims about core.
 */
import type { Claim } from '../claim.ts';

/** What covers mutants of core. */
export const CORE_CLAIMS: readonly Claim[] = [
  {
    mutant: 'core/mmu-gather.ts tlbRemoveTable: tlb.cleared |= 1 << (level + 1): left out',
    coveredBy: 'core/mmu-gather.ts tlbNoteTable: tlb.freedTables = true: left out',
    archs: ['x86'],
    why: 'freed_tables alone asks for a flush, and x86 drops the walk path whatever the level',
  },
  {
    mutant:
      'core/nested-finish.ts forceNestedFlush: tlb.cleared = (1 << cpu.kernel.geometry.bits.length) - 1: left out',
    coveredBy: 'core/nested-finish.ts forceNestedFlush: tlb.freedTables = true: left out',
    archs: ['x86'],
    why: 'freed_tables alone asks for a flush, and who finds no level flushes the range by base pages',
  },
];
