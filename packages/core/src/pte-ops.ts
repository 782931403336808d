/**
 * How an architecture changes page-table entries (asm/pgtable.h; the defaults are those of include/linux/pgtable.h).
 *
 * A change is where some architectures do their flush, or take note of it:
 *
 *     x86, arm64, riscv   the entry changes; who changes it flushes later, or records it in a gather
 *     powerpc hash        the old entry is collected for the hash table (lazy MMU section), or leaves it at once
 *     sparc64             the address is collected for the TSB and the TLBs
 *     s390                the entry is made invalid and purged everywhere in one instruction
 *
 * Contract: all are called under the lock of the entry's table, with the first address that the entry maps and its level (0: a PTE, 1: a
 * PMD that maps a huge page ...). Entries that lead to tables are written by generic code itself.
 */
import type { Cpu } from './cpu.ts';
import { ACCESSED, type Entry } from './entry.ts';
import type { Mm } from './mm.ts';
import { pteWrprotect } from './pte.ts';
import type { Steps } from './steps.ts';
import type { Address, Cell } from './struct.ts';

/** Changes of entries. */
export interface PteOps {
  /** set_pte_at, set_pmd_at: over an entry that no TLB can hold, or with one that only grants more. */
  setPteAt(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry, level: number): Steps<void>;
  /** ptep_get_and_clear, pmdp_huge_get_and_clear. Returns what was there, with all that the hardware had set. */
  ptepGetAndClear(cpu: Cpu, mm: Mm, address: number, pte: Cell, level: number): Steps<Entry>;
  /**
   * ptep_get_and_clear_full of an mm that dies (fullmm): nobody sets bits any more.
   * @param seen what the entry held a moment ago
   * @param store whether the entry is written at all
   */
  ptepGetAndClearFull(
    cpu: Cpu,
    mm: Mm,
    address: number,
    pte: Cell,
    seen: Entry,
    store: boolean,
    level: number,
  ): Steps<Entry>;
  /** ptep_set_wrprotect, pmdp_set_wrprotect: takes write permission from an entry that the hardware may be setting bits in. */
  ptepSetWrprotect(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry, level: number): Steps<void>;
  /** ptep_test_and_clear_young: the accessed bit goes, and nobody flushes: what a TLB goes on to hold grants no more than the entry does. */
  ptepTestAndClearYoung(cpu: Cpu, mm: Mm, address: number, pte: Cell, seen: Entry): Steps<void>;
  /** ptep_modify_prot_start: takes the entry away, so that the hardware cannot set bits while it is changed. */
  ptepModifyProtStart(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry>;
  /** ptep_modify_prot_commit. */
  ptepModifyProtCommit(cpu: Cpu, mm: Mm, address: number, pte: Cell, old: Entry, entry: Entry): Steps<void>;
  /**
   * ptep_set_access_flags, pmdp_set_access_flags: an upgrade after a fault. The CPU that faulted may use the new entry when it returns;
   * others may fault once more.
   */
  ptepSetAccessFlags(
    cpu: Cpu,
    mm: Mm,
    address: number,
    pte: Cell,
    old: Entry,
    entry: Entry,
    level: number,
  ): Steps<void>;
  /** pmdp_establish, xchg of pmdp_invalidate: another value takes the entry's place at once. Returns the old one. */
  pmdpEstablish(cpu: Cpu, mm: Mm, address: number, pmd: Cell, entry: Entry): Steps<Entry>;
  /**
   * ptep_clear_flush, where the architecture has one of its own: when it returns no TLB holds the entry. Null: ptep_get_and_clear, and
   * flush_tlb_page if the entry was accessible.
   */
  readonly ptepClearFlush: ((cpu: Cpu, mm: Mm, address: number, pte: Cell) => Steps<Entry>) | null;
  /**
   * pmdp_huge_get_and_clear_full of a live mm, where the architecture has one of its own: takes a huge page's entry away. Null: as other entries.
   */
  readonly pmdpHugeGetAndClear: ((cpu: Cpu, mm: Mm, address: number, pmd: Cell) => Steps<Entry>) | null;
  /**
   * The flush of pmdp_collapse_flush: a PTE table was unlinked with all its entries, whose first address is given. Null: flush_tlb_range.
   */
  readonly pmdpCollapseFlush: ((cpu: Cpu, mm: Mm, address: number, table: Address) => Steps<void>) | null;
  /** update_mmu_cache: a fault has set an entry, whose lock is still held. Null: nothing to do. */
  readonly updateMmuCache: ((cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry) => Steps<void>) | null;
  /**
   * flush_tlb_fix_spurious_fault: a fault found an entry that grants what was asked for; this CPU must not go on with an older one. Null:
   * the fault itself has dropped it.
   */
  readonly flushTlbFixSpuriousFault: ((cpu: Cpu, mm: Mm, address: number, pte: Cell) => Steps<void>) | null;
}

function setPteAt(cpu: Cpu, _mm: Mm, _address: number, pte: Cell, entry: Entry): Steps<void> {
  return cpu.writeOnce(pte, entry);
}

/** The exchange captures what the hardware set up to now, and it cannot set more afterwards. */
function ptepGetAndClear(cpu: Cpu, _mm: Mm, _address: number, pte: Cell): Steps<Entry> {
  return cpu.xchg(pte, 0);
}

function* ptepGetAndClearFull(
  cpu: Cpu,
  _mm: Mm,
  _address: number,
  pte: Cell,
  seen: Entry,
  store: boolean,
): Steps<Entry> {
  if (store) yield* cpu.writeOnce(pte, 0);
  return seen;
}

function* ptepSetWrprotect(cpu: Cpu, _mm: Mm, _address: number, pte: Cell, seen: Entry): Steps<void> {
  for (;;) {
    const old = yield* cpu.cmpxchg(pte, seen, pteWrprotect(seen));
    if (old === seen) return;
    seen = old;
  }
}

/** Under the lock nobody else clears the bit, so it can be subtracted. What the hardware sets meanwhile stays. */
function* ptepTestAndClearYoung(cpu: Cpu, _mm: Mm, _address: number, pte: Cell, seen: Entry): Steps<void> {
  if ((seen & ACCESSED) !== 0) yield* cpu.atomicAdd(pte, -ACCESSED);
}

function ptepModifyProtCommit(cpu: Cpu, _mm: Mm, _address: number, pte: Cell, _old: Entry, entry: Entry): Steps<void> {
  return cpu.writeOnce(pte, entry);
}

/** A store: whoever has the old entry takes one more fault. */
function* ptepSetAccessFlags(cpu: Cpu, _mm: Mm, _address: number, pte: Cell, old: Entry, entry: Entry): Steps<void> {
  if (old !== entry) yield* cpu.writeOnce(pte, entry);
}

function pmdpEstablish(cpu: Cpu, _mm: Mm, _address: number, pmd: Cell, entry: Entry): Steps<Entry> {
  return cpu.xchg(pmd, entry);
}

/** Entries that only memory holds: stores, and exchanges where the hardware may be setting bits. */
export const GENERIC_PTE: PteOps = {
  setPteAt,
  ptepGetAndClear,
  ptepGetAndClearFull,
  ptepSetWrprotect,
  ptepTestAndClearYoung,
  ptepModifyProtStart: ptepGetAndClear,
  ptepModifyProtCommit,
  ptepSetAccessFlags,
  pmdpEstablish,
  ptepClearFlush: null,
  pmdpHugeGetAndClear: null,
  pmdpCollapseFlush: null,
  updateMmuCache: null,
  flushTlbFixSpuriousFault: null,
};
