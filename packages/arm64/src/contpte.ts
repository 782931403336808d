/**
 * The contiguous hint for user memory (arch/arm64/mm/contpte.c, 6.9): an aligned block of entries that map one piece of memory alike may be
 * held in one TLB entry.
 *
 * Whoever walks one entry with the hint may take it for all of the block. So the hint comes and goes for all entries at once, and never are
 * a block and a smaller entry cached for one address: the CPU would abort (break before make).
 *
 *     CPU 0 (contpte_convert, PTL held)          CPU 1
 *     exchange all entries with none             may still hold the block
 *     TLBI of the block; DSB ISH                 holds nothing; a fault waits for the PTL
 *     write all entries anew                     may hold entries of the new size
 *
 * The hardware sets access flag and dirty bit in any one entry of a block, so software takes them of all together. mm maps page by page here
 * and asks for no blocks by itself: these are for scenarios.
 */
import {
  ACCESSED,
  type Cell,
  type Cpu,
  DIRTY,
  type Entry,
  entryClear,
  entrySet,
  type Mm,
  pageSize,
  type Steps,
} from '@mmu-gather/core/stepped';
import { arm64Of } from './asid-state.ts';
import { flushRange } from './flush.ts';
import { PTE_CONT } from './isa.ts';

/** contpte_fold: all entries of a block get the hint. Under the PTL; they map one aligned piece of memory with one protection. */
export function contpteFold(cpu: Cpu, mm: Mm, address: number, ptes: Cell): Steps<void> {
  return contpteConvert(cpu, mm, address, ptes, (entry) => entrySet(entry, PTE_CONT));
}

/** __contpte_try_unfold: all entries of a block lose it, before one of them changes. Under the PTL. */
export function contpteUnfold(cpu: Cpu, mm: Mm, address: number, ptes: Cell): Steps<void> {
  return contpteConvert(cpu, mm, address, ptes, (entry) => entryClear(entry, PTE_CONT));
}

/**
 * contpte_convert.
 * @param address of the block's first page
 * @param ptes the block's first entry
 */
function* contpteConvert(cpu: Cpu, mm: Mm, address: number, ptes: Cell, change: (entry: Entry) => Entry): Steps<void> {
  const { contPtes, contpteConvert: form } = arm64Of(cpu).switches;
  if (form === 'in-place') {
    for (let i = 0; i < contPtes; i++) yield* cpu.writeOnce(ptes + i, change(yield* cpu.readOnce(ptes + i)));
    return;
  }
  const old: Entry[] = [];
  let set = 0;
  for (let i = 0; i < contPtes; i++) {
    const entry = yield* cpu.xchg(ptes + i, 0, 'relaxed');
    set |= entry & (ACCESSED | DIRTY);
    old.push(entry);
  }
  const stride = pageSize(cpu.kernel.geometry);
  const range = { start: address, end: address + contPtes * stride, stride, leafOnly: true, level: 0 };
  if (form === 'break-before-make') yield* flushRange(cpu, mm, range);
  for (const [i, entry] of old.entries()) yield* cpu.writeOnce(ptes + i, entrySet(change(entry), set));
}
