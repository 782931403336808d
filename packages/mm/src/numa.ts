/**
 * NUMA hinting faults (mm/memory.c: do_numa_page, kernel/sched/fair.c: task_numa_work, mm/migrate.c).
 *
 *     CPU 0 (task_numa_work)             CPU 1 (fault)                       CPU 2
 *     lock PTL; entry := PROTNONE                                            holds the old entry, writable
 *     unlock                             lock PTL; entry is PROTNONE
 *                                          ptep_clear_flush: not present,
 *                                          but a flush is pending: flush     may not write any more
 *                                        unlock; copy to another page
 *     flush                              lock PTL; set the new entry
 *
 * Without asking for pending flushes the copy misses what CPU 2 writes (bug B06, trace T12).
 */
import {
  type Cpu,
  type Mm,
  pteWrite,
  putPage,
  type Steps,
  tlbFinishMmu,
  pteMkwrite,
  pteMkyoung,
  pteModify,
  pteProtnone,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import {
  canChangePteWritable,
  changeProtection,
  changeProtectionGather,
  MM_CP_PROT_NUMA,
  vmaWantsManualPteWriteUpgrade,
} from './change-protection.ts';
import { copyForMigration, mayMigrate, removeMigrationPte, unmapForMigration } from './migrate.ts';
import { vmNormalPage } from './page.ts';
import { ptepGet, ptepModifyProtCommit, ptepModifyProtStart, pteUnmapUnlock, updateMmuCache } from './page-table.ts';
import { lockPteAt } from './page-vma-mapped.ts';
import { findVma, vmaLookup, vmaNext } from './vma.ts';
import { lockSame, type Vmf } from './vmf.ts';

/** change_prot_numa: takes present entries of a range away until the next access. mmap_lock for read, as task_numa_work. */
export function* changeProtNuma(cpu: Cpu, mm: Mm, start: number, end: number): Steps<number> {
  yield* cpu.downRead(mm.mmapLock);
  let pages = 0;
  for (let vma = findVma(cpu, mm, start); vma !== null && cpu.read(vma.start) < end; vma = vmaNext(cpu, vma)) {
    const from = Math.max(start, cpu.read(vma.start));
    const to = Math.min(end, cpu.read(vma.end));
    const tlb = yield* changeProtectionGather(cpu, mm);
    pages += yield* changeProtection(cpu, mm, tlb, vma, from, to, MM_CP_PROT_NUMA);
    if (tlb !== null) yield* tlbFinishMmu(cpu, tlb, from, to);
  }
  yield* cpu.upRead(mm.mmapLock);
  return pages;
}

/** do_numa_page, where the page stays: the entry comes back with the VMA's protection. */
export function* doNumaPage(cpu: Cpu, vmf: Vmf): Steps<number> {
  if (!(yield* lockSame(cpu, vmf))) return 0;
  const old = yield* ptepModifyProtStart(cpu, vmf.mm, vmf.address, vmf.pte);
  let entry = pteMkyoung(pteModify(old, vmPageProt(vmf.vmFlags)));
  if (!pteWrite(entry) && vmaWantsManualPteWriteUpgrade(vmf.vmFlags)) {
    if (yield* canChangePteWritable(cpu, vmf.vmFlags, entry)) entry = pteMkwrite(entry);
  }
  yield* ptepModifyProtCommit(cpu, vmf.mm, vmf.address, vmf.pte, old, entry);
  yield* updateMmuCache(cpu, vmf.mm, vmf.address, vmf.pte, entry);
  yield* pteUnmapUnlock(cpu, vmf.table);
  return 0;
}

/**
 * migrate_misplaced_folio, for an exclusive anonymous page that a hinting fault found on the wrong node: unmap, copy, map.
 * Other faults meet the migration entry and wait.
 * @returns true if the page moved
 */
export function* migrateMisplacedPage(cpu: Cpu, mm: Mm, address: number): Steps<boolean> {
  yield* cpu.downRead(mm.mmapLock);
  const moved = yield* migrate(cpu, mm, address);
  yield* cpu.upRead(mm.mmapLock);
  return moved;
}

function* migrate(cpu: Cpu, mm: Mm, address: number): Steps<boolean> {
  const vma = vmaLookup(cpu, mm, address);
  const at = yield* lockPteAt(cpu, mm, vma, address);
  if (at === null) return false;
  const seen = yield* ptepGet(cpu, at.pte);
  const old = pteProtnone(seen) ? vmNormalPage(seen) : 0;
  const moves = old !== 0 && (yield* mayMigrate(cpu, old));
  // The mapping's reference stays with us.
  if (moves) yield* unmapForMigration(cpu, old, at, null);
  yield* pteUnmapUnlock(cpu, at.table);
  if (!moves) return false;
  const page = yield* copyForMigration(cpu, old);
  yield* removeMigrationPte(cpu, mm, vma, address, old, page);
  yield* putPage(cpu, old);
  return true;
}
