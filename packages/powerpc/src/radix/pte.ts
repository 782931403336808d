/**
 * How entries change: as everywhere, but where a nest MMU (before ISA 3.1) uses them. It does not walk again when an entry allows too
 * little, so an entry that grants more is taken away first, and flushed (radix__ptep_set_access_flags, radix__ptep_modify_prot_commit).
 */
import {
  type Cell,
  type Cpu,
  type Entry,
  entrySize,
  GENERIC_PTE,
  type Mm,
  type PteOps,
  RW,
  type Steps,
} from '@mmu-gather/core/stepped';
import { lookEarly } from './flush-type.ts';
import { radixFlushTlbCollapsedPmd, radixFlushTlbPagePsize, radixFlushTlbRangeLevel } from './flush.ts';
import { hasCopros, serializeAgainstPteLookup } from './multicast.ts';
import { radixOf } from './state.ts';

/** May a nest MMU hold the entry, and be stuck with it? */
function* nestMmuIsStuck(cpu: Cpu, mm: Mm, old: Entry, entry: Entry): Steps<boolean> {
  const upgrade = (entry & ~old & RW) !== 0;
  return upgrade && !radixOf(cpu).switches.isa31 && (yield* hasCopros(cpu, mm));
}

/** radix__pte_update: a loop of ldarx and stdcx., without barriers. Who flushes has one (flush-type.ts). */
function* ptepGetAndClear(cpu: Cpu, mm: Mm, _address: number, pte: Cell): Steps<Entry> {
  if (radixOf(cpu).switches.typeRead === 'before-clear') yield* lookEarly(cpu, mm);
  return yield* cpu.xchg(pte, 0, 'relaxed');
}

/**
 * radix__ptep_set_access_flags. Where a nest MMU may be stuck, Linux takes the entry away atomically, for the hardware may set R meanwhile. Here all
 * entries count as accessed, and it sets nothing else in one that is read-only.
 */
function* ptepSetAccessFlags(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  old: Entry,
  entry: Entry,
  level: number,
): Steps<void> {
  if (yield* nestMmuIsStuck(cpu, mm, old, entry)) {
    yield* cpu.writeOnce(pte, 0);
    yield* radixFlushTlbPagePsize(cpu, mm, address, level);
    yield* cpu.writeOnce(pte, entry);
    return;
  }
  yield* GENERIC_PTE.ptepSetAccessFlags(cpu, mm, address, pte, old, entry, level);
}

/** radix__ptep_modify_prot_commit. */
function* ptepModifyProtCommit(cpu: Cpu, mm: Mm, address: number, pte: Cell, old: Entry, entry: Entry): Steps<void> {
  if (yield* nestMmuIsStuck(cpu, mm, old, entry)) yield* radixFlushTlbPagePsize(cpu, mm, address, 0);
  yield* cpu.writeOnce(pte, entry);
}

/**
 * pmdp_huge_get_and_clear_full: the entry of a huge page goes from every TLB before its lock is dropped, for a fault may put base pages in its place,
 * and a flush drops pages of one size only.
 */
function* pmdpHugeGetAndClear(cpu: Cpu, mm: Mm, address: number, pmd: Cell): Steps<Entry> {
  const old = yield* ptepGetAndClear(cpu, mm, address, pmd);
  const end = address + entrySize(cpu.kernel.geometry, 1);
  if (radixOf(cpu).switches.hugeZapFlush) yield* radixFlushTlbRangeLevel(cpu, mm, address, end, 1);
  return old;
}

/** pmdp_collapse_flush behind the unlinking of the table; up to 6.0 it waits first for those who walk it with interrupts off. */
function* pmdpCollapseFlush(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  if (radixOf(cpu).switches.collapseSerializes) yield* serializeAgainstPteLookup(cpu, mm);
  yield* radixFlushTlbCollapsedPmd(cpu, mm, address);
}

/** Radix. */
export const RADIX_PTE: PteOps = {
  ...GENERIC_PTE,
  ptepGetAndClear,
  ptepModifyProtStart: ptepGetAndClear,
  pmdpEstablish: (cpu, _mm, _address, pmd, entry) => cpu.xchg(pmd, entry, 'relaxed'),
  ptepSetAccessFlags,
  ptepModifyProtCommit,
  pmdpHugeGetAndClear,
  pmdpCollapseFlush,
};
