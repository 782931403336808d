/**
 * Claims about core.
 */
import type { Claim } from '../claim.ts';

const SLOT_IS_BEING_WRITTEN = 'core/deferral/ring.ts ringEnqueue: cpu.writeOnce(slot, 0): left out';

/** What covers mutants of core. */
export const CORE_CLAIMS: readonly Claim[] = [
  {
    mutant: 'core/mmu-gather.ts tlbRemoveTable: tlb.cleared |= 1 << (level + 1): left out',
    coveredBy: 'core/mmu-gather.ts tlbRemoveTable: tlb.freedTables = true: left out',
    archs: ['x86'],
    why: 'freed_tables alone asks for a flush, and x86 drops the walk path whatever the level',
  },
  {
    mutant: [
      'core/deferral/ring.ts ringEnqueue: yield* cpu.writeOnce(slot + 1, range.start): after yield* cpu.writeOnce(slot + 2, range.end)',
      'core/deferral/ring.ts ringEnqueue: yield* cpu.writeOnce(slot + 2, range.end): after yield* cpu.writeOnce(slot + 3, range.shift * 2 + (range.freedTables ? 1 : 0))',
      'core/deferral/ring.ts readSlot: range.end = yield* cpu.readOnce(slot + 2): after const how = yield* cpu.readOnce(slot + 3)',
    ],
    coveredBy: SLOT_IS_BEING_WRITTEN,
    why: 'within a slot that says that it is being written the order of words does not matter: who reads looks at its generation before and after',
  },
];
