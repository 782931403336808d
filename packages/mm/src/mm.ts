/**
 * The life of an address space (kernel/fork.c, mm/mmap.c).
 *
 *     mm_users   tasks that run in it; the last one to go tears down its mappings (exit_mmap)
 *     mm_count   references to the struct: one for all users together, one for each lazy CPU or kernel thread that borrows it;
 *                the last one to go frees the top-level table
 *
 * Between the two no user code runs in the mm, but a lazy CPU may still have it loaded and speculate through its tables:
 * that is why the teardown frees tables only after a flush with freed_tables, and the pgd only with the last reference. Ways to do
 * with less are in core's fullmm.ts.
 */
import { type Cpu, EVERYTHING, Mm, tlbFinishMmu, tlbGatherMmuFullmm, type Steps } from '@mmu-gather/core/stepped';
import { freePgtables } from './free-pgtables.ts';
import { unmapVmas } from './memory.ts';
import { mmdrop } from './mm-count.ts';
import { removeVmas, vmasOf } from './vma.ts';
import { mmapWriteUnlock } from './vma-lock.ts';

/** mm_alloc: an empty address space with one user. */
export function* mmAlloc(cpu: Cpu): Steps<Mm> {
  const mm = Mm.at(yield* cpu.alloc('mm'));
  cpu.write(mm.pgd, yield* cpu.alloc('table'));
  cpu.write(mm.mmUsers, 1);
  cpu.write(mm.mmCount, 1);
  yield* cpu.kernel.backend.initNewContext(cpu, mm);
  return mm;
}

/** mmget: one more user, from somebody who is one. */
export function mmget(cpu: Cpu, mm: Mm): Steps<void> {
  return cpu.atomicAdd(mm.mmUsers, 1);
}

/** mmput: with the last user __mmput tears the mappings down. The caller has switched away from it, or is lazy. */
export function* mmput(cpu: Cpu, mm: Mm): Steps<void> {
  const left = yield* cpu.atomicAddReturn(mm.mmUsers, -1);
  cpu.claim.that(left >= 0, 'O16', 'mm_users dropped below 0');
  if (left !== 0) return;
  yield* exitMmap(cpu, mm);
  yield* mmdrop(cpu, mm);
}

/**
 * exit_mmap: one fullmm gather over everything. Reclaim may still look at the entries while they are zapped (mmap_lock for
 * read); tables are freed with the lock held for write.
 */
export function* exitMmap(cpu: Cpu, mm: Mm): Steps<void> {
  const { archExitMmap } = cpu.kernel.backend;
  if (archExitMmap !== null) yield* archExitMmap(cpu, mm);
  yield* cpu.downRead(mm.mmapLock);
  const vmas = vmasOf(cpu, mm);
  if (vmas.length === 0) {
    yield* cpu.upRead(mm.mmapLock);
    return;
  }
  if (cpu.kernel.profile.fullmm === 'F2') yield* cpu.kernel.backend.leaveMmEverywhere(cpu, mm);
  const tlb = yield* tlbGatherMmuFullmm(cpu, mm);
  yield* unmapVmas(cpu, tlb, vmas);
  yield* cpu.upRead(mm.mmapLock);
  yield* cpu.downWrite(mm.mmapLock);
  yield* freePgtables(cpu, tlb, vmas, 0, EVERYTHING);
  yield* tlbFinishMmu(cpu, tlb, 0, EVERYTHING);
  cpu.write(mm.mmap, 0);
  yield* removeVmas(cpu, vmas);
  yield* mmapWriteUnlock(cpu, mm);
}
