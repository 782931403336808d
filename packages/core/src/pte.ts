/**
 * What leaf entries look like: pure functions on values, nothing is read or written (arch/x86/include/asm/pgtable.h).
 *
 * Dirty without write permission is stored as SAVED_DIRTY (6.6 on): a read-only entry with the hardware's dirty bit would be
 * a shadow-stack page. The two bits mean the same to everybody else, so older profiles use them as well.
 */
import type { Access } from './cpu.ts';
import {
  ACCESSED,
  ARCH_0,
  ARCH_1,
  DIRTY,
  type Entry,
  entryClear,
  entryFlags,
  entryNone,
  entrySet,
  entryTarget,
  mkEntry,
  NX,
  PRESENT,
  PROTNONE,
  PSE,
  ptePresent,
  RW,
  SAVED_DIRTY,
  SOFT_DIRTY,
  SPECIAL,
  UFFD_WP,
  USER,
} from './entry.ts';
import { VM_EXEC, VM_READ, VM_SHARED, VM_UFFD_WP, VM_WRITE, VM_WRITENOTIFY } from './mm.ts';
import type { Address } from './struct.ts';

/** Bits that pte_modify takes from the new protection; all others stay (the complement of _PAGE_CHG_MASK). */
const PROTECTION = PRESENT | RW | USER | NX | PROTNONE;
const KEPT = ACCESSED | DIRTY | SAVED_DIRTY | PSE | UFFD_WP | SOFT_DIRTY | SPECIAL | ARCH_0 | ARCH_1;

/** VM bits that mprotect changes. */
export const VM_ACCESS_FLAGS: number = VM_READ | VM_WRITE | VM_EXEC;

/** vma_wants_writenotify (mm/mmap.c): shared pages start read-only, because somebody wants to see the first write. */
export function vmaWantsWritenotify(vmFlags: number): boolean {
  const shared = VM_WRITE | VM_SHARED;
  return (vmFlags & shared) === shared && (vmFlags & (VM_WRITENOTIFY | VM_UFFD_WP)) !== 0;
}

/** vm_page_prot: flags of a fresh entry. Private mappings never start writable: the first write decides about a copy. */
export function vmPageProt(vmFlags: number): number {
  if ((vmFlags & VM_ACCESS_FLAGS) === 0) return PROTNONE | ACCESSED;
  let prot = PRESENT | USER | ACCESSED;
  if ((vmFlags & VM_EXEC) === 0) prot |= NX;
  if ((vmFlags & VM_WRITE) !== 0 && (vmFlags & VM_SHARED) !== 0 && !vmaWantsWritenotify(vmFlags)) prot |= RW;
  return prot;
}

/** What user code may do in a VMA, in the words of claims. */
export function vmAccess(vmFlags: number): Access {
  return (vmFlags & VM_WRITE) !== 0 ? 'write' : (vmFlags & VM_ACCESS_FLAGS) !== 0 ? 'read' : 'none';
}

/** Moves the dirty bit to where it belongs for the entry's write permission (pte_mksaveddirty, pte_clear_saveddirty). */
function shiftDirty(pte: Entry): Entry {
  if ((pte & RW) !== 0) return (pte & SAVED_DIRTY) !== 0 ? entrySet(entryClear(pte, SAVED_DIRTY), DIRTY) : pte;
  return (pte & DIRTY) !== 0 ? entrySet(entryClear(pte, DIRTY), SAVED_DIRTY) : pte;
}

/** mk_pte. */
export function mkPte(page: Address, prot: number): Entry {
  return mkEntry(page, prot);
}
/** pte_mkwrite. */
export function pteMkwrite(pte: Entry): Entry {
  return shiftDirty(entrySet(pte, RW));
}
/** maybe_mkwrite: writable if the VMA is. */
export function maybeMkwrite(pte: Entry, vmFlags: number): Entry {
  return (vmFlags & VM_WRITE) !== 0 ? pteMkwrite(pte) : pte;
}
/** pte_wrprotect. */
export function pteWrprotect(pte: Entry): Entry {
  return shiftDirty(entryClear(pte, RW));
}
/** pte_mkdirty: also marks it as written since clear_refs. */
export function pteMkdirty(pte: Entry): Entry {
  return shiftDirty(entrySet(pte, DIRTY | SOFT_DIRTY));
}
/** pte_mkclean. */
export function pteMkclean(pte: Entry): Entry {
  return entryClear(pte, DIRTY | SAVED_DIRTY);
}
/** pte_mkyoung. */
export function pteMkyoung(pte: Entry): Entry {
  return entrySet(pte, ACCESSED);
}
/** pte_mkold. */
export function pteMkold(pte: Entry): Entry {
  return entryClear(pte, ACCESSED);
}
/** pte_mkspecial: no page struct stands behind it that is counted. */
export function pteMkspecial(pte: Entry): Entry {
  return entrySet(pte, SPECIAL);
}
/** pte_modify: a new protection, and everything that the hardware or software noted stays. */
export function pteModify(pte: Entry, prot: number): Entry {
  const flags = (entryFlags(pte) & KEPT) | (prot & PROTECTION);
  return shiftDirty(mkEntry(entryTarget(pte), flags));
}
/** pte_protnone: the page is there, and the hardware may not use it: PROT_NONE, or a NUMA hint. */
export function pteProtnone(pte: Entry): boolean {
  return (pte & (PRESENT | PROTNONE)) === PROTNONE;
}
/** pte_mksoft_dirty. */
export function pteMksoftDirty(pte: Entry): Entry {
  return entrySet(pte, SOFT_DIRTY);
}
/** pte_clear_soft_dirty. */
export function pteClearSoftDirty(pte: Entry): Entry {
  return entryClear(pte, SOFT_DIRTY);
}
/** pte_uffd_wp: write-protected by userfaultfd. */
export function pteUffdWp(pte: Entry): boolean {
  return (pte & UFFD_WP) !== 0;
}
/** pte_mkuffd_wp. */
export function pteMkuffdWp(pte: Entry): Entry {
  return pteWrprotect(entrySet(pte, UFFD_WP));
}
/** pte_clear_uffd_wp. */
export function pteClearUffdWp(pte: Entry): Entry {
  return entryClear(pte, UFFD_WP);
}

/** A swap entry. The page that it names stands for its slot: the swap cache keeps it. */
export function mkSwapPte(page: Address): Entry {
  return mkEntry(page, 0);
}
/** A migration entry: the page is on its way to another frame. */
export function mkMigrationPte(page: Address): Entry {
  return mkEntry(page, SPECIAL);
}
/** is_swap_pte: something is there that only software understands. */
export function isSwapPte(pte: Entry): boolean {
  return !entryNone(pte) && !ptePresent(pte);
}
/** is_migration_entry. */
export function isMigrationPte(pte: Entry): boolean {
  return isSwapPte(pte) && (pte & SPECIAL) !== 0;
}
