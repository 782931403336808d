/**
 * Entries of the hash page table come, change and go (struct mmu_hash_ops; hash_native.c, and pseries/lpar.c where the hypervisor does it).
 *
 *     insert        a free entry of the two groups, or one that is evicted:
 *                     lock; r; eieio; v | VALID (unlocks); ptesync
 *     updatepp      lock; other rights in r; unlock; tlbie
 *     invalidate    lock; v = 0 (unlocks)                              whoever calls does the tlbie: also if there was no entry
 *     remove        eviction: v = 0 and no tlbie: a TLB may hold what the table has not any more
 *
 * The hypervisor does each of these in one step, its tlbie included (H_ENTER, H_PROTECT, H_REMOVE).
 */
import { type Cell, type Cpu, type Entry, type Scope, type Steps } from '@mmu-gather/core/stepped';
import { BULK_REMOVE_PAGES } from '../costs.ts';
import {
  findAndLockHpte,
  HPTE_LOCKED,
  HPTE_VALID,
  hpteCells,
  hpteEncodeR,
  hpteMatches,
  hpteR,
  hpteV,
  hpteVpn,
  type Htab,
  lockHpte,
  type Vpn,
  vpnAddress,
  vpnContext,
} from './htab.ts';
import { tlbie } from './isa.ts';
import { hashOf } from './state.ts';

/** H_REMOVE. */
const H_REMOVE = 0x4;
/** H_BULK_REMOVE. */
const H_BULK_REMOVE = 0x124;
/** H_ENTER. */
const H_ENTER = 0x8;
/** H_PROTECT. */
const H_PROTECT = 0x18;

/** What a tlbie of a page drops. */
export function tlbieScope(htab: Htab, vpn: Vpn): Scope {
  return tlbie(vpnContext(htab, vpn), vpnAddress(htab, vpn), 2 ** htab.pageShift);
}

/** hpte_insert for one page: takes a free entry, or evicts one. Interrupts off, and H_PAGE_BUSY held. */
export function* hpteInsert(cpu: Cpu, vpn: Vpn, pte: Entry): Steps<void> {
  const { htab } = hashOf(cpu);
  const cells = hpteCells(htab, vpn);
  for (;;) {
    for (const cell of cells) if (yield* insertAt(cpu, cell, vpn, pte)) return;
    // Both groups are full. Linux takes one by the time base; here it is always the first.
    yield* hpteRemove(cpu, cells[0]!);
  }
}

/** @returns false if the entry is not free */
function* insertAt(cpu: Cpu, cell: Cell, vpn: Vpn, pte: Entry): Steps<boolean> {
  if ((yield* cpu.readOnce(cell)) !== 0 || !(yield* lockHpte(cpu, cell, 0))) return false;
  const { switches } = hashOf(cpu);
  if (switches.platform === 'lpar') cpu.trace('hcall_entry', H_ENTER);
  const r = hpteEncodeR(pte);
  if (switches.insertOrder === 'v-first') {
    yield* cpu.writeOnce(cell, hpteV(vpn));
    yield* cpu.writeOnce(hpteR(cell), r);
  } else {
    yield* cpu.writeOnce(hpteR(cell), r);
    // eieio: r before v. Pairs with the hardware, which looks at v first.
    yield* cpu.smpWmb();
    yield* cpu.writeOnce(cell, hpteV(vpn));
  }
  // ptesync: the entry before the PTE without BUSY. Pairs with the loop of pte_update. That the hardware finds it when the access is tried
  // again, for which it is a full barrier, saves a fault, and no faults are counted here.
  yield* cpu.smpWmb();
  return true;
}

/** hpte_remove: evicts what stands in an entry, unless somebody is at it. */
function* hpteRemove(cpu: Cpu, cell: Cell): Steps<void> {
  const { htab, switches } = hashOf(cpu);
  const v = yield* cpu.readOnce(cell);
  // Linux tries again until it is not.
  if ((v & HPTE_LOCKED) !== 0) yield* cpu.waitFor(cell, 'notEqual', v);
  if ((v & HPTE_VALID) === 0 || (v & HPTE_LOCKED) !== 0) return;
  const vpn = hpteVpn(v);
  if (switches.platform === 'lpar') {
    cpu.trace('hcall_entry', H_REMOVE);
    yield* removeAtOnce(cpu, cell, v, tlbieScope(htab, vpn));
  } else if (yield* lockHpte(cpu, cell, v)) yield* cpu.writeOnce(cell, 0);
}

/**
 * hpte_updatepp: other rights for a page that is hashed.
 * @returns false if the table does not have it any more
 */
export function* hpteUpdatepp(cpu: Cpu, vpn: Vpn, pte: Entry): Steps<boolean> {
  const { htab, switches } = hashOf(cpu);
  const found = yield* findAndLockHpte(cpu, htab, vpn);
  if (found === null) return false;
  yield* cpu.writeOnce(hpteR(found.cell), hpteEncodeR(pte));
  if (switches.platform === 'lpar') {
    cpu.trace('hcall_entry', H_PROTECT);
    yield* cpu.cmpxchgAndInvalidate(found.cell, found.v + HPTE_LOCKED, found.v, tlbieScope(htab, vpn));
  } else {
    // In Linux a release: who locks it next looks at nothing in r.
    yield* cpu.writeOnce(found.cell, found.v);
  }
  return true;
}

/** v = 0 where a page stands. @returns whether it stood there. What TLBs hold of it stays */
export function* hpteInvalidate(cpu: Cpu, vpn: Vpn): Steps<boolean> {
  const { htab } = hashOf(cpu);
  const found = yield* findAndLockHpte(cpu, htab, vpn);
  if (found !== null) yield* cpu.writeOnce(found.cell, 0);
  return found !== null;
}

/** H_REMOVE: the entry goes, and what all TLBs hold of it, in one step. */
export function* hRemove(cpu: Cpu, vpn: Vpn): Steps<void> {
  const { htab, switches, tlbieLock } = hashOf(cpu);
  if (switches.tlbieLock) cpu.claim.held(tlbieLock);
  for (const cell of hpteCells(htab, vpn)) {
    for (;;) {
      const v = yield* cpu.readOnce(cell);
      if (!hpteMatches(v, vpn)) break;
      if ((v & HPTE_LOCKED) !== 0) yield* cpu.waitFor(cell, 'notEqual', v);
      else yield* removeAtOnce(cpu, cell, v, tlbieScope(htab, vpn));
    }
  }
}

/** The calls that take so many pages out: one page by H_REMOVE, several by H_BULK_REMOVE, four a call (pSeries_lpar_flush_hash_range). */
export function traceRemoval(cpu: Cpu, pages: number): void {
  if (pages === 1) cpu.trace('hcall_entry', H_REMOVE);
  else for (let done = 0; done < pages; done += BULK_REMOVE_PAGES) cpu.trace('hcall_entry', H_BULK_REMOVE);
}

/** Unless it was thrown out by then. */
function* removeAtOnce(cpu: Cpu, cell: Cell, v: number, scope: Scope): Steps<void> {
  yield* cpu.cmpxchgAndInvalidate(cell, v, 0, scope);
}
