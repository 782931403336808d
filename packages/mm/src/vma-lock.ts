/**
 * Locks of VMAs (include/linux/mm.h, mm/memory.c: lock_vma_under_rcu; 6.4 on): a fault locks the one VMA it needs, and leaves
 * mmap_lock alone.
 *
 *     writer (mmap_lock for write)              fault
 *     vmaStartWrite(vma):                       RCU: find the VMA
 *       lock it; its seq := the mm's; unlock      try its lock for read; its seq is not the mm's?
 *     change it, or what it maps                unlock RCU; handle the fault; unlock the VMA
 *     mmapWriteUnlock: the mm's seq + 1         both equal: somebody writes, take mmap_lock instead
 *
 * So a VMA stays locked from vmaStartWrite until mmap_lock is dropped or downgraded, without a list of those that are. A writer
 * that changes entries and flushes late must lock their VMAs, or faults go on in between (trace T16).
 *
 * VMAs are found without a lock: links and bounds change by marked stores, and VMAs are freed after a grace period. As in 6.4
 * only VMAs with private pages are taken this way; for the rest a fault goes to mmap_lock.
 */
import { type Cell, type Cpu, Mm, type Steps, Vma } from '@mmu-gather/core/stepped';
import { vmaMapping } from './mapping.ts';

// Lists are long and walked at each fault: fields are found by offset, without a handle for each VMA that is passed.
const END = Vma.fields.indexOf('end');
const NEXT = Vma.fields.indexOf('next');

/** vma_start_write: no fault runs in this VMA until mmap_lock, which is held for write, is given back. Claims that it is (O16). */
export function* vmaStartWrite(cpu: Cpu, mm: Mm, vma: Vma): Steps<void> {
  const { perVmaLocks, vmaWriters } = cpu.kernel.profile;
  if (vmaWriters === 'none') return;
  cpu.claim.held(mm.mmapLock, 'write');
  if (!perVmaLocks) return;
  const seq = lockedSeq(cpu.read(mm.vmaLockSeq));
  if (cpu.read(vma.lockSeq) === seq) return;
  yield* cpu.downWrite(vma.lock);
  yield* cpu.writeOnce(vma.lockSeq, seq);
  yield* cpu.upWrite(vma.lock);
}

/** vma_assert_write_locked: claims that a VMA is locked for write, which what changes in it, or leaves it, relies on (O16). */
export function vmaAssertWriteLocked(cpu: Cpu, vma: Vma): void {
  const { perVmaLocks, vmaWriters } = cpu.kernel.profile;
  if (!perVmaLocks || vmaWriters === 'none') return;
  const seq = lockedSeq(cpu.read(Mm.at(cpu.read(vma.mm)).vmaLockSeq));
  cpu.claim.that(cpu.read(vma.lockSeq) === seq, 'O16', 'a VMA changes in which faults may be going on');
}

/** What a VMA's seq is while it is locked: never 0, which a new VMA has. */
function lockedSeq(mmSeq: number): number {
  return mmSeq + 1;
}

/** vma_end_write_all. */
function* vmaEndWriteAll(cpu: Cpu, mm: Mm): Steps<void> {
  if (cpu.kernel.profile.perVmaLocks) yield* cpu.storeRelease(mm.vmaLockSeq, cpu.read(mm.vmaLockSeq) + 1);
}

/** mmap_write_unlock. */
export function* mmapWriteUnlock(cpu: Cpu, mm: Mm): Steps<void> {
  yield* vmaEndWriteAll(cpu, mm);
  yield* cpu.upWrite(mm.mmapLock);
}

/** mmap_write_downgrade. */
export function* mmapWriteDowngrade(cpu: Cpu, mm: Mm): Steps<void> {
  yield* vmaEndWriteAll(cpu, mm);
  yield* cpu.downgradeWrite(mm.mmapLock);
}

/** Stores a link to a VMA, or a bound of one, that others may be looking at without a lock (rcu_assign_pointer). */
export function* publishVma(cpu: Cpu, cell: Cell, value: number): Steps<void> {
  if (cpu.kernel.profile.perVmaLocks) yield* cpu.storeRelease(cell, value);
  else cpu.write(cell, value);
}

/** vma_set_range: a new bound. Who has found the VMA by its file looks at its bounds, too: the lock of that is held for write (O16). */
export function setVmaBound(cpu: Cpu, vma: Vma, bound: 'start' | 'end', address: number): Steps<void> {
  vmaAssertWriteLocked(cpu, vma);
  const mapping = vmaMapping(cpu, vma);
  if (mapping !== null) cpu.claim.held(mapping.iMmapLock, 'write');
  return publishVma(cpu, vma[bound], address);
}

/** The moment after which nobody finds the VMA any more who did not before (vma_mark_detached). It is locked for write. */
export function vmaMarkDetached(cpu: Cpu, vma: Vma): void {
  vmaAssertWriteLocked(cpu, vma);
  if (cpu.kernel.profile.perVmaLocks) cpu.write(vma.detached, 1);
}

/** vm_area_free: who found it before may still be looking at its lock. */
export function freeVma(cpu: Cpu, vma: Vma): Steps<void> {
  const { perVmaLocks, vmaFree } = cpu.kernel.profile;
  return perVmaLocks && vmaFree === 'rcu' ? cpu.freeRcu('vma', vma.address) : cpu.free('vma', vma.address);
}

/** lock_vma_under_rcu. @returns the VMA that holds the address, locked for read; null if mmap_lock is needed */
export function* lockVmaUnderRcu(cpu: Cpu, mm: Mm, address: number): Steps<Vma | null> {
  if (!cpu.kernel.profile.perVmaLocks) return null;
  yield* cpu.rcuReadLock();
  let vma = yield* findVmaLockless(cpu, mm, address);
  if (vma !== null && !(yield* vmaStartRead(cpu, mm, vma))) vma = null;
  if (vma !== null && !(yield* suitable(cpu, vma, address))) {
    yield* vmaEndRead(cpu, vma);
    vma = null;
  }
  // A detached VMA must not be looked at after this; one that is not cannot be detached while it is locked.
  yield* cpu.rcuReadUnlock();
  return vma;
}

/** Is it still the one, and may it be used this way? It is locked for read. */
function* suitable(cpu: Cpu, vma: Vma, address: number): Steps<boolean> {
  if (cpu.read(vma.detached) !== 0) return false;
  if (address < cpu.read(vma.start) || address >= cpu.read(vma.end)) return false;
  return (yield* cpu.readOnce(vma.anonVma)) !== 0;
}

function* findVmaLockless(cpu: Cpu, mm: Mm, address: number): Steps<Vma | null> {
  for (let at = yield* cpu.loadAcquire(mm.mmap); at !== 0; at = yield* cpu.loadAcquire(at + NEXT)) {
    if ((yield* cpu.readOnce(at + END)) > address) return Vma.at(at);
  }
  return null;
}

/** vma_start_read. */
function* vmaStartRead(cpu: Cpu, mm: Mm, vma: Vma): Steps<boolean> {
  if ((yield* cpu.downReadTrylock(vma.lock)) === 0) return false;
  // Acquire: pairs with the release of vmaEndWriteAll, so that what the last writer did is seen.
  const mmSeq = yield* cpu.loadAcquire(mm.vmaLockSeq);
  if ((yield* cpu.readOnce(vma.lockSeq)) !== lockedSeq(mmSeq)) return true;
  yield* vmaEndRead(cpu, vma);
  return false;
}

/** vma_end_read. */
export function vmaEndRead(cpu: Cpu, vma: Vma): Steps<void> {
  return cpu.upRead(vma.lock);
}
