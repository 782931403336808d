/**
 * An entry that is changed in place, with its flush deferred to the end of a gather: what several system calls that hold mmap_lock for
 * read leave together, before the first of them flushes.
 */
import {
  type Cpu,
  type Entry,
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
import { ptepGet, vmaLookup } from '@mmu-gather/mm/stepped';
import { type Mapping, PAGE } from './stage.ts';

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
  const entry = yield* ptepGet(cpu, at.pte);
  yield* cpu.cmpxchg(at.pte, entry, change(entry));
  tlbFlushLevelRange(tlb, address, PAGE, 0);
  yield* tlbEndPtes(cpu, tlb, at.table);
  yield* cpu.spinUnlock(at.ptl);
  yield* tlbEndVma(cpu, tlb);
  yield* tlbFinishMmu(cpu, tlb, address, address + PAGE);
}
