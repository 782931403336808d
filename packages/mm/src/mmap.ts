/**
 * mmap, munmap, brk (mm/mmap.c, mm/vma.c).
 *
 *     munmap                                   fault, in any thread
 *     lock mmap_lock for write
 *       take VMAs out of the list              find_vma: nothing there
 *     downgrade to read                        faults elsewhere go on
 *       gather: zap entries, free tables, flush, free pages
 *     unlock                                   only now the range can be mapped again
 *
 * Claims: when munmap returns, and when mmap replaced a mapping, no access to the old one is left (O2); a new VMA allows
 * what its flags say.
 */
import {
  type Cpu,
  type Mm,
  type Steps,
  tlbFinishMmu,
  tlbGatherMmu,
  VM_READ,
  VM_WRITE,
  pageSize,
  vmAccess,
} from '@mmu-gather/core/stepped';
import { EINVAL } from './errno.ts';
import { freePgtables } from './free-pgtables.ts';
import { vmaMapping } from './mapping.ts';
import { unmapVmas } from './memory.ts';
import { ANONYMOUS, type Backing, type DetachedVmas, detachVmas, findVmaBefore, insertVma, removeVmas } from './vma.ts';
import { vmaMergeRange } from './vma-merge.ts';
import { mmapWriteDowngrade, mmapWriteUnlock, setVmaBound, vmaStartWrite } from './vma-lock.ts';

/** PAGE_ALIGN. */
export function pageAlign(cpu: Cpu, bytes: number): number {
  const size = pageSize(cpu.kernel.geometry);
  return Math.ceil(bytes / size) * size;
}

/** Is it the address of a page? */
export function pageAligned(cpu: Cpu, address: number): boolean {
  return address % pageSize(cpu.kernel.geometry) === 0;
}

/** vms_clear_ptes and remove_vma: one gather for the mappings and tables of detached VMAs. */
function* clearDetached(cpu: Cpu, mm: Mm, detached: DetachedVmas, start: number, end: number): Steps<void> {
  // Files are unlinked while the gather is open, under a lock that others hold when they finish theirs.
  const files = detached.vmas.some((vma) => vmaMapping(cpu, vma) !== null);
  const tlb = yield* tlbGatherMmu(cpu, mm, files);
  yield* unmapVmas(cpu, tlb, detached.vmas);
  yield* freePgtables(cpu, tlb, detached.vmas, detached.floor, detached.ceiling);
  yield* tlbFinishMmu(cpu, tlb, start, end);
  yield* removeVmas(cpu, detached.vmas);
}

/**
 * do_vmi_align_munmap: mmap_lock is held for write.
 * @param mayDowngrade nothing is left to do after this: it may go on as a reader
 * @returns whether the lock is held for read now
 */
export function* doMunmap(cpu: Cpu, mm: Mm, start: number, end: number, mayDowngrade: boolean): Steps<boolean> {
  const detached = yield* detachVmas(cpu, mm, start, end);
  const downgrade = mayDowngrade && cpu.kernel.profile.munmapDowngrade && detached.vmas.length > 0;
  if (downgrade) yield* mmapWriteDowngrade(cpu, mm);
  if (detached.vmas.length > 0) yield* clearDetached(cpu, mm, detached, start, end);
  cpu.claim.limit(cpu.read(mm.pgd), { start, end }, 'none');
  return downgrade;
}

/** do_munmap with mmap_lock, taken and given back. */
function* unmapRange(cpu: Cpu, mm: Mm, start: number, end: number): Steps<void> {
  yield* cpu.downWrite(mm.mmapLock);
  yield* doMunmapUnlock(cpu, mm, start, end);
}

/** do_vmi_munmap as the last thing under mmap_lock, which is held for write: it may go on as a reader, and lets go of the lock. */
export function* doMunmapUnlock(cpu: Cpu, mm: Mm, start: number, end: number): Steps<void> {
  const downgraded = yield* doMunmap(cpu, mm, start, end, true);
  if (downgraded) yield* cpu.upRead(mm.mmapLock);
  else yield* mmapWriteUnlock(cpu, mm);
}

/** munmap. @returns 0 or a negative errno */
export function* munmap(cpu: Cpu, mm: Mm, start: number, length: number): Steps<number> {
  if (!pageAligned(cpu, start) || length <= 0) return -EINVAL;
  yield* unmapRange(cpu, mm, start, start + pageAlign(cpu, length));
  return 0;
}

/**
 * mmap at an address that was chosen already; what is mapped there goes first, as with MAP_FIXED.
 * @param flags VM_* bits
 * @returns the address or a negative errno
 */
export function* mmap(
  cpu: Cpu,
  mm: Mm,
  start: number,
  length: number,
  flags: number,
  backing: Backing = ANONYMOUS,
): Steps<number> {
  if (!pageAligned(cpu, start) || length <= 0) return -EINVAL;
  const end = start + pageAlign(cpu, length);
  const root = cpu.read(mm.pgd);
  yield* cpu.downWrite(mm.mmapLock);
  const detached = yield* detachVmas(cpu, mm, start, end);
  if (detached.vmas.length > 0) {
    // Tables that are about to be used again are freed all the same: the gap that counts is the one before the new VMA.
    yield* clearDetached(cpu, mm, detached, start, end);
    cpu.claim.limit(root, { start, end }, 'none');
  }
  yield* insertVma(cpu, mm, start, end, flags, backing);
  yield* vmaMergeRange(cpu, mm, start, end);
  cpu.claim.limit(root, { start, end }, vmAccess(flags));
  yield* mmapWriteUnlock(cpu, mm);
  return start;
}

/**
 * brk: moves the end of the heap from `from` to `to`. Growing extends the VMA that ends there, if there is one.
 * @returns the new end
 */
export function* brk(cpu: Cpu, mm: Mm, from: number, to: number): Steps<number> {
  const start = pageAlign(cpu, from);
  const end = pageAlign(cpu, to);
  if (end < start) {
    yield* unmapRange(cpu, mm, end, start);
  } else if (end > start) {
    const flags = VM_READ | VM_WRITE;
    yield* cpu.downWrite(mm.mmapLock);
    const below = findVmaBefore(cpu, mm, start);
    const extend = below !== null && cpu.read(below.end) === start;
    if (extend && cpu.read(below.flags) === flags && cpu.read(below.file) === 0) {
      yield* vmaStartWrite(cpu, mm, below);
      yield* setVmaBound(cpu, below, 'end', end);
    } else yield* insertVma(cpu, mm, start, end, flags, ANONYMOUS);
    cpu.claim.limit(cpu.read(mm.pgd), { start, end }, 'write');
    yield* mmapWriteUnlock(cpu, mm);
  }
  return to;
}
