/**
 * Merging VMAs that became alike (mm/vma.c: vma_merge_existing_range), as far as deferred flushes see it: anonymous neighbours.
 *
 *     CPU 0 (NUMA hinting, mmap_lock for read)     CPU 1 (mprotect, mmap_lock for write)
 *     lock PTL; change; B.deferTlbGen = gen
 *     unlock PTL
 *     flush to gen
 *     unlock mmap_lock
 *                                                  A takes in B, and drops B's record
 *
 * What is on record in B is flushed before the writer gets mmap_lock: all who defer in such VMAs hold that lock until they have flushed. Where
 * nothing keeps them out, a merge that drops B's record loses a flush (`generations/merge`).
 *
 * Locks: mmap_lock for write.
 */
import type { Cpu, Mm, Steps, Vma } from '@mmu-gather/core/stepped';
import { findVma, findVmaBefore, vmaNext } from './vma.ts';
import { freeVma, publishVma, setVmaBound, vmaMarkDetached, vmaStartWrite } from './vma-lock.ts';

/** can_vma_merge_after: are they neighbours of private memory without a file, with the same flags? */
function mayMerge(cpu: Cpu, vma: Vma, next: Vma): boolean {
  if (cpu.read(vma.end) !== cpu.read(next.start) || cpu.read(vma.flags) !== cpu.read(next.flags)) return false;
  return [vma, next].every(({ file, mapping }) => cpu.read(file) === 0 && cpu.read(mapping) === 0);
}

/** A VMA takes in the one behind it. */
export function* vmaMerge(cpu: Cpu, mm: Mm, vma: Vma, next: Vma): Steps<void> {
  yield* vmaStartWrite(cpu, mm, vma);
  yield* vmaStartWrite(cpu, mm, next);
  if ((yield* cpu.readOnce(next.anonVma)) !== 0) yield* cpu.writeOnce(vma.anonVma, 1);
  vmaMarkDetached(cpu, next);
  yield* publishVma(cpu, vma.next, cpu.read(next.next));
  yield* setVmaBound(cpu, vma, 'end', cpu.read(next.end));
  yield* freeVma(cpu, next);
}

/** Merges what touches a range, if the profile merges at all. */
export function* vmaMergeRange(cpu: Cpu, mm: Mm, start: number, end: number): Steps<void> {
  if (!cpu.kernel.profile.vmaMerge) return;
  let vma = findVmaBefore(cpu, mm, start) ?? findVma(cpu, mm, start);
  while (vma !== null && cpu.read(vma.start) <= end) {
    const next = vmaNext(cpu, vma);
    if (next !== null && mayMerge(cpu, vma, next)) yield* vmaMerge(cpu, mm, vma, next);
    else vma = next;
  }
}
