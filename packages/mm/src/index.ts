/**
 * Memory-management operations of the kernel: the generic code that changes page tables and must keep TLBs in step.
 *
 * @packageDocumentation
 */
export * from './change-protection.ts';
export * from './clear-refs.ts';
export * from './errno.ts';
export * from './exec.ts';
export * from './fault.ts';
export * from './file-fault.ts';
export * from './fork.ts';
export * from './free-pgtables.ts';
export * from './gup-fast.ts';
export * from './huge-copy.ts';
export * from './huge-fault.ts';
export * from './huge-memory.ts';
export * from './huge-split.ts';
export * from './huge-walk.ts';
export * from './khugepaged.ts';
export * from './ksm.ts';
export * from './madvise.ts';
export * from './madvise-walk.ts';
export * from './mapping.ts';
export * from './mapping-cache.ts';
export * from './mapping-unmap.ts';
export * from './mapping-dirty-helpers.ts';
export * from './memory.ts';
export * from './migrate.ts';
export * from './mm.ts';
export * from './mm-count.ts';
export * from './mmap.ts';
export * from './move-page-tables.ts';
export * from './move-pmd.ts';
export * from './move-ptes.ts';
export * from './mmu-notifier.ts';
export * from './mprotect.ts';
export * from './mremap.ts';
export * from './numa.ts';
export * from './page-cache.ts';
export * from './page.ts';
export * from './page-table.ts';
export * from './page-vma-mapped.ts';
export * from './pageout.ts';
export * from './pagewalk.ts';
export * from './pfnmap.ts';
export * from './rmap.ts';
export * from './sched.ts';
export * from './uffd.ts';
export * from './user.ts';
export * from './vma.ts';
export * from './vma-lock.ts';
export * from './vma-merge.ts';
export * from './vmap.ts';
export * from './vmf.ts';
export * from './vmscan.ts';
export * from './wp-fault.ts';
export * from './writeback.ts';
