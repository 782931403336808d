/**
 * One fault at work, and the steps that all kinds of faults share (struct vm_fault, mm/memory.c).
 */
import {
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  type Mm,
  pteSame,
  putPage,
  type Steps,
  type Vma,
} from '@mmu-gather/core/stepped';
import { pageAddNewAnonRmap } from './page.ts';
import type { PageCache } from './page-cache.ts';
import { ptepGet, pteLock, ptepSetAccessFlags, pteUnmapUnlock, setPteAt, updateMmuCache } from './page-table.ts';
import { vmaEndRead } from './vma-lock.ts';

/** One fault at work (struct vm_fault): private to the faulting task. */
export interface Vmf {
  /** The mm. */
  readonly mm: Mm;
  /** The VMA that covers the address. */
  readonly vma: Vma;
  /** VM_* bits of the VMA. */
  readonly vmFlags: number;
  /** Address of the page. */
  readonly address: number;
  /** A write. */
  readonly write: boolean;
  /** What file mappings need. */
  readonly files: PageCache;
  /** Entry that leads to the PTE table. */
  readonly pmd: Cell;
  /** The PTE table. */
  readonly table: Address;
  /** The entry. */
  readonly pte: Cell;
  /** What it held when the fault began. */
  readonly orig: Entry;
  /** The fault holds the VMA's lock instead of mmap_lock (FAULT_FLAG_VMA_LOCK). */
  readonly vmaLocked: boolean;
}

/** release_fault_lock: whichever lock the fault holds. */
export function releaseFaultLock(cpu: Cpu, vmf: Vmf): Steps<void> {
  return vmf.vmaLocked ? vmaEndRead(cpu, vmf.vma) : cpu.upRead(vmf.mm.mmapLock);
}

/** Takes the PTL and looks whether the entry is still the one that the fault began with. @returns true with the PTL held */
export function* lockSame(cpu: Cpu, vmf: Vmf): Steps<boolean> {
  if (!(yield* pteLock(cpu, vmf.pmd, vmf.table))) return false;
  if (pteSame(yield* ptepGet(cpu, vmf.pte), vmf.orig)) return true;
  yield* pteUnmapUnlock(cpu, vmf.table);
  return false;
}

/** vmf_anon_prepare: from now on fork must copy this VMA. */
export function* anonPrepare(cpu: Cpu, vma: Vma): Steps<void> {
  if ((yield* cpu.readOnce(vma.anonVma)) === 0) yield* cpu.writeOnce(vma.anonVma, 1);
}

/** The end of do_anonymous_page and do_cow_fault: installs a page that nobody else sees, or drops it (0: the zero page). */
export function* installAnonPage(cpu: Cpu, vmf: Vmf, page: Address, entry: Entry): Steps<number> {
  if (!(yield* lockSame(cpu, vmf))) {
    if (page !== 0) yield* putPage(cpu, page);
    return 0;
  }
  if (page !== 0) pageAddNewAnonRmap(cpu, page);
  yield* setPteAt(cpu, vmf.mm, vmf.address, vmf.pte, entry);
  yield* updateMmuCache(cpu, vmf.mm, vmf.address, vmf.pte, entry);
  yield* pteUnmapUnlock(cpu, vmf.table);
  return 0;
}

/**
 * What a fault does with an entry that may only have to grant more: ptep_set_access_flags, and then update_mmu_cache if that changed the
 * entry. If not, somebody else did the work, or this CPU used an older entry: a write then asks for flush_tlb_fix_spurious_fault.
 */
export function* upgradeEntry(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  old: Entry,
  entry: Entry,
  write: boolean,
  level = 0,
): Steps<void> {
  const { flushTlbFixSpuriousFault: fix } = cpu.kernel.backend.pte;
  yield* ptepSetAccessFlags(cpu, mm, address, pte, old, entry, level);
  if (old !== entry) yield* updateMmuCache(cpu, mm, address, pte, entry);
  else if (write && fix !== null) yield* fix(cpu, mm, address, pte);
}
