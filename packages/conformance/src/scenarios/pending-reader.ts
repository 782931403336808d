/**
 * A reader of pending flushes: what KSM, a secondary MMU or a write fault do with an entry that they find changed, and nothing else.
 */
import { type Cpu, entryCell, type Mm, pteTlbFlushPending, type Steps } from '@mmu-gather/core/stepped';
import { pmdOffset, pteOffsetMapLock, pteUnmapUnlock, vmaLookup } from '@mmu-gather/mm/stepped';

/** Asks under the PTL whether the entry of an address has an unfinished flush, and claims the answer if it is no (O9). */
export function* pendingReader(cpu: Cpu, mm: Mm, address: number): Steps<boolean> {
  yield* cpu.downRead(mm.mmapLock);
  const vma = vmaLookup(cpu, mm, address)!;
  const table = yield* pteOffsetMapLock(cpu, yield* pmdOffset(cpu, mm, address));
  const pte = entryCell(cpu.kernel.geometry, table, 0, address);
  const pending = yield* pteTlbFlushPending(cpu, { mm, vma, table, pte, address });
  if (!pending) cpu.claim.settled(cpu.read(mm.pgd), address);
  yield* pteUnmapUnlock(cpu, table);
  yield* cpu.upRead(mm.mmapLock);
  return pending;
}
