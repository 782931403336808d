/** Flags of a Linux PTE that are the hash MMU's own (asm/book3s/64/hash.h). */
import { ARCH_0, ARCH_1 } from '@mmu-gather/core/stepped';

/** A hash fault has the entry: who wants to change it waits. */
export const H_PAGE_BUSY: number = ARCH_0;
/** The entry may be in the hash page table, or in a TLB: a change must be told. */
export const H_PAGE_HASHPTE: number = ARCH_1;
/** _PAGE_HPTEFLAGS. */
export const HPTEFLAGS: number = H_PAGE_BUSY | H_PAGE_HASHPTE;
