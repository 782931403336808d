/**
 * How entries change on RISC-V (arch/riscv/include/asm/pgtable.h). A hart may have cached that a page is not there, or that it may not be
 * written to: after each upgrade it fences for itself (update_mmu_cache), other harts fault once more and do the same.
 */
import {
  type Cell,
  type Cpu,
  type Entry,
  entrySize,
  GENERIC_PTE,
  type Mm,
  type PteOps,
  type Steps,
} from '@mmu-gather/core/stepped';
import { flushEverything, flushTlbRange } from './flush.ts';
import { localFlushTlbPage } from './flush-local.ts';
import { riscvOf } from './state.ts';

function updateMmuCache(cpu: Cpu, _mm: Mm, address: number): Steps<void> {
  return localFlushTlbPage(cpu, address);
}

/** ptep_set_access_flags: reports a change even if there is none, so that update_mmu_cache runs after a spurious fault, too. */
function* ptepSetAccessFlags(cpu: Cpu, mm: Mm, address: number, pte: Cell, old: Entry, entry: Entry): Steps<void> {
  if (old !== entry) yield* cpu.writeOnce(pte, entry);
  else yield* updateMmuCache(cpu, mm, address);
}

/** flush_tlb_fix_spurious_fault, where update_mmu_cache does nothing. */
function fixSpuriousFault(cpu: Cpu, _mm: Mm, address: number): Steps<void> {
  return localFlushTlbPage(cpu, address);
}

/** pmdp_collapse_flush: an entry that led to a table becomes a leaf, and a fence with an address would keep the pointer. */
function* pmdpCollapseFlush(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const { geometry } = cpu.kernel;
  if (riscvOf(cpu).switches.collapseFlush === 'mm') yield* flushEverything(cpu, mm, true);
  else yield* flushTlbRange(cpu, mm, address, address + entrySize(geometry, 1), 0);
}

const COMMON: PteOps = { ...GENERIC_PTE, pmdpCollapseFlush };

/** What RISC-V does with entries, by who makes a hart forget (`newMapping`). */
export const RISCV_PTE: Readonly<Record<'fence' | 'spurious' | 'never', PteOps>> = {
  fence: { ...COMMON, updateMmuCache, ptepSetAccessFlags },
  spurious: { ...COMMON, flushTlbFixSpuriousFault: fixSpuriousFault },
  never: COMMON,
};
