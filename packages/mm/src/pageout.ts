/**
 * MADV_PAGEOUT: the pages of a range that one place alone maps go to reclaim at once, one PTE table's worth at a time
 * (mm/madvise.c: madvise_pageout, madvise_cold_or_pageout_pte_range, mm/vmscan.c: reclaim_pages).
 *
 *     each VMA: gather
 *       up to 6.9: young entries become old, as with MADV_COLD       noted in the gather
 *       each PTE table: pages to reclaim, which unmaps and flushes
 *     finish: what became old is flushed, though reclaim did so already
 *
 * There is no swap space: anonymous pages stay, unless MADV_FREE gave them up; a huge one is split into small ones first, for want of room
 * for it as a whole. Locks: mmap_lock for read.
 */
import {
  type Address,
  type Cell,
  type Cpu,
  entryCell,
  entryTarget,
  type Mm,
  pageSize,
  PG_LAZYFREE,
  ptePresent,
  type Steps,
  tlbEndVma,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbStartVma,
  type Vma,
} from '@mmu-gather/core/stepped';
import { EINVAL, ENOMEM } from './errno.ts';
import { mayBeHuge, pmdTransHuge, splitHugePmd } from './huge-memory.ts';
import { madviseColdPageRange } from './madvise-walk.ts';
import { pageAlign, pageAligned } from './mmap.ts';
import { pageAnon, pageFlags, pageMapcount, vmNormalPage } from './page.ts';
import { ptepGet, pteOffsetMapLock, pteUnmapUnlock } from './page-table.ts';
import { walkPageRange } from './pagewalk.ts';
import { findVma, vmaNext } from './vma.ts';
import { type Rmap, shrinkPages } from './vmscan.ts';

/**
 * madvise(MADV_PAGEOUT).
 * @param keepDirty dirty pages of a VMA are left for the flusher threads: its file is on a disk
 * @returns 0, or a negative errno; -ENOMEM if there are holes, after the rest was done
 */
export function* madvisePageout(
  cpu: Cpu,
  mm: Mm,
  start: number,
  length: number,
  keepDirty: (vma: Vma) => boolean,
): Steps<number> {
  if (!pageAligned(cpu, start) || length < 0) return -EINVAL;
  const end = start + pageAlign(cpu, length);
  yield* cpu.downRead(mm.mmapLock);
  let covered = start;
  let holes = false;
  for (let vma = findVma(cpu, mm, start); vma !== null && cpu.read(vma.start) < end; vma = vmaNext(cpu, vma)) {
    const from = Math.max(start, cpu.read(vma.start));
    holes ||= from > covered;
    covered = Math.min(end, cpu.read(vma.end));
    yield* pageoutVma(cpu, mm, vma, from, covered, keepDirty(vma));
  }
  yield* cpu.upRead(mm.mmapLock);
  return holes || covered < end ? -ENOMEM : 0;
}

function* pageoutVma(cpu: Cpu, mm: Mm, vma: Vma, start: number, end: number, keepDirty: boolean): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm);
  tlbStartVma(cpu, tlb, vma);
  if (cpu.kernel.profile.pageoutAges) yield* madviseColdPageRange(cpu, tlb, start, end);
  yield* walkPageRange(cpu, mm, start, end, (c, pmd, from, to) => pageoutRange(c, mm, vma, pmd, from, to, keepDirty));
  yield* tlbEndVma(cpu, tlb);
  yield* tlbFinishMmu(cpu, tlb, start, end);
}

/** What one entry of level 1 maps of the range. */
function* pageoutRange(
  cpu: Cpu,
  mm: Mm,
  vma: Vma,
  pmd: Cell,
  start: number,
  end: number,
  keepDirty: boolean,
): Steps<void> {
  if (mayBeHuge(cpu, vma) && pmdTransHuge(yield* cpu.readOnce(pmd))) {
    yield* splitHugePmd(cpu, mm, pmd, start);
    return;
  }
  const pages = yield* isolate(cpu, mm, pmd, start, end);
  if (pages.length > 0) yield* shrinkPages(cpu, pages, null, keepDirty);
}

/** The pages that reclaim is given: they have somewhere to go, and nobody else maps them. */
function* isolate(cpu: Cpu, mm: Mm, pmd: Cell, start: number, end: number): Steps<Rmap[]> {
  const pages: Rmap[] = [];
  const table = yield* pteOffsetMapLock(cpu, pmd);
  if (table === 0) return pages;
  const { geometry } = cpu.kernel;
  for (let address = start; address < end; address += pageSize(geometry)) {
    const entry = yield* ptepGet(cpu, entryCell(geometry, table, 0, address));
    const page = ptePresent(entry) ? vmNormalPage(entry) : 0;
    if (page !== 0 && (yield* mayGo(cpu, page))) pages.push({ page: entryTarget(entry), mm, address });
  }
  yield* pteUnmapUnlock(cpu, table);
  return pages;
}

function* mayGo(cpu: Cpu, page: Address): Steps<boolean> {
  if ((yield* pageMapcount(cpu, page)) !== 1) return false;
  return !pageAnon(cpu, page) || ((yield* pageFlags(cpu, page)) & PG_LAZYFREE) !== 0;
}
