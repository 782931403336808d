/**
 * Secondary MMUs: devices and hypervisors that map a program's pages in tables of their own (include/linux/mmu_notifier.h).
 *
 *     who changes entries                       secondary MMU, on a fault of its own
 *     mmuNotifierStart    count + 1             wait until count is 0
 *       lock PTL; change; unlock                lock PTL; read the entry
 *       flush                                     count is 0: map it
 *     mmuNotifierEnd      count - 1             unlock; else again
 *
 * Contract: what a secondary MMU maps while no invalidation is going on is what every CPU goes by: nobody still uses what the
 * entry replaced. So the end comes after the flush. In Linux the ends are counted, too (invalidate_seq): there a secondary MMU compares once it
 * has let go the PTL, when an invalidation may have come and gone.
 */
import { type Cpu, type Entry, entryCell, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { pmdOffset, ptepGet, pteOffsetMapLock, pteUnmapUnlock } from './page-table.ts';

/** mmu_notifier_invalidate_range_start: from here on secondary MMUs map nothing new. */
export function mmuNotifierStart(cpu: Cpu, mm: Mm): Steps<void> {
  return cpu.atomicAdd(mm.notifierCount, 1);
}

/** mmu_notifier_invalidate_range_end: and from here on they may. */
export function mmuNotifierEnd(cpu: Cpu, mm: Mm): Steps<void> {
  return cpu.atomicAdd(mm.notifierCount, -1);
}

/**
 * A fault of a secondary MMU (hmm_range_fault, kvm_faultin_pfn): reads an entry that it may copy.
 * Claims: what the entry replaced is not in use any more (O9).
 * @returns the entry, 0 if nothing is there
 */
export function* secondaryFault(cpu: Cpu, mm: Mm, address: number): Steps<Entry> {
  for (;;) {
    yield* cpu.waitFor(mm.notifierCount, 'equal', 0);
    const pmd = yield* pmdOffset(cpu, mm, address);
    const table = pmd === 0 ? 0 : yield* pteOffsetMapLock(cpu, pmd);
    if (table === 0) return 0;
    const entry = yield* ptepGet(cpu, entryCell(cpu.kernel.geometry, table, 0, address));
    if ((yield* cpu.readOnce(mm.notifierCount)) !== 0) {
      yield* pteUnmapUnlock(cpu, table);
      continue;
    }
    cpu.claim.settled(cpu.read(mm.pgd), address);
    yield* pteUnmapUnlock(cpu, table);
    return entry;
  }
}
