/**
 * Page faults: handle_mm_fault, and faults on anonymous memory (mm/memory.c).
 *
 *     walk, allocate tables           no lock
 *     read the entry                  no lock: decides what kind of fault this is
 *     prepare a page                  no lock
 *     lock PTL; read the entry again  changed: drop all, let the access try again
 *     install; unlock
 *
 * Locks: mmap_lock for read, or the VMA's own lock. Installing into an empty entry needs no flush: nothing is cached there, or whoever emptied it
 * still owes the flush, and no one relies on it before (reclaim: its swap entry leads to the same page).
 */
import {
  type Cpu,
  entryCell,
  entryNone,
  entryTarget,
  type Mm,
  ptePresent,
  pteWrite,
  type Steps,
  type Vma,
  VM_HUGEPAGE,
  pageSize,
  isMigrationPte,
  maybeMkwrite,
  mkPte,
  pteMkdirty,
  pteMkspecial,
  pteMkyoung,
  pteProtnone,
  VM_ACCESS_FLAGS,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import { doFault } from './file-fault.ts';
import { handleHugeFault } from './huge-fault.ts';
import { doNumaPage } from './numa.ts';
import { allocZeroedPage, pageAddRmap, wpCanReuseAnonPage } from './page.ts';
import type { PageCache } from './page-cache.ts';
import { pmdAlloc, pteAllocMap, ptepGet, pteUnmap, pteUnmapUnlock, setPteAt, updateMmuCache } from './page-table.ts';
import { anonPrepare, installAnonPage, lockSame, upgradeEntry, type Vmf } from './vmf.ts';
import { doWpPage } from './wp-fault.ts';

/**
 * handle_mm_fault. The VMA holds the address and allows the access; mmap_lock is held for read, or the VMA's lock.
 * @param vmaLocked the VMA's lock
 * @returns 0 to try the access again, or VM_FAULT bits; with VM_FAULT_RETRY the lock was dropped
 */
export function* handleMmFault(
  cpu: Cpu,
  mm: Mm,
  vma: Vma,
  address: number,
  write: boolean,
  files: PageCache,
  vmaLocked: boolean,
): Steps<number> {
  const geometry = cpu.kernel.geometry;
  const size = pageSize(geometry);
  const page = address - (address % size);
  const vmFlags = cpu.read(vma.flags);
  const pmd = yield* pmdAlloc(cpu, mm, page);
  if ((vmFlags & VM_HUGEPAGE) !== 0 && (yield* handleHugeFault(cpu, mm, vma, pmd, page, write))) return 0;
  const table = yield* pteAllocMap(cpu, mm, pmd);
  if (table === 0) return 0;
  const pte = entryCell(geometry, table, 0, page);
  const orig = yield* ptepGet(cpu, pte);
  yield* pteUnmap(cpu);
  return yield* handlePteFault(cpu, {
    mm,
    vma,
    vmFlags,
    address: page,
    write,
    files,
    pmd,
    table,
    pte,
    orig,
    vmaLocked,
  });
}

/** handle_pte_fault. */
function* handlePteFault(cpu: Cpu, vmf: Vmf): Steps<number> {
  if (entryNone(vmf.orig)) {
    return cpu.read(vmf.vma.file) === 0 ? yield* doAnonymousPage(cpu, vmf) : yield* doFault(cpu, vmf);
  }
  if (!ptePresent(vmf.orig)) return yield* doSwapPage(cpu, vmf);
  if (pteProtnone(vmf.orig) && (vmf.vmFlags & VM_ACCESS_FLAGS) !== 0) return yield* doNumaPage(cpu, vmf);
  if (!(yield* lockSame(cpu, vmf))) return 0;
  let entry = vmf.orig;
  if (vmf.write) {
    if (!pteWrite(entry)) return yield* doWpPage(cpu, vmf);
    entry = pteMkdirty(entry);
  }
  yield* upgradeEntry(cpu, vmf.mm, vmf.address, vmf.pte, vmf.orig, pteMkyoung(entry), vmf.write);
  yield* pteUnmapUnlock(cpu, vmf.table);
  return 0;
}

/** do_anonymous_page: a read maps the zero page, a write a page of its own. */
function* doAnonymousPage(cpu: Cpu, vmf: Vmf): Steps<number> {
  const prot = vmPageProt(vmf.vmFlags);
  let page = 0;
  let entry = pteMkspecial(mkPte(cpu.kernel.zeroPage, prot));
  if (vmf.write) {
    yield* anonPrepare(cpu, vmf.vma);
    page = yield* allocZeroedPage(cpu);
    entry = maybeMkwrite(pteMkdirty(mkPte(page, prot)), vmf.vmFlags);
  }
  return yield* installAnonPage(cpu, vmf, page, entry);
}

/**
 * do_swap_page: the page is still in the swap cache, so the entry comes back, with the reference that the swap entry held.
 * A migration entry is waited for (migration_entry_wait).
 */
function* doSwapPage(cpu: Cpu, vmf: Vmf): Steps<number> {
  if (isMigrationPte(vmf.orig)) {
    yield* cpu.waitFor(vmf.pte, 'notEqual', vmf.orig);
    return 0;
  }
  if (!(yield* lockSame(cpu, vmf))) return 0;
  const page = entryTarget(vmf.orig);
  let entry = mkPte(page, vmPageProt(vmf.vmFlags));
  if (vmf.write && (yield* wpCanReuseAnonPage(cpu, page))) entry = maybeMkwrite(pteMkdirty(entry), vmf.vmFlags);
  yield* pageAddRmap(cpu, page);
  yield* setPteAt(cpu, vmf.mm, vmf.address, vmf.pte, entry);
  yield* updateMmuCache(cpu, vmf.mm, vmf.address, vmf.pte, entry);
  yield* pteUnmapUnlock(cpu, vmf.table);
  return 0;
}
