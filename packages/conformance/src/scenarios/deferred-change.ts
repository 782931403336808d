/**
 * An entry that is changed in place, with its flush deferred to the end of a gather: what several system calls that hold mmap_lock for
 * read leave together, before the first of them flushes.
 */
import {
  type Cell,
  type Cpu,
  type Entry,
  GENERIC_PTE,
  type Mm,
  type Steps,
  tlbEndPtes,
  tlbEndVma,
  tlbFinishMmu,
  tlbFlushLevelRange,
  tlbGatherMmu,
  tlbStartPtes,
  tlbStartVma,
} from '@mmu-gather/core/stepped';
import { ptepGet, ptepModifyProtCommit, ptepModifyProtStart, vmaLookup } from '@mmu-gather/mm/stepped';
import { type Mapping, PAGE } from './stage.ts';

/** One step where entries are memory's alone; elsewhere through the architecture, which takes note of it or purges at once. */
function* changeEntry(cpu: Cpu, mm: Mm, pte: Cell, address: number, change: (entry: Entry) => Entry): Steps<void> {
  if (cpu.kernel.backend.pte === GENERIC_PTE) {
    const entry = yield* ptepGet(cpu, pte);
    yield* cpu.cmpxchg(pte, entry, change(entry));
    return;
  }
  const old = yield* ptepModifyProtStart(cpu, mm, address, pte);
  yield* ptepModifyProtCommit(cpu, mm, address, pte, old, change(old));
}

/** Changes the entry of an address under its PTL, and flushes later, as the profile defers. */
export function* changeDeferred(
  cpu: Cpu,
  mm: Mm,
  at: Mapping,
  address: number,
  change: (entry: Entry) => Entry,
): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm);
  tlbStartVma(cpu, tlb, vmaLookup(cpu, mm, address)!);
  yield* cpu.spinLock(at.ptl);
  yield* tlbStartPtes(cpu, tlb);
  yield* changeEntry(cpu, mm, at.pte, address, change);
  tlbFlushLevelRange(tlb, address, PAGE, 0);
  yield* tlbEndPtes(cpu, tlb, at.table);
  yield* cpu.spinUnlock(at.ptl);
  yield* tlbEndVma(cpu, tlb);
  yield* tlbFinishMmu(cpu, tlb, address, address + PAGE);
}
