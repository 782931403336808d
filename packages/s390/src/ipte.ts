/**
 * Changes of one entry (mm/pgtable.c). A valid entry that some CPU has attached must not be changed by a store, except for bits that only software
 * looks at (asm/tlb.h): it is made invalid and purged by one instruction, and then holds nothing that a TLB may keep.
 *
 *     direct                                     lazy, where this CPU alone is attached
 *       flush_count += 1                           flush_count += 1
 *       read mm_cpumask: local or global?          read attach_mask: alone? if not: IPTE global
 *       IPTE                                       store: I
 *       flush_count -= 1                           flush_mm = 1
 *       store the new entry                        flush_count -= 1
 *                                                  store the new entry: valid again, perhaps; the old one is this CPU's to purge
 *
 * Each line is a step of its own: preemption is off, interrupts are not. Who finds I set has nothing to purge.
 */
import {
  type Cell,
  type Cpu,
  type Entry,
  entrySize,
  type Extent,
  type Mm,
  type Scope,
  type Steps,
} from '@mmu-gather/core/stepped';
import { beginDirectFlush, beginFlush, endFlush, mayFlushLazily } from './flush-count.ts';
import { invalidated, isInvalid, mayStore } from './entry-bits.ts';
import { type Clearing, csp, idte, ipte } from './isa.ts';
import { flushMm, isInitMm, s390Of } from './state.ts';
import { reachOf, tagOf } from './tlb.ts';
import { FLUSH_ENTRY, FLUSH_LAZY, FLUSH_RDP, traceFlush } from './trace.ts';

/** An entry, and what it maps. */
export interface At {
  /** Its mm. */
  readonly mm: Mm;
  /** First address that it maps. */
  readonly address: number;
  /** Where it stands. */
  readonly pte: Cell;
  /** Its level. */
  readonly level: number;
}

/** What IPTE or IDTE of an entry purges; CSP, where there is no IDTE, all there is. */
function scopeOf(cpu: Cpu, { mm, address, level }: At, asked: Clearing): Scope {
  const range: Extent = { start: address, end: address + entrySize(cpu.kernel.geometry, level) };
  const kernel = isInitMm(cpu, mm);
  const where = kernel ? asked : reachOf(cpu, asked);
  if (level === 0) return ipte(tagOf(cpu, mm), range, where, kernel);
  return s390Of(cpu).switches.idte ? idte(tagOf(cpu, mm), range, where, kernel) : csp();
}

/** __ptep_ipte, __pmdp_idte: I in memory, and gone from TLBs, in one step. @param old what the entry holds */
export function purgeEntry(cpu: Cpu, at: At, old: Entry, where: Clearing): Steps<number> {
  return cpu.cmpxchgAndInvalidate(at.pte, old, invalidated(old), scopeOf(cpu, at, where));
}

/** ptep_flush_direct, pmdp_flush_direct: when it returns no TLB holds the entry. */
export function* flushDirect(cpu: Cpu, at: At, old: Entry): Steps<void> {
  if (isInvalid(old)) return;
  const where = yield* beginDirectFlush(cpu, at.mm);
  yield* purgeEntry(cpu, at, old, where);
  traceFlush(cpu, FLUSH_ENTRY, where, at.address, 1);
  yield* endFlush(cpu, at.mm);
}

/** ptep_flush_lazy, pmdp_flush_lazy: no other CPU's TLB holds the entry, and this one's is owed a flush. */
export function* flushLazy(cpu: Cpu, at: At, old: Entry): Steps<void> {
  if (isInvalid(old)) return;
  if (yield* beginFlush(cpu, at.mm, mayFlushLazily)) {
    const { debtOrder } = s390Of(cpu).switches;
    if (debtOrder === 'before-entry') yield* cpu.writeOnce(flushMm(at.mm), 1);
    yield* cpu.writeOnce(at.pte, invalidated(old));
    if (debtOrder === 'after-entry') yield* cpu.writeOnce(flushMm(at.mm), 1);
    traceFlush(cpu, FLUSH_LAZY, 'local', at.address, 1);
  } else {
    yield* purgeEntry(cpu, at, old, 'global');
    traceFlush(cpu, FLUSH_ENTRY, 'global', at.address, 1);
  }
  yield* endFlush(cpu, at.mm);
}

/** ptep_xchg_direct, pmdp_xchg_direct. Returns what was there. */
export function* xchgDirect(cpu: Cpu, at: At, entry: Entry): Steps<Entry> {
  const old = yield* cpu.readOnce(at.pte);
  yield* flushDirect(cpu, at, old);
  yield* cpu.writeOnce(at.pte, entry);
  return old;
}

/** ptep_xchg_lazy, pmdp_xchg_lazy. Returns what was there. */
export function* xchgLazy(cpu: Cpu, at: At, entry: Entry): Steps<Entry> {
  const old = yield* cpu.readOnce(at.pte);
  yield* flushLazy(cpu, at, old);
  yield* cpu.writeOnce(at.pte, entry);
  return old;
}

/**
 * ptep_reset_dat_prot: the entry stays valid all the time, so nobody faults on it. RDP takes P away; the software bits follow by a store in
 * Linux, in the same step here, for P is made of them.
 */
export function* resetDatProt(cpu: Cpu, at: At, old: Entry, entry: Entry): Steps<void> {
  const where = yield* beginDirectFlush(cpu, at.mm);
  yield* cpu.cmpxchgAndInvalidate(at.pte, old, entry, scopeOf(cpu, at, where));
  traceFlush(cpu, FLUSH_RDP, where, at.address, 1);
  yield* endFlush(cpu, at.mm);
}

/** The purge of an RDP on this CPU alone: what it holds of an entry that has become writable. */
export function* resetDatProtHere(cpu: Cpu, at: At, entry: Entry): Steps<void> {
  yield* cpu.cmpxchgAndInvalidate(at.pte, entry, entry, scopeOf(cpu, at, 'local'));
}

/** set_pte: over an entry that no TLB can hold. A store over any other has no defined effect (O16). */
export function storeEntry(cpu: Cpu, pte: Cell, entry: Entry): Steps<void> {
  cpu.claim.that(mayStore(cpu.read(pte), entry), 'O16', 'a valid entry is changed by a store, without IPTE or IDTE');
  return cpu.writeOnce(pte, entry);
}
