/**
 * Hash faults: a page that its page table maps is put into the hash page table (hash_page_mm, __hash_page_4K; hash_4k.c).
 *
 *     interrupts off                         keeps the tables that it walks without a lock
 *       find the PTE; access not allowed: it is a page fault
 *       cmpxchg PTE: | BUSY | ACCESSED (| DIRTY)          from here nobody else changes it (pte.ts)
 *       HASHPTE: other rights where it is hashed, tlbie; gone from there: as if it had not been
 *       not HASHPTE: insert
 *       PTE = | HASHPTE, without BUSY
 *     interrupts on
 */
import {
  ACCESSED,
  type Cell,
  type Cpu,
  DIRTY,
  type Entry,
  entryCell,
  entryClear,
  entryNone,
  entrySet,
  entryTarget,
  type Mm,
  PRESENT,
  PSE,
  RW,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import { tlbiePage } from './flush.ts';
import { hpteInsert, hpteUpdatepp } from './hpte.ts';
import { hptVpn } from './htab.ts';
import { H_PAGE_BUSY, H_PAGE_HASHPTE } from './pte-bits.ts';
import { contextId, hashOf } from './state.ts';

/** Vector of a data storage interrupt, in tracepoints. */
const TRAP = 0x300;

/** hash_page: a CPU found nothing that allows its access. @returns false if page tables do not allow it either */
export function* hashPage(cpu: Cpu, mm: Mm, address: number, write: boolean): Steps<boolean> {
  cpu.trace('hash_fault', address, write ? RW : 0, TRAP);
  yield* cpu.localIrqDisable();
  const pte = yield* findLinuxPte(cpu, mm, address);
  const done = pte !== 0 && (yield* hashPage4k(cpu, mm, address, pte, write));
  yield* cpu.localIrqEnable();
  return done;
}

/** hash_preload: a page fault has set an entry, whose lock it holds, and will be back at once for the same page. */
export function* hashPreload(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry): Steps<void> {
  if (!hashOf(cpu).switches.preload || mm.address === cpu.kernel.initMm || (entry & ACCESSED) === 0) return;
  yield* cpu.localIrqDisable();
  yield* hashPage4k(cpu, mm, address, pte, false);
  yield* cpu.localIrqEnable();
}

/** find_linux_pte: without locks. Interrupts off. @returns 0 if there is no table */
function* findLinuxPte(cpu: Cpu, mm: Mm, address: number): Steps<Cell> {
  const { geometry } = cpu.kernel;
  let table = cpu.read(mm.pgd);
  for (let level = geometry.bits.length - 1; level > 0; level--) {
    const entry = yield* cpu.readOnce(entryCell(geometry, table, level, address));
    if (entryNone(entry) || (entry & PSE) !== 0) return 0;
    table = entryTarget(entry);
  }
  return entryCell(geometry, table, 0, address);
}

/** __hash_page_4K. Interrupts off. @returns false if the entry does not allow the access */
function* hashPage4k(cpu: Cpu, mm: Mm, address: number, pte: Cell, write: boolean): Steps<boolean> {
  const need = PRESENT | USER | (write ? RW : 0);
  for (;;) {
    const old = yield* cpu.readOnce(pte);
    if ((old & H_PAGE_BUSY) !== 0) {
      yield* cpu.waitFor(pte, 'notEqual', old);
      continue;
    }
    if ((old & need) !== need) return false;
    const next = entrySet(old, ACCESSED | (write ? DIRTY : 0));
    if ((yield* cpu.cmpxchg(pte, old, entrySet(next, H_PAGE_BUSY))) !== old) continue;
    yield* hash(cpu, mm, address, next);
    // Behind the barrier of the insertion: who finds the entry without BUSY finds it hashed.
    yield* cpu.writeOnce(pte, entrySet(next, H_PAGE_HASHPTE));
    return true;
  }
}

/** Brings an entry that is held by BUSY into the hash page table. */
function* hash(cpu: Cpu, mm: Mm, address: number, pte: Entry): Steps<void> {
  const vpn = hptVpn(hashOf(cpu).htab, cpu.read(contextId(mm)), address);
  const clean = entryClear(pte, H_PAGE_HASHPTE);
  if ((pte & H_PAGE_HASHPTE) !== 0) {
    const updated = yield* hpteUpdatepp(cpu, vpn, clean);
    // A TLB may have it with the old rights, also where the hash page table has lost it.
    yield* tlbiePage(cpu, mm, vpn);
    if (updated) return;
  }
  yield* hpteInsert(cpu, vpn, clean);
}
