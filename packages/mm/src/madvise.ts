/**
 * MADV_DONTNEED (mm/madvise.c): entries go, the VMA stays, the next access gets a page of zeroes.
 *
 * mmap_lock is held for read only, so two calls, or a call and a fault, may meet on one entry:
 *
 *     CPU 0                              CPU 1, same range
 *     gather; clear entry                gather; entry is none already
 *                                        finish: nothing of its own to flush, but another gather is open
 *     finish: flush                      flush all the same (nestedFinish), or go on with a stale entry (bug B03)
 *
 * 6.16 on: one gather for the whole call; before: one for each VMA.
 */
import { type Cpu, type MmuGather, type Mm, type Steps, tlbFinishMmu, tlbGatherMmu } from '@mmu-gather/core/stepped';
import { EINVAL, ENOMEM } from './errno.ts';
import { unmapPageRange } from './memory.ts';
import { pageAlign, pageAligned } from './mmap.ts';
import { findVma, vmaNext } from './vma.ts';

/** madvise(MADV_DONTNEED). @returns 0, or -ENOMEM if the range has holes; what is mapped was done all the same */
export function* madviseDontneed(cpu: Cpu, mm: Mm, start: number, length: number): Steps<number> {
  if (!pageAligned(cpu, start) || length < 0) return -EINVAL;
  const end = start + pageAlign(cpu, length);
  const root = cpu.read(mm.pgd);
  yield* cpu.downRead(mm.mmapLock);
  cpu.claim.changing(root, { start, end }, true);
  const perCall = cpu.kernel.profile.madviseGather === 'per-call';
  const outer = perCall ? yield* tlbGatherMmu(cpu, mm) : null;
  let covered = start;
  let result = 0;
  let vma = findVma(cpu, mm, start);
  while (vma !== null && cpu.read(vma.start) < end) {
    const from = Math.max(start, cpu.read(vma.start));
    const to = Math.min(end, cpu.read(vma.end));
    if (from > covered) result = -ENOMEM;
    const tlb: MmuGather = outer ?? (yield* tlbGatherMmu(cpu, mm));
    yield* unmapPageRange(cpu, tlb, vma, from, to, true);
    if (outer === null) yield* tlbFinishMmu(cpu, tlb, from, to);
    covered = to;
    vma = vmaNext(cpu, vma);
  }
  if (outer !== null) yield* tlbFinishMmu(cpu, outer, start, end);
  cpu.claim.changing(root, { start, end }, false);
  yield* cpu.upRead(mm.mmapLock);
  return covered < end ? -ENOMEM : result;
}
