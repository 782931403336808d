/**
 * How entries change (arch/sparc/include/asm/pgtable_64.h: __set_pte_at, mm/tlb.c: set_pmd_at): each is one store, and a flush of
 * what was valid there before, whatever the new entry is. Software alone sets accessed and dirty bits, so nobody can set one between a load and a
 * store under the lock, and no exchange is needed.
 *
 * Kernel mappings are not flushed here: flush_tlb_kernel_range is.
 *
 * A huge entry is two in the TSB and in TLBs, one for each half. An entry that led to a table is a flush of all that is valid in the table.
 */
import {
  ACCESSED,
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  entryCell,
  entryPresent,
  type Mm,
  NX,
  powerOfTwo,
  PSE,
  pteMkold,
  type PteOps,
  pageSize,
  pteWrprotect,
  type Steps,
  tableEntries,
} from '@mmu-gather/core/stepped';
import { contextTsb, sparc64Of } from './state.ts';
import { tlbBatchAddOne } from './tlb-batch.ts';
import { kindShift, lockContext, TSB_BASE, TSB_HUGE, tsbInsert, unlockContext } from './tsb.ts';

/** pte_exec. */
function pteExec(entry: Entry): boolean {
  return (entry & NX) === 0;
}

/** tlb_batch_add and its sisters: what was valid at an entry of a level is flushed, or will be at the end of the section. */
function* oldGoes(cpu: Cpu, mm: Mm, address: number, old: Entry, level: number): Steps<void> {
  if (mm.address === cpu.kernel.initMm || !entryPresent(old)) return;
  if (level === 0) {
    yield* tlbBatchAddOne(cpu, mm, address, TSB_BASE, pteExec(old));
  } else {
    // One that led to a table: pmdp_collapse_flush looks at what stands in that.
    cpu.claim.that((old & PSE) !== 0, 'O16', 'an entry that led to a table changes as if it were a leaf');
    yield* tlbBatchAddOne(cpu, mm, address, TSB_HUGE, pteExec(old));
    if (sparc64Of(cpu).switches.hugeHalves === 'first') return;
    const half = powerOfTwo(kindShift(cpu.kernel.geometry, TSB_HUGE));
    yield* tlbBatchAddOne(cpu, mm, address + half, TSB_HUGE, pteExec(old));
  }
}

/** tlb_batch_pmd_scan: a table was taken away, and what is valid in it goes. */
function* tlbBatchPmdScan(cpu: Cpu, mm: Mm, address: number, table: Address): Steps<void> {
  const { geometry } = cpu.kernel;
  if (!sparc64Of(cpu).switches.pmdScan) return;
  for (let i = 0; i < tableEntries(geometry, 0); i++) {
    const at = address + i * pageSize(geometry);
    const old = yield* cpu.readOnce(entryCell(geometry, table, 0, at));
    if (entryPresent(old)) yield* tlbBatchAddOne(cpu, mm, at, TSB_BASE, pteExec(old));
  }
}

/** __set_pte_at, set_pmd_at. Returns what was there. */
function* replace(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry, level: number): Steps<Entry> {
  const old = yield* cpu.readOnce(pte);
  yield* cpu.writeOnce(pte, entry);
  yield* oldGoes(cpu, mm, address, old, level);
  return old;
}

function* setPteAt(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry, level: number): Steps<void> {
  yield* replace(cpu, mm, address, pte, entry, level);
}

function ptepGetAndClear(cpu: Cpu, mm: Mm, address: number, pte: Cell, level: number): Steps<Entry> {
  return replace(cpu, mm, address, pte, 0, level);
}

/** As any other: the generic form asks the ordinary one. */
function* ptepGetAndClearFull(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  seen: Entry,
  store: boolean,
  level: number,
): Steps<Entry> {
  if (!store) return seen;
  yield* cpu.writeOnce(pte, 0);
  yield* oldGoes(cpu, mm, address, seen, level);
  return seen;
}

function* ptepSetWrprotect(cpu: Cpu, mm: Mm, address: number, pte: Cell, _seen: Entry, level: number): Steps<void> {
  const old = yield* cpu.readOnce(pte);
  yield* cpu.writeOnce(pte, pteWrprotect(old));
  yield* oldGoes(cpu, mm, address, old, level);
}

function* ptepTestAndClearYoung(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry): Steps<void> {
  if ((seen & ACCESSED) !== 0) yield* replace(cpu, mm, address, pte, pteMkold(seen), 0);
}

function ptepModifyProtStart(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry> {
  return replace(cpu, mm, address, pte, 0, 0);
}

/** Nothing is valid there, so nothing is flushed. */
function* ptepModifyProtCommit(cpu: Cpu, mm: Mm, address: number, pte: Cell, _old: Entry, entry: Entry): Steps<void> {
  yield* replace(cpu, mm, address, pte, entry, 0);
}

/** The old entry goes from all CPUs, so nobody takes a fault that finds nothing to do. */
function* ptepSetAccessFlags(
  cpu: Cpu,
  mm: Mm,
  address: number,
  pte: Cell,
  old: Entry,
  entry: Entry,
  level: number,
): Steps<void> {
  if (old !== entry) yield* replace(cpu, mm, address, pte, entry, level);
}

/** pmdp_establish, for pmdp_invalidate: flush_tlb_range after it is empty. Linux exchanges the entry, which is for hardware that sets bits. */
function pmdpEstablish(cpu: Cpu, mm: Mm, address: number, pmd: Cell, entry: Entry): Steps<Entry> {
  return replace(cpu, mm, address, pmd, entry, 1);
}

/** update_mmu_cache: into the TSB, under the lock of the context. What is not valid would never stop missing: khugepaged comes with that, where nobody may access what it collapses. */
function* updateMmuCache(cpu: Cpu, mm: Mm, address: number, _pte: Cell, entry: Entry): Steps<void> {
  if (!entryPresent(entry)) return;
  yield* lockContext(cpu, mm);
  const tsb = cpu.read(contextTsb(mm));
  if (tsb !== 0) yield* tsbInsert(cpu, tsb, address, entry);
  yield* unlockContext(cpu, mm);
}

/** Changes of entries on sparc64. */
export const SPARC64_PTE: PteOps = {
  setPteAt,
  ptepGetAndClear,
  ptepGetAndClearFull,
  ptepSetWrprotect,
  ptepTestAndClearYoung,
  ptepModifyProtStart,
  ptepModifyProtCommit,
  ptepSetAccessFlags,
  pmdpEstablish,
  ptepClearFlush: null,
  pmdpHugeGetAndClear: null,
  pmdpCollapseFlush: tlbBatchPmdScan,
  updateMmuCache,
  flushTlbFixSpuriousFault: null,
};
