/**
 * The split of a huge page (huge-memory.ts): its entry gives way to the table that was deposited with it (split_huge_pmd).
 *
 *     split, under the lock                        any CPU
 *     exchange the huge entry by an invalid one    may hold the huge entry; no new one can be cached
 *     flush                                        holds nothing for the range
 *     fill the deposited table; install it         caches small entries
 *
 * Without the flush a CPU could hold entries of both sizes for one address, which processors do not promise to survive (O14).
 * Dirty and accessed bits are those that the exchange brought back: the hardware sets them up to that moment.
 */
import {
  type Cell,
  type Cpu,
  type Entry,
  entryClear,
  entryFlags,
  entryTarget,
  mkEntry,
  type Mm,
  pageSize,
  PSE,
  type Steps,
  tableEntries,
  type Vma,
} from '@mmu-gather/core/stepped';
import { pmdOffset, pmdPopulate, ptepGetAndClear, setPteUnlinked } from './page-table.ts';
import { hugePages, hugeStart, mayBeHuge, pmdTransHuge } from './huge-memory.ts';
import { flushPmdTlbRange, isHugeZero, pgtableWithdraw, pmdpInvalidateAd } from './huge-entry.ts';

/** split_huge_pmd: from here on the range is mapped by a PTE table, whatever it was before. */
export function* splitHugePmd(cpu: Cpu, mm: Mm, pmd: Cell, address: number): Steps<void> {
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  if (pmdTransHuge(seen)) yield* splitHugePmdLocked(cpu, mm, pmd, seen, address);
  yield* cpu.spinUnlock(mm.pageTableLock);
}

/** __split_huge_zero_page_pmd: nothing leads anywhere until the small entries are there. */
function* splitHugeZero(cpu: Cpu, mm: Mm, pmd: Cell, address: number): Steps<void> {
  const start = hugeStart(cpu, address);
  const old = yield* ptepGetAndClear(cpu, mm, start, pmd, 1);
  yield* flushPmdTlbRange(cpu, mm, address);
  const table = pgtableWithdraw(cpu, pmd, address);
  const entry = mkEntry(cpu.kernel.zeroPage, entryFlags(entryClear(old, PSE)));
  for (let i = 0; i < tableEntries(cpu.kernel.geometry, 0); i++) {
    yield* setPteUnlinked(cpu, mm, start + i * pageSize(cpu.kernel.geometry), table + i, entry);
  }
  yield* pmdPopulate(cpu, pmd, table);
}

/** __split_huge_pmd_locked, for anonymous memory. */
function* splitHugePmdLocked(cpu: Cpu, mm: Mm, pmd: Cell, seen: Entry, address: number): Steps<void> {
  if (isHugeZero(cpu, seen)) {
    yield* splitHugeZero(cpu, mm, pmd, address);
    return;
  }
  const { splitFlush, splitDirty } = cpu.kernel.profile;
  const old = yield* pmdpInvalidateAd(cpu, mm, pmd, seen, address);
  if (splitFlush === 'invalidate') yield* flushPmdTlbRange(cpu, mm, address);
  const source = splitDirty === 'exchanged' ? old : seen;
  const flags = entryFlags(entryClear(source, PSE));
  const table = pgtableWithdraw(cpu, pmd, address);
  const pages = hugePages(cpu, entryTarget(source));
  let at = hugeStart(cpu, address);
  for (let i = 0; i < pages.length; i++, at += pageSize(cpu.kernel.geometry)) {
    yield* setPteUnlinked(cpu, mm, at, table + i, mkEntry(pages[i]!, flags));
  }
  yield* pmdPopulate(cpu, pmd, table);
}

/** pmd_offset for who looks for one page of a VMA, by the reverse map or by its address (TTU_SPLIT_HUGE_PMD): splits a huge page. */
export function* pmdOffsetSplit(cpu: Cpu, mm: Mm, vma: Vma, address: number): Steps<Cell> {
  const pmd = yield* pmdOffset(cpu, mm, address);
  if (pmd !== 0 && mayBeHuge(cpu, vma) && pmdTransHuge(yield* cpu.readOnce(pmd))) {
    yield* splitHugePmd(cpu, mm, pmd, address);
  }
  return pmd;
}
