/**
 * Which changes of an entry need a flush, and which entries may be cached (asm-generic/tlb.h, arch/riscv/include/asm/pgtable.h).
 */
import { type Entry, entryPresent } from '@mmu-gather/core/stepped';

/** pte_needs_flush, huge_pmd_needs_flush: RISC-V has none of its own, so every change. */
export function pteNeedsFlush(_old: Entry, _next: Entry): boolean {
  return true;
}

/** pte_accessible without its pending part: any valid entry. */
export function pteAccessible(entry: Entry): boolean {
  return entryPresent(entry);
}
