/**
 * Huge pages of anonymous memory: an entry of level 1 that maps a whole PTE table's worth of pages (mm/huge_memory.c).
 *
 * A huge page is a row of pages; each has counts of its own, as if it were always mapped by itself. Linux keeps one count for
 * the row; what a mapping holds, and what is freed with it, is the same. With each huge entry a PTE table is deposited, so that
 * a split need not allocate. Entries are changed under mm.pageTableLock; what is deferred is recorded in their own table.
 *
 * Huge pages appear in VMAs with VM_HUGEPAGE only, by a write fault or by khugepaged.ts; by a read fault one of zeroes, where the kernel has such a
 * page, which is shared by all and counted by nobody. Hinting faults do not move huge pages, and who looks for one page of a row (reclaim, migration, KSM) splits it first.
 */
import {
  type Address,
  type Cpu,
  type Entry,
  entrySize,
  Page,
  PSE,
  tableEntries,
  VM_HUGEPAGE,
  VM_NOHUGEPAGE,
  type Vma,
} from '@mmu-gather/core/stepped';

/** pmd_trans_huge: the entry maps a huge page, or is taken away from one for a moment. */
export function pmdTransHuge(entry: Entry): boolean {
  return (entry & PSE) !== 0;
}

/** May there be huge pages in a VMA? A walker of any other need not look. */
export function mayBeHuge(cpu: Cpu, vma: Vma | null): boolean {
  return vma !== null && (cpu.read(vma.flags) & VM_HUGEPAGE) !== 0;
}

/** Shall a fault make huge pages in a VMA with these flags? */
export function hugeWanted(vmFlags: number): boolean {
  return (vmFlags & (VM_HUGEPAGE | VM_NOHUGEPAGE)) === VM_HUGEPAGE;
}

/** HPAGE_PMD_SIZE: bytes of a huge page. */
export function hugeSize(cpu: Cpu): number {
  return entrySize(cpu.kernel.geometry, 1);
}

/** The pages of a huge page, by the first of them. */
export function hugePages(cpu: Cpu, first: Address): Address[] {
  return Array.from({ length: tableEntries(cpu.kernel.geometry, 0) }, (_, i) => first + i * Page.words);
}

/** The first address that the huge page around an address maps. */
export function hugeStart(cpu: Cpu, address: number): number {
  return address - (address % hugeSize(cpu));
}

/** transhuge_vma_suitable: does the huge page around an address fit into its VMA? */
export function hugeFits(cpu: Cpu, vma: Vma, address: number): boolean {
  const start = hugeStart(cpu, address);
  return cpu.read(vma.start) <= start && start + hugeSize(cpu) <= cpu.read(vma.end);
}
