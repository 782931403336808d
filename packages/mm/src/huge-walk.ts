/**
 * What walkers of a range do at an entry of a huge page: zap, mprotect, madvise, clear_refs.
 */
import {
  ACCESSED,
  type Cell,
  countsLevels,
  type Cpu,
  type Entry,
  entryTarget,
  type Mm,
  type MmuGather,
  pteDirty,
  pteMkclean,
  pteMkold,
  pteMkwrite,
  pteModify,
  pteProtnone,
  pteWrite,
  type Steps,
  tableEntries,
  tlbChangePageSize,
  tlbEndPtes,
  tlbFlushLevelRange,
  tlbFlushMmu,
  tlbRemovePages,
  tlbRemoveTlbEntry,
  tlbStartPtes,
} from '@mmu-gather/core/stepped';
import type { Advice } from './madvise-walk.ts';
import { pageMapcount, pageMarkLazyfree, pageRemoveRmap } from './page.ts';
import { ptepGetAndClear, setPteAt } from './page-table.ts';
import { hugePages, hugeSize, pmdTransHuge } from './huge-memory.ts';
import {
  flushPmdTlbRange,
  isHugeZero,
  pgtableWithdraw,
  pmdpInvalidate,
  pmdpInvalidateAd,
  pmdTable,
} from './huge-entry.ts';
import { splitHugePmd } from './huge-split.ts';

/**
 * What each walker of a range asks first at an entry of level 1: a part of a huge page is split off it.
 * @returns true if a huge page is there and the range covers it as a whole
 */
function* wholeHugePmd(cpu: Cpu, mm: Mm, pmd: Cell, start: number, end: number): Steps<boolean> {
  if (!pmdTransHuge(yield* cpu.readOnce(pmd))) return false;
  if (end - start >= hugeSize(cpu)) return true;
  yield* splitHugePmd(cpu, mm, pmd, start);
  return false;
}

/** pmdp_huge_get_and_clear_full. Under mm.pageTableLock. */
function pmdpHugeGetAndClearFull(cpu: Cpu, { mm, fullmm }: MmuGather, pmd: Cell, start: number): Steps<Entry> {
  const { pmdpHugeGetAndClear } = cpu.kernel.backend.pte;
  if (pmdpHugeGetAndClear === null || fullmm) return ptepGetAndClear(cpu, mm, start, pmd, 1);
  return pmdpHugeGetAndClear(cpu, mm, start, pmd);
}

/** zap_huge_pmd. @returns false if there is no huge page */
export function* zapHugePmd(cpu: Cpu, tlb: MmuGather, pmd: Cell, start: number, end: number): Steps<boolean> {
  const { mm } = tlb;
  if (!(yield* wholeHugePmd(cpu, mm, pmd, start, end))) return false;
  yield* tlbChangePageSize(cpu, tlb, 1);
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  if (!pmdTransHuge(seen)) {
    yield* cpu.spinUnlock(mm.pageTableLock);
    return false;
  }
  // Others find the entry gone without its lock, so what it was must be on record by then. tlb_flush_pending was raised long before.
  const { unlinkTable, deferral } = cpu.kernel.profile;
  const recordFirst = unlinkTable === 'after-record' && (deferral !== 'counter' || countsLevels(cpu));
  yield* tlbStartPtes(cpu, tlb);
  const old = recordFirst
    ? yield* pmdpInvalidateAd(cpu, mm, pmd, seen, start)
    : yield* pmdpHugeGetAndClearFull(cpu, tlb, pmd, start);
  tlbRemoveTlbEntry(cpu, tlb, start, 1);
  yield* tlbEndPtes(cpu, tlb, pmdTable(cpu, pmd, start));
  if (recordFirst) yield* pmdpHugeGetAndClearFull(cpu, tlb, pmd, start);
  const table = pgtableWithdraw(cpu, pmd, start);
  const pages = isHugeZero(cpu, old) ? [] : hugePages(cpu, entryTarget(old));
  for (const page of pages) yield* pageRemoveRmap(cpu, page);
  const full = pages.length > 0 && (yield* tlbRemovePages(cpu, tlb, pages));
  cpu.claim.observed(cpu.read(mm.pgd), { start, end });
  yield* cpu.spinUnlock(mm.pageTableLock);
  // zap_deposited_table: no entry has led to it since it was deposited.
  yield* cpu.free('table', table);
  if (full) yield* tlbFlushMmu(cpu, tlb);
  return true;
}

/** What change_huge_pmd is asked for. */
export interface HugeChange {
  /** The mm. */
  readonly mm: Mm;
  /** The caller's gather; null if it flushes its whole range. */
  readonly tlb: MmuGather | null;
  /** The new vm_page_prot. */
  readonly prot: number;
  /** can_change_pmd_writable: whether an entry may become writable without a fault; null if none may. */
  readonly writable: ((entry: Entry) => Steps<boolean>) | null;
  /** For NUMA hinting: an entry that is away already stays so, and nothing changes. */
  readonly hinting: boolean;
}

/** The exchange of change_huge_pmd. */
function takeAway(cpu: Cpu, mm: Mm, pmd: Cell, seen: Entry, start: number): Steps<Entry> {
  switch (cpu.kernel.profile.hugeProtect) {
    case 'flush':
      return pmdpInvalidate(cpu, mm, pmd, seen, start);
    case 'gather':
      return pmdpInvalidateAd(cpu, mm, pmd, seen, start);
    case 'clear':
      return ptepGetAndClear(cpu, mm, start, pmd, 1);
  }
}

