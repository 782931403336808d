/**
 * Moving a PTE table as a whole (mm/mremap.c: move_normal_pmd).
 *
 *     lock the reverse map                    somebody who looks for the file's pages
 *       old upper entry := none                 read upper entry: table T
 *       new upper entry := T
 *       flush the old block                     lock T; clear an entry; flush it at the old address:
 *     unlock                                    it is cached at the new one
 *
 * T's own lock does not help: it moves with T. The locks of the upper tables, which Linux takes, too, have nothing to do here: who else would
 * change either upper entry holds mmap_lock, or comes by the reverse map. The flush drops the leaves of the old block, and the cached pointer to T that
 * leads there; T is not freed, so lazy CPUs may keep theirs until it is. Claims: as for entries (O7).
 */
import {
  type Cell,
  type Cpu,
  type Entry,
  entryIndex,
  entryNone,
  type Mm,
  type MmuGather,
  type Steps,
  tlbEndPtes,
  tlbFlushLevelRange,
  tlbStartPtes,
} from '@mmu-gather/core/stepped';
import { hugeSize } from './huge-memory.ts';

/**
 * move_normal_pmd: the block at `from` becomes the block at `to`. mmap_lock for write; the locks of the reverse map as the
 * profile says.
 * @param seen the upper entry at the old place as it was before any lock was taken: retract_page_tables may have cleared it since
 * @param tlb takes note of what moved; null to flush here
 * @returns false if the upper entry at the new place is taken: then the entries must move one by one
 */
export function* moveNormalPmd(
  cpu: Cpu,
  mm: Mm,
  oldPmd: Cell,
  newPmd: Cell,
  seen: Entry,
  from: number,
  tlb: MmuGather | null,
): Steps<boolean> {
  const size = hugeSize(cpu);
  if (!entryNone(yield* cpu.readOnce(newPmd))) return false;
  const entry = cpu.kernel.profile.movePmdCheck === 'locked' ? yield* cpu.readOnce(oldPmd) : seen;
  if (tlb !== null) yield* tlbStartPtes(cpu, tlb);
  yield* cpu.writeOnce(oldPmd, 0);
  yield* cpu.writeOnce(newPmd, entry);
  if (tlb !== null) {
    tlbFlushLevelRange(tlb, from, size, 0);
    yield* tlbEndPtes(cpu, tlb, oldPmd - entryIndex(cpu.kernel.geometry, 1, from));
    // Not only leaves: the pointer to the table must go, too.
    tlb.freedTables = true;
  } else {
    if (cpu.kernel.profile.movePmd !== 'no-flush')
      yield* cpu.kernel.backend.flushTlbRange(cpu, mm, from, from + size, 0);
    cpu.claim.moved(cpu.read(mm.pgd), { start: from, end: from + size });
  }
  return true;
}
