/**
 * mremap (mm/mremap.c).
 *
 *     lock mmap_lock for write
 *       smaller          unmap the tail (and go on as a reader, as munmap does)
 *       larger in place  if the VMA ends there and the next one is far enough away: only its bound changes
 *       else move        new VMA; move entries; unmap the old range: it is empty by now, but its tables may go
 *                        (with MREMAP_DONTUNMAP the old VMA stays, with nothing in it)
 *     unlock
 *
 * Claims: the old range is out of reach when the call returns (O2); the new one allows what its flags say from the moment
 * that its VMA exists. The address that get_unmapped_area would choose is the caller's choice.
 */
import { type Cpu, type Mm, pageSize, type Steps, type Vma, VM_SHARED, vmAccess } from '@mmu-gather/core/stepped';
import { EFAULT, EINVAL, ENOMEM } from './errno.ts';
import { lockVmaMapping, unlockVmaMapping } from './mapping.ts';
import { doMunmap, doMunmapUnlock, pageAlign, pageAligned } from './mmap.ts';
import { movePageTables } from './move-page-tables.ts';
import { insertCopiedVma, vmaLookup, vmaNext } from './vma.ts';
import { mmapWriteUnlock, setVmaBound, vmaStartWrite } from './vma-lock.ts';

/** The mapping may go to another address. */
export const MREMAP_MAYMOVE: number = 1;
/** It shall go to the given address; what is mapped there is unmapped. Needs {@link MREMAP_MAYMOVE}. */
export const MREMAP_FIXED: number = 2;

/** The old mapping stays, and has no pages any more. Needs {@link MREMAP_MAYMOVE}, and equal lengths. */
export const MREMAP_DONTUNMAP: number = 4;

/**
 * mremap.
 * @param from first address of the old range, which must lie within one VMA
 * @param oldLength its bytes; 0, of a shared mapping: what is at `from` is mapped a second time
 * @param flags MREMAP_* bits
 * @param to where it moves, if it does
 * @returns the address of the mapping, or a negative errno
 */
export function* mremap(
  cpu: Cpu,
  mm: Mm,
  from: number,
  oldLength: number,
  newLength: number,
  flags: number,
  to = 0,
): Steps<number> {
  const oldSize = pageAlign(cpu, oldLength);
  const newSize = pageAlign(cpu, newLength);
  const fixed = (flags & MREMAP_FIXED) !== 0;
  if (!pageAligned(cpu, from) || newSize <= 0) return -EINVAL;
  if (fixed && (flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
  const dontunmap = (flags & MREMAP_DONTUNMAP) !== 0;
  if (dontunmap && ((flags & MREMAP_MAYMOVE) === 0 || oldSize !== newSize)) return -EINVAL;
  if (fixed && (!pageAligned(cpu, to) || (to < from + oldSize && from < to + newSize))) return -EINVAL;
  if (fixed && to > cpu.kernel.taskSize - newSize) return -EINVAL;
  yield* cpu.downWrite(mm.mmapLock);
  const vma = vmaLookup(cpu, mm, from);
  if (vma === null || cpu.read(vma.end) < from + oldSize) {
    yield* mmapWriteUnlock(cpu, mm);
    return -EFAULT;
  }
  if (oldSize === 0 && (cpu.read(vma.flags) & VM_SHARED) === 0) {
    yield* mmapWriteUnlock(cpu, mm);
    return -EINVAL;
  }
  if (!fixed && !dontunmap && newSize <= oldSize) {
    if (newSize < oldSize) yield* doMunmapUnlock(cpu, mm, from + newSize, from + oldSize);
    else yield* mmapWriteUnlock(cpu, mm);
    return from;
  }
  const result = yield* growOrMove(cpu, mm, vma, { from, oldSize, newSize, flags, to });
  yield* mmapWriteUnlock(cpu, mm);
  return result;
}

/** A checked request. */
interface Request {
  readonly from: number;
  readonly oldSize: number;
  readonly newSize: number;
  readonly flags: number;
  readonly to: number;
}

/** mremap_to, expand_vma. mmap_lock for write. */
function* growOrMove(cpu: Cpu, mm: Mm, vma: Vma, request: Request): Steps<number> {
  const { from, oldSize, newSize, flags, to } = request;
  if ((flags & MREMAP_FIXED) !== 0) {
    yield* doMunmap(cpu, mm, to, to + newSize, false);
    if (newSize < oldSize) yield* doMunmap(cpu, mm, from + newSize, from + oldSize, false);
    // Either may have split the VMA, or unmapped part of what it was.
    const rest = vmaLookup(cpu, mm, from);
    if (rest === null) return -EFAULT;
    yield* moveVma(cpu, mm, rest, { ...request, oldSize: Math.min(oldSize, newSize) });
    return to;
  }
  const stays = (flags & MREMAP_DONTUNMAP) === 0;
  if (stays && (yield* expandInPlace(cpu, mm, vma, from + oldSize, from + newSize))) return from;
  if ((flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  yield* moveVma(cpu, mm, vma, request);
  return to;
}

/** expand_vma_in_place: if the range ends where the VMA does, and nothing is in the way. */
function* expandInPlace(cpu: Cpu, mm: Mm, vma: Vma, end: number, newEnd: number): Steps<boolean> {
  const next = vmaNext(cpu, vma);
  if (cpu.read(vma.end) !== end || (next !== null && cpu.read(next.start) < newEnd)) return false;
  yield* vmaStartWrite(cpu, mm, vma);
  yield* lockVmaMapping(cpu, vma);
  yield* setVmaBound(cpu, vma, 'end', newEnd);
  yield* unlockVmaMapping(cpu, vma);
  cpu.claim.limit(cpu.read(mm.pgd), { start: end, end: newEnd }, vmAccess(cpu.read(vma.flags)));
  return true;
}

/** move_vma: copy_vma, move_page_tables, and the unmapping of the old range, unless it shall stay (dontunmap_complete). */
function* moveVma(cpu: Cpu, mm: Mm, vma: Vma, request: Request): Steps<void> {
  const { from, oldSize: length, newSize, flags, to } = request;
  yield* vmaStartWrite(cpu, mm, vma);
  const pgoff = cpu.read(vma.pgoff) + (from - cpu.read(vma.start)) / pageSize(cpu.kernel.geometry);
  yield* insertCopiedVma(cpu, mm, vma, to, to + newSize, pgoff);
  cpu.claim.limit(cpu.read(mm.pgd), { start: to, end: to + newSize }, vmAccess(cpu.read(vma.flags)));
  yield* movePageTables(cpu, { mm, vma, from, to, length });
  if (length > 0 && (flags & MREMAP_DONTUNMAP) === 0) yield* doMunmap(cpu, mm, from, from + length, false);
}
