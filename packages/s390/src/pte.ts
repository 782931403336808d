/**
 * How entries change on s390 (asm/pgtable.h, mm/pgtable.c): which operation takes which form of ipte.ts.
 *
 *     munmap, mprotect, fork, mremap             lazy       flush_tlb_range, flush_tlb_mm, tlb_flush pay the debt
 *     reclaim, migration, COW, write-back, age   direct     nothing is left to be flushed
 *     write fault                                RDP, or direct where there is none
 *     exit_mmap                                  a store: nobody can attach to the mm any more, and freed tables are a debt
 *
 * In a lazy MMU section of the series of 2026 changes of one table are cached (ipte-range.ts).
 */
import {
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  entrySize,
  type Mm,
  pteMkold,
  type PteOps,
  pteWrite,
  pteWrprotect,
  type Steps,
} from '@mmu-gather/core/stepped';
import { allowsRdp, isWritable } from './entry-bits.ts';
import { beginDirectFlush, endFlush } from './flush-count.ts';
import { flushLazy, resetDatProt, resetDatProtHere, storeEntry, xchgDirect, xchgLazy } from './ipte.ts';
import { cachedGet, cachedSet, cacheSlot } from './ipte-range.ts';
import { idte, ipte } from './isa.ts';
import { isInitMm, s390Of } from './state.ts';
import { purge, reachOf, tagOf } from './tlb.ts';

/** set_pte_at, set_pmd_at. */
function* setPteAt(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry, level: number): Steps<void> {
  const slot = level === 0 ? cacheSlot(cpu, mm, address, pte, false) : 0;
  if (slot === 0) yield* storeEntry(cpu, pte, entry);
  else cachedSet(cpu, slot, entry);
}

/** ptep_xchg_lazy of operations that walk a table, in its cache if there is one. */
function* xchgWalked(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry, level: number): Steps<Entry> {
  const slot = level === 0 ? cacheSlot(cpu, mm, address, pte, true) : 0;
  if (slot === 0) return yield* xchgLazy(cpu, { mm, address, pte, level }, entry);
  const old = yield* cachedGet(cpu, slot, pte);
  cachedSet(cpu, slot, entry);
  return old;
}

/** ptep_get_and_clear, and pmdp_huge_get_and_clear_full of a zap: where a huge page moves, the direct form in Linux, which this includes. */
function ptepGetAndClear(cpu: Cpu, mm: Mm, address: number, pte: Cell, level: number): Steps<Entry> {
  return xchgWalked(cpu, mm, address, pte, 0, level);
}

/** ptep_get_and_clear_full with full = 1: nothing is purged and nothing is owed. Nobody may enter the mm again. The series makes no difference. */
function* ptepGetAndClearFull(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  seen: Entry,
  store: boolean,
  level: number,
): Steps<Entry> {
  if (level === 0 && s390Of(cpu).switches.lazyMmu !== 'none') return yield* xchgWalked(cpu, mm, address, pte, 0, 0);
  if (store) yield* cpu.writeOnce(pte, 0);
  return seen;
}

/** ptep_set_wrprotect, pmdp_set_wrprotect. */
function* ptepSetWrprotect(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry, level: number): Steps<void> {
  if (pteWrite(seen)) yield* xchgWalked(cpu, mm, address, pte, pteWrprotect(seen), level);
}

/** ptep_test_and_clear_young of an entry that is young: the direct form. Nobody flushes after it, and an old entry is an invalid one, which others take for purged. */
function* ptepTestAndClearYoung(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry): Steps<void> {
  const cached = cacheSlot(cpu, mm, address, pte, true) !== 0;
  const direct = !cached && s390Of(cpu).switches.clearYoung === 'direct';
  if (direct) yield* xchgDirect(cpu, { mm, address, pte, level: 0 }, pteMkold(seen));
  else yield* xchgWalked(cpu, mm, address, pte, pteMkold(seen), 0);
}

/** ptep_modify_prot_start: the lazy form without its last store, with preemption off until the commit. */
function* ptepModifyProtStart(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry> {
  const slot = cacheSlot(cpu, mm, address, pte, true);
  if (slot !== 0) return yield* cachedGet(cpu, slot, pte);
  const old = yield* cpu.readOnce(pte);
  yield* flushLazy(cpu, { mm, address, pte, level: 0 }, old);
  return old;
}

/** ptep_modify_prot_commit. */
function ptepModifyProtCommit(cpu: Cpu, mm: Mm, address: number, pte: Cell, _old: Entry, entry: Entry): Steps<void> {
  return setPteAt(cpu, mm, address, pte, entry, 0);
}

/** ptep_set_access_flags, pmdp_set_access_flags. */
function* ptepSetAccessFlags(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  old: Entry,
  entry: Entry,
  level: number,
): Steps<void> {
  if (old === entry) return;
  const at = { mm, address, pte, level };
  if (level === 0 && s390Of(cpu).switches.rdp && allowsRdp(old, entry)) yield* resetDatProt(cpu, at, old, entry);
  else yield* xchgDirect(cpu, at, entry);
}

/** pmdp_establish, pmdp_invalidate. */
function pmdpEstablish(cpu: Cpu, mm: Mm, address: number, pmd: Cell, entry: Entry): Steps<Entry> {
  return xchgDirect(cpu, { mm, address, pte: pmd, level: 1 }, entry);
}

/** ptep_clear_flush: the direct form. */
function ptepClearFlush(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry> {
  return xchgDirect(cpu, { mm, address, pte, level: 0 }, 0);
}

/** pmdp_collapse_flush: IDTE of the entry that led to the table, of which the exchange comes first here. */
function* pmdpCollapseFlush(cpu: Cpu, mm: Mm, address: number, _table: Address): Steps<void> {
  const range = { start: address, end: address + entrySize(cpu.kernel.geometry, 1) };
  const where = reachOf(cpu, yield* beginDirectFlush(cpu, mm));
  const form = s390Of(cpu).switches.tableIdte === 'all' ? idte : ipte;
  yield* purge(cpu, form(tagOf(cpu, mm), range, where, isInitMm(cpu, mm)));
  yield* endFlush(cpu, mm);
}

/** flush_tlb_fix_spurious_fault with RDP: where P is clear in memory this CPU may hold the entry of before. */
function* flushTlbFixSpuriousFault(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<void> {
  const entry = yield* cpu.readOnce(pte);
  if (isWritable(entry)) yield* resetDatProtHere(cpu, { mm, address, pte, level: 0 }, entry);
}

/** Changes of entries. @param rdp whether there is RDP: only then does an entry become writable that other CPUs may hold */
export function s390Pte(rdp: boolean): PteOps {
  return {
    setPteAt,
    ptepGetAndClear,
    ptepGetAndClearFull,
    ptepSetWrprotect,
    ptepTestAndClearYoung,
    ptepModifyProtStart,
    ptepModifyProtCommit,
    ptepSetAccessFlags,
    pmdpEstablish,
    pmdpHugeGetAndClear: null,
    ptepClearFlush,
    pmdpCollapseFlush,
    updateMmuCache: null,
    flushTlbFixSpuriousFault: rdp ? flushTlbFixSpuriousFault : null,
  };
}
