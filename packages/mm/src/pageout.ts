/**
 * MADV_PAGEOUT: the pages of a range that one place alone maps go to reclaim at once, one PTE table's worth at a time
 * (mm/madvise.c: madvise_pageout, madvise_cold_or_pageout_pte_range, mm/vmscan.c: reclaim_pages).
 *
 *     each VMA: gather
 *       each PTE table, as with MADV_COLD:
 *         lock PTL; pick pages; up to 6.9 young entries become old, noted in the gather; unlock
 *         reclaim unmaps what was picked, and flushes
 *     finish: what became old is flushed, though reclaim did so already
 *
 * There is no swap space: anonymous pages stay, unless MADV_FREE gave them up; a huge one is split into small ones first, for want of room
 * for it as a whole. Locks: mmap_lock for read.
 */
import {
  type Cell,
  type Cpu,
  type Mm,
  type MmuGather,
  type Steps,
  tlbEndVma,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbStartVma,
  type Vma,
} from '@mmu-gather/core/stepped';
import { EINVAL, ENOMEM } from './errno.ts';
import { clearPteRange } from './madvise-walk.ts';
import { pageAlign, pageAligned } from './mmap.ts';
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

/** madvise_pageout_page_range. */
function* pageoutVma(cpu: Cpu, mm: Mm, vma: Vma, start: number, end: number, keepDirty: boolean): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm);
  tlbStartVma(cpu, tlb, vma);
  yield* walkPageRange(cpu, mm, start, end, (c, pmd, from, to) => pageoutPteRange(c, tlb, pmd, from, to, keepDirty));
  yield* tlbEndVma(cpu, tlb);
  yield* tlbFinishMmu(cpu, tlb, start, end);
}

/** The rest of madvise_cold_or_pageout_pte_range: what was picked under the PTL is reclaimed without it. */
function* pageoutPteRange(
  cpu: Cpu,
  tlb: MmuGather,
  pmd: Cell,
  start: number,
  end: number,
  keepDirty: boolean,
): Steps<void> {
  const isolated: Rmap[] = [];
  yield* clearPteRange(cpu, tlb, pmd, start, end, { free: false, ages: cpu.kernel.profile.pageoutAges, isolated });
  if (isolated.length > 0) yield* shrinkPages(cpu, isolated, null, keepDirty);
}
