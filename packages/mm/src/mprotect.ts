/**
 * mprotect (mm/mprotect.c).
 *
 *     lock mmap_lock for write
 *       gather
 *         for each VMA: new flags, splits at the edges, changeProtection
 *       finish: flush what lost rights (on x86 also what gained some), or everything if another gather is open
 *     unlock
 *
 * Claims: what is taken away is gone when it returns (O2); what is granted may be used from the first entry on.
 */
import {
  type Cpu,
  type Mm,
  type MmuGather,
  type Steps,
  tlbFinishMmu,
  type Vma,
  VM_WRITE,
  VM_ACCESS_FLAGS,
  vmAccess,
} from '@mmu-gather/core/stepped';
import { changeProtection, changeProtectionGather, tryChangeWritable } from './change-protection.ts';
import { EINVAL, ENOMEM } from './errno.ts';
import { pageAlign, pageAligned } from './mmap.ts';
import { findVma, vmaModifyFlags } from './vma.ts';
import { vmaMergeRange } from './vma-merge.ts';
import { mmapWriteUnlock } from './vma-lock.ts';

/** mprotect_fixup: gives one VMA, or the part of it in the range, new flags. */
function* mprotectFixup(
  cpu: Cpu,
  mm: Mm,
  tlb: MmuGather | null,
  vma: Vma,
  start: number,
  end: number,
  flags: number,
): Steps<void> {
  const old = cpu.read(vma.flags);
  if (flags === old) return;
  const middle = yield* vmaModifyFlags(cpu, mm, vma, start, end, flags);
  // Rights that are new may be used as soon as the first entry is written.
  if ((flags & ~old & VM_WRITE) !== 0) cpu.claim.limit(cpu.read(mm.pgd), { start, end }, 'write');
  else if (vmAccess(old) === 'none') cpu.claim.limit(cpu.read(mm.pgd), { start, end }, vmAccess(flags));
  yield* changeProtection(cpu, mm, tlb, middle, start, end, tryChangeWritable(cpu, flags));
}

/**
 * mprotect.
 * @param prot VM_READ, VM_WRITE, VM_EXEC
 * @returns 0, or -ENOMEM if the range has holes; what lies before the first one was changed
 */
export function* mprotect(cpu: Cpu, mm: Mm, start: number, length: number, prot: number): Steps<number> {
  if (!pageAligned(cpu, start) || length < 0) return -EINVAL;
  const end = start + pageAlign(cpu, length);
  yield* cpu.downWrite(mm.mmapLock);
  const tlb = yield* changeProtectionGather(cpu, mm, true);
  let at = start;
  let vma = findVma(cpu, mm, start);
  while (vma !== null && at < end && cpu.read(vma.start) <= at) {
    const to = Math.min(cpu.read(vma.end), end);
    const flags = (cpu.read(vma.flags) & ~VM_ACCESS_FLAGS) | prot;
    yield* mprotectFixup(cpu, mm, tlb, vma, at, to, flags);
    // The VMA may be split, so where to go on is asked for by address.
    vma = findVma(cpu, mm, to);
    at = to;
  }
  yield* vmaMergeRange(cpu, mm, start, end);
  if (tlb !== null) yield* tlbFinishMmu(cpu, tlb, start, end);
  if (at > start) cpu.claim.limit(cpu.read(mm.pgd), { start, end: at }, vmAccess(prot));
  yield* mmapWriteUnlock(cpu, mm);
  return at < end ? -ENOMEM : 0;
}
