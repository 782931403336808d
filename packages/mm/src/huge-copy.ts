/**
 * Entries of huge pages in another place: fork copies them, mremap moves them.
 */
import {
  type Cell,
  type Cpu,
  entryPresent,
  entryTarget,
  getPage,
  type Mm,
  pteClearUffdWp,
  pteMkold,
  pteMksoftDirty,
  pteWrite,
  pteWrprotect,
  type Steps,
} from '@mmu-gather/core/stepped';
import { pageDupAnonRmap } from './page.ts';
import { newTable, ptepGetAndClear, ptepSetWrprotect, setPteAt } from './page-table.ts';
import { hugePages, hugeSize, pmdTransHuge } from './huge-memory.ts';
import { flushPmdTlbRange, isHugeZero, pgtableDeposit, pgtableWithdraw } from './huge-entry.ts';

/**
 * copy_huge_pmd: fork shares the whole page, which it has seen without the lock, read-only on both sides. The caller flushes the parent.
 * @returns false if there is no huge page any more
 */
export function* copyHugePmd(cpu: Cpu, mm: Mm, oldMm: Mm, pmd: Cell, oldPmd: Cell, address: number): Steps<boolean> {
  const table = yield* newTable(cpu, mm);
  yield* cpu.spinLock(mm.pageTableLock);
  yield* cpu.spinLock(oldMm.pageTableLock);
  const old = yield* cpu.readOnce(oldPmd);
  const huge = pmdTransHuge(old);
  if (huge) {
    const pages = isHugeZero(cpu, old) ? [] : hugePages(cpu, entryTarget(old));
    for (const page of pages) {
      yield* getPage(cpu, page);
      yield* pageDupAnonRmap(cpu, page);
    }
    if (pteWrite(old)) yield* ptepSetWrprotect(cpu, oldMm, address, oldPmd, old, 1);
    pgtableDeposit(cpu, pmd, address, table);
    yield* setPteAt(cpu, mm, address, pmd, pteClearUffdWp(pteMkold(pteWrprotect(old))), 1);
  }
  yield* cpu.spinUnlock(oldMm.pageTableLock);
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (huge) return true;
  yield* cpu.free('table', table);
  return false;
}

/**
 * move_huge_pmd: the entry moves with its deposited table, soft-dirty as what move_ptes moves, and the old place is flushed before the
 * lock is dropped. mmap_lock for write. @returns false if there is no huge page
 */
export function* moveHugePmd(cpu: Cpu, mm: Mm, from: number, to: number, oldPmd: Cell, newPmd: Cell): Steps<boolean> {
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(oldPmd);
  const huge = pmdTransHuge(seen);
  if (huge) {
    const old = yield* ptepGetAndClear(cpu, mm, from, oldPmd, 1);
    pgtableDeposit(cpu, newPmd, to, pgtableWithdraw(cpu, oldPmd, from));
    yield* setPteAt(cpu, mm, to, newPmd, pteMksoftDirty(old), 1);
    if (entryPresent(old) && cpu.kernel.profile.movePmd !== 'no-flush') yield* flushPmdTlbRange(cpu, mm, from);
    cpu.claim.moved(cpu.read(mm.pgd), { start: from, end: from + hugeSize(cpu) });
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  return huge;
}
