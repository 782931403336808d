/**
 * userfaultfd write-protection, as far as TLB flushing sees it (fs/userfaultfd.c, mm/userfaultfd.c).
 *
 * The call holds mmap_lock for read only, so faults of other threads run while entries are protected and not yet flushed
 * (trace T10): that a page is read-only in memory does not mean that nobody writes to it.
 */
import { type Cpu, type Mm, type Steps, tlbFinishMmu, VM_UFFD_WP } from '@mmu-gather/core/stepped';
import {
  changeProtection,
  changeProtectionGather,
  MM_CP_UFFD_WP,
  MM_CP_UFFD_WP_RESOLVE,
  tryChangeWritable,
} from './change-protection.ts';
import { EINVAL, ENOMEM, VM_FAULT_RETRY } from './errno.ts';
import { pageAlign, pageAligned } from './mmap.ts';
import { vmaAround, vmaModifyFlags } from './vma.ts';
import { mmapWriteUnlock } from './vma-lock.ts';
import { releaseFaultLock, type Vmf } from './vmf.ts';

/** UFFDIO_REGISTER with UFFDIO_REGISTER_MODE_WP, for a range within one VMA. @returns 0 or a negative errno */
export function* uffdRegisterWp(cpu: Cpu, mm: Mm, start: number, length: number): Steps<number> {
  if (!pageAligned(cpu, start) || length <= 0) return -EINVAL;
  const end = start + pageAlign(cpu, length);
  yield* cpu.downWrite(mm.mmapLock);
  const vma = vmaAround(cpu, mm, start, end);
  if (vma !== null) yield* vmaModifyFlags(cpu, mm, vma, start, end, cpu.read(vma.flags) | VM_UFFD_WP);
  yield* mmapWriteUnlock(cpu, mm);
  return vma === null ? -EINVAL : 0;
}

/**
 * mwriteprotect_range: UFFDIO_WRITEPROTECT for a range within one registered VMA.
 * @param protect protect, or let writes through again
 * @returns 0 or a negative errno
 */
export function* mwriteprotectRange(cpu: Cpu, mm: Mm, start: number, length: number, protect: boolean): Steps<number> {
  if (!pageAligned(cpu, start) || length <= 0) return -EINVAL;
  const end = start + pageAlign(cpu, length);
  yield* cpu.downRead(mm.mmapLock);
  const vma = vmaAround(cpu, mm, start, end);
  if (vma !== null && (cpu.read(vma.flags) & VM_UFFD_WP) !== 0) {
    const writable = cpu.kernel.profile.uffdResolveWritable ? tryChangeWritable(cpu, cpu.read(vma.flags)) : 0;
    const resolve = MM_CP_UFFD_WP_RESOLVE | writable;
    const tlb = yield* changeProtectionGather(cpu, mm);
    yield* changeProtection(cpu, mm, tlb, vma, start, end, protect ? MM_CP_UFFD_WP : resolve);
    if (tlb !== null) yield* tlbFinishMmu(cpu, tlb, start, end);
  }
  yield* cpu.upRead(mm.mmapLock);
  return vma === null ? -ENOMEM : 0;
}

/** handle_userfault: drops its lock and sleeps until somebody has changed the entry. */
export function* handleUserfault(cpu: Cpu, vmf: Vmf): Steps<number> {
  yield* releaseFaultLock(cpu, vmf);
  yield* cpu.waitFor(vmf.pte, 'notEqual', vmf.orig);
  return VM_FAULT_RETRY;
}
