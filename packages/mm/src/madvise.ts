/**
 * madvise (mm/madvise.c): advice on memory that stays mapped.
 *
 *     MADV_DONTNEED   entries go; the next access gets a page of zeroes
 *     MADV_FREE       entries stay, clean and old; until the next write reclaim may drop the page
 *     MADV_COLD       entries stay, old
 *
 * mmap_lock is held for read only, so two calls, or a call and a fault, may meet on one entry:
 *
 *     CPU 0                              CPU 1, same range
 *     gather; clear entry                gather; entry is none already
 *                                        finish: nothing of its own to flush, but another gather is open
 *     finish: flush                      flush all the same (nestedFinish), or go on with a stale entry (bug B03)
 *
 * MADV_DONTNEED and MADV_FREE open one gather for the whole call, also for process_madvise's vector (6.16 on), or one for
 * each VMA; MADV_COLD always one for each VMA.
 */
import {
  type Cpu,
  type Extent,
  type Mm,
  type MmuGather,
  type Steps,
  tlbEndVma,
  tlbFinishMmu,
  tlbGatherMmu,
  tlbStartVma,
  type Vma,
  VM_PFNMAP,
} from '@mmu-gather/core/stepped';
import { EINVAL, ENOMEM } from './errno.ts';
import { madviseColdPageRange, madviseFreePageRange } from './madvise-walk.ts';
import { unmapPageRange } from './memory.ts';
import { pageAlign, pageAligned } from './mmap.ts';
import { findVma, vmaNext } from './vma.ts';

/** Numbers of advice, as in the system call. */
export const MADV_DONTNEED: number = 4;
/** The contents may be dropped when memory is short. */
export const MADV_FREE: number = 8;
/** Not used for a while. */
export const MADV_COLD: number = 20;
/** MADV_DONTNEED for locked memory too. */
export const MADV_DONTNEED_LOCKED: number = 24;

/** madvise. @returns 0, or a negative errno; -ENOMEM if there are holes, after the rest was done */
export function madvise(cpu: Cpu, mm: Mm, start: number, length: number, advice: number): Steps<number> {
  return processMadvise(cpu, mm, [{ start, end: start + length }], advice);
}

/** madvise(MADV_DONTNEED). */
export function madviseDontneed(cpu: Cpu, mm: Mm, start: number, length: number): Steps<number> {
  return madvise(cpu, mm, start, length, MADV_DONTNEED);
}

/** process_madvise, vector_madvise: one advice for several ranges; stops behind the first that fails, or has holes. */
export function* processMadvise(cpu: Cpu, mm: Mm, ranges: readonly Extent[], advice: number): Steps<number> {
  if (![MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE, MADV_COLD].includes(advice)) return -EINVAL;
  if (ranges.length === 0) return 0;
  if (ranges.some(({ start, end }) => !pageAligned(cpu, start) || end < start)) return -EINVAL;
  yield* cpu.downRead(mm.mmapLock);
  const exchanges = advice === MADV_DONTNEED || advice === MADV_DONTNEED_LOCKED;
  const extents = ranges.map(({ start, end }) => ({ start, end: start + pageAlign(cpu, end - start) }));
  const root = cpu.read(mm.pgd);
  if (exchanges) for (const extent of extents) cpu.claim.changing(root, extent, true);
  const perCall = cpu.kernel.profile.madviseGather === 'per-call' && advice !== MADV_COLD;
  const tlb = perCall ? yield* tlbGatherMmu(cpu, mm) : null;
  let result = 0;
  for (const extent of extents) {
    result = yield* madviseWalkVmas(cpu, mm, tlb, extent, advice);
    if (result !== 0) break;
  }
  if (tlb !== null) yield* tlbFinishMmu(cpu, tlb, extents[0]!.start, extents[extents.length - 1]!.end);
  if (exchanges) for (const extent of extents) cpu.claim.changing(root, extent, false);
  yield* cpu.upRead(mm.mmapLock);
  return result;
}

/** madvise_walk_vmas. */
function* madviseWalkVmas(
  cpu: Cpu,
  mm: Mm,
  outer: MmuGather | null,
  { start, end }: Extent,
  advice: number,
): Steps<number> {
  let covered = start;
  let result = 0;
  for (let vma = findVma(cpu, mm, start); vma !== null; vma = vmaNext(cpu, vma)) {
    const from = Math.max(start, cpu.read(vma.start));
    const to = Math.min(end, cpu.read(vma.end));
    if (from >= to) break;
    if (from > covered) result = -ENOMEM;
    covered = to;
    if (!madviseAllowed(cpu, vma, advice)) return -EINVAL;
    const tlb: MmuGather = outer ?? (yield* tlbGatherMmu(cpu, mm));
    yield* madviseVma(cpu, tlb, vma, from, to, advice);
    if (outer === null) yield* tlbFinishMmu(cpu, tlb, from, to);
  }
  return covered < end ? -ENOMEM : result;
}

/** MADV_FREE needs anonymous memory, and reclaim's advice pages of its own. */
function madviseAllowed(cpu: Cpu, vma: Vma, advice: number): boolean {
  if (advice === MADV_FREE) return cpu.read(vma.file) === 0;
  return (cpu.read(vma.flags) & VM_PFNMAP) === 0;
}

/** madvise_vma_behavior: the part of one VMA. */
function* madviseVma(cpu: Cpu, tlb: MmuGather, vma: Vma, from: number, to: number, advice: number): Steps<void> {
  if (advice === MADV_DONTNEED || advice === MADV_DONTNEED_LOCKED) {
    yield* unmapPageRange(cpu, tlb, vma, from, to, true);
    return;
  }
  tlbStartVma(cpu, tlb, vma);
  if (advice === MADV_FREE) yield* madviseFreePageRange(cpu, tlb, from, to);
  else yield* madviseColdPageRange(cpu, tlb, from, to);
  yield* tlbEndVma(cpu, tlb);
}