/** change_huge_pmd. @returns how many pages changed; null if there is no huge page */
export function* changeHugePmd(
  cpu: Cpu,
  change: HugeChange,
  pmd: Cell,
  start: number,
  end: number,
): Steps<number | null> {
  const { mm, tlb } = change;
  if (!(yield* wholeHugePmd(cpu, mm, pmd, start, end))) return null;
  if (tlb !== null) yield* tlbChangePageSize(cpu, tlb, 1);
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  const huge = pmdTransHuge(seen);
  const changes = huge && !(change.hinting && pteProtnone(seen));
  if (changes) {
    if (tlb !== null) yield* tlbStartPtes(cpu, tlb);
    const old = yield* takeAway(cpu, mm, pmd, seen, start);
    const changed = pteModify(old, change.prot);
    const writable = change.writable !== null && !pteWrite(changed) && (yield* change.writable(changed));
    const entry = writable ? pteMkwrite(changed) : changed;
    yield* setPteAt(cpu, mm, start, pmd, entry, 1);
    if (tlb !== null) {
      const { profile, backend } = cpu.kernel;
      if (profile.needsFlush === 'always' || backend.hugePmdNeedsFlush(old, entry))
        tlbFlushLevelRange(tlb, start, hugeSize(cpu), 1);
      yield* tlbEndPtes(cpu, tlb, pmdTable(cpu, pmd, start));
      cpu.claim.observed(cpu.read(mm.pgd), { start, end });
    }
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  if (!huge) return null;
  return changes ? tableEntries(cpu.kernel.geometry, 0) : 0;
}

/**
 * madvise_free_huge_pmd, and the huge part of MADV_COLD and MADV_PAGEOUT. Reclaim, which has no place for so many pages in a row, splits it
 * (in Linux once it has it), and is given the pages one by one.
 * @returns false if there is no huge page, or none any more
 */
export function* madviseHugePmd(
  cpu: Cpu,
  tlb: MmuGather,
  pmd: Cell,
  start: number,
  end: number,
  { free, ages, isolated }: Advice,
): Steps<boolean> {
  const { mm } = tlb;
  // Nobody's page cannot be given up, nor grow old.
  if (cpu.kernel.hugeZeroPage !== 0 && isHugeZero(cpu, yield* cpu.readOnce(pmd))) return true;
  if (!(yield* wholeHugePmd(cpu, mm, pmd, start, end))) return false;
  yield* tlbChangePageSize(cpu, tlb, 1);
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  const huge = pmdTransHuge(seen);
  const alone = huge && (yield* pageMapcount(cpu, entryTarget(seen))) === 1;
  if (alone) {
    if ((ages && (seen & ACCESSED) !== 0) || (free && pteDirty(seen))) {
      yield* tlbStartPtes(cpu, tlb);
      const flushes = free || cpu.kernel.profile.coldHuge === 'flush';
      const old = yield* (flushes ? pmdpInvalidate : pmdpInvalidateAd)(cpu, mm, pmd, seen, start);
      yield* setPteAt(cpu, mm, start, pmd, free ? pteMkclean(pteMkold(old)) : pteMkold(old), 1);
      tlbRemoveTlbEntry(cpu, tlb, start, 1);
      yield* tlbEndPtes(cpu, tlb, pmdTable(cpu, pmd, start));
    }
    if (free) for (const page of hugePages(cpu, entryTarget(seen))) yield* pageMarkLazyfree(cpu, page);
    cpu.claim.observed(cpu.read(mm.pgd), { start, end });
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
  const splits = alone && isolated !== null;
  if (splits) yield* splitHugePmd(cpu, mm, pmd, start);
  return huge && !splits;
}

/**
 * clear_soft_dirty_pmd, pmdp_test_and_clear_young: a huge entry loses what `clear` takes from it; nothing if there is none. The whole
 * range is one huge page.
 * @param tlb takes note of it; null if the caller flushes, or nobody need
 * @param flush at once, as the first of the two does
 */
export function* clearHugePmd(
  cpu: Cpu,
  mm: Mm,
  tlb: MmuGather | null,
  pmd: Cell,
  start: number,
  clear: (entry: Entry) => Entry,
  flush: boolean,
): Steps<void> {
  if (!pmdTransHuge(yield* cpu.readOnce(pmd))) return;
  yield* cpu.spinLock(mm.pageTableLock);
  const seen = yield* cpu.readOnce(pmd);
  if (pmdTransHuge(seen)) {
    if (tlb !== null) yield* tlbStartPtes(cpu, tlb);
    const old = yield* pmdpInvalidateAd(cpu, mm, pmd, seen, start);
    if (flush) yield* flushPmdTlbRange(cpu, mm, start);
    yield* setPteAt(cpu, mm, start, pmd, clear(old), 1);
    if (tlb !== null) {
      tlbFlushLevelRange(tlb, start, hugeSize(cpu), 1);
      cpu.claim.observed(cpu.read(mm.pgd), { start, end: start + hugeSize(cpu) });
      yield* tlbEndPtes(cpu, tlb, pmdTable(cpu, pmd, start));
    }
  }
  yield* cpu.spinUnlock(mm.pageTableLock);
}
