/**
 * How entries change with the hash MMU (asm/book3s/64/hash.h).
 *
 *     H_PAGE_BUSY       a hash fault has the entry: it is about to be inserted. Changes wait
 *     H_PAGE_HASHPTE    the hash page table, or a TLB, may have it: a change must be told (flush.ts)
 *
 *     CPU 0 (pte_update)                       CPU 1 (hash_page)
 *                                              cmpxchg PTE: BUSY | ACCESSED
 *     BUSY: waits                              insert into the hash page table
 *                                              PTE = HASHPTE, without BUSY
 *     PTE = 0, was HASHPTE: flush
 *
 * An entry that was never hashed costs nothing. Nothing is told of a new entry: it never stands over a valid one (set_pte_filter).
 * Dirty and accessed bits are set by hash faults, in the same cmpxchg.
 */
import {
  type Cell,
  type Cpu,
  type Entry,
  entryClear,
  entryFlags,
  entryPresent,
  entrySet,
  GENERIC_PTE,
  type Mm,
  pteMkold,
  type PteOps,
  pteWrprotect,
  type Steps,
} from '@mmu-gather/core/stepped';
import { hpteNeedFlush } from './flush.ts';
import { hashPreload } from './hash-page.ts';
import { H_PAGE_BUSY, H_PAGE_HASHPTE, HPTEFLAGS } from './pte-bits.ts';
import { hashOf } from './state.ts';

/**
 * hash__pte_update: a change that depends on the entry, and the flush that it asks for. A loop of ldarx and stdcx., without a barrier.
 * @returns what was there
 */
function* pteUpdate(cpu: Cpu, mm: Mm, address: number, pte: Cell, change: (old: Entry) => Entry): Steps<Entry> {
  const { switches } = hashOf(cpu);
  for (;;) {
    const old = yield* cpu.readOnce(pte);
    if ((old & H_PAGE_BUSY) !== 0 && switches.busy === 'waits') {
      yield* cpu.waitFor(pte, 'notEqual', old);
      continue;
    }
    if ((yield* cpu.cmpxchg(pte, old, change(old))) !== old) continue;
    if ((old & H_PAGE_HASHPTE) !== 0) yield* hpteNeedFlush(cpu, mm, address);
    return entryClear(old, HPTEFLAGS);
  }
}

const nothing = (): Entry => 0;

/**
 * set_pte_at: the new entry is not hashed (set_pte_filter). It never stands over a valid one, for nothing is flushed here. What the kernel
 * maps for itself counts as hashed at once: the machine walks the kernel's page table in place of hash faults there.
 */
function* setPteAt(cpu: Cpu, mm: Mm, _address: number, pte: Cell, entry: Entry): Steps<void> {
  const over = entryPresent(yield* cpu.readOnce(pte));
  cpu.claim.that(!over, 'O16', 'an entry is set over a valid one, which stays in the hash page table');
  const kernel = mm.address === cpu.kernel.initMm && entryPresent(entry);
  yield* cpu.writeOnce(pte, kernel ? entrySet(entry, H_PAGE_HASHPTE) : entryClear(entry, HPTEFLAGS));
}

function ptepGetAndClear(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry> {
  return pteUpdate(cpu, mm, address, pte, nothing);
}

/** ptep_get_and_clear_full: radix alone has a form of its own. What was hashed must go from the hash page table in any case. */
function ptepGetAndClearFull(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<Entry> {
  return ptepGetAndClear(cpu, mm, address, pte);
}

/** The entry changes in place, and is hashed anew by the next access. */
function* ptepSetWrprotect(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<void> {
  yield* pteUpdate(cpu, mm, address, pte, pteWrprotect);
}

/** The hash page table holds no old entry: what was hashed goes from it, and the next access sets the bit. */
function* ptepTestAndClearYoung(cpu: Cpu, mm: Mm, address: number, pte: Cell): Steps<void> {
  yield* pteUpdate(cpu, mm, address, pte, pteMkold);
}

function ptepModifyProtCommit(cpu: Cpu, mm: Mm, address: number, pte: Cell, _old: Entry, entry: Entry): Steps<void> {
  return setPteAt(cpu, mm, address, pte, entry);
}

/**
 * ptep_set_access_flags: more rights. The hash page table is left as it is: who needs the new rights takes a hash fault, which updates it.
 */
function* ptepSetAccessFlags(cpu: Cpu, _mm: Mm, _address: number, pte: Cell, was: Entry, entry: Entry): Steps<void> {
  if (was === entry) return;
  for (;;) {
    const old = yield* cpu.readOnce(pte);
    if ((old & H_PAGE_BUSY) !== 0) {
      yield* cpu.waitFor(pte, 'notEqual', old);
      continue;
    }
    const next = entrySet(entryClear(entry, HPTEFLAGS), entryFlags(old) & H_PAGE_HASHPTE);
    if ((yield* cpu.cmpxchg(pte, old, next)) === old) return;
  }
}

function pmdpEstablish(cpu: Cpu, mm: Mm, address: number, pmd: Cell, entry: Entry): Steps<Entry> {
  return pteUpdate(cpu, mm, address, pmd, () => entry);
}

/** Entries of the hash MMU with 4 KiB pages, where there are no transparent huge pages: all of level 0. */
export const HASH_PTE: PteOps = {
  ...GENERIC_PTE,
  setPteAt,
  ptepGetAndClear,
  ptepGetAndClearFull,
  ptepSetWrprotect,
  ptepTestAndClearYoung,
  ptepModifyProtStart: ptepGetAndClear,
  ptepModifyProtCommit,
  ptepSetAccessFlags,
  pmdpEstablish,
  updateMmuCache: hashPreload,
};
