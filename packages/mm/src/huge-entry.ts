/**
 * Entries of huge pages: the table that is deposited with each, and how one is taken away from the hardware and from TLBs.
 */
import {
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  entryClear,
  entryIndex,
  entryTarget,
  type Mm,
  PRESENT,
  PROTNONE,
  type Steps,
  tableDeposit,
} from '@mmu-gather/core/stepped';
import { hugeSize, hugeStart } from './huge-memory.ts';

/** The table that an entry of level 1 is in. */
export function pmdTable(cpu: Cpu, pmd: Cell, address: number): Address {
  return pmd - entryIndex(cpu.kernel.geometry, 1, address);
}

/** pgtable_trans_huge_deposit: a table stands ready for the huge entry that is about to appear. Under mm.pageTableLock. */
export function pgtableDeposit(cpu: Cpu, pmd: Cell, address: number, table: Address): void {
  const { geometry } = cpu.kernel;
  const list = tableDeposit(geometry, pmdTable(cpu, pmd, address));
  cpu.write(tableDeposit(geometry, table), cpu.read(list));
  cpu.write(list, table);
}

/** pgtable_trans_huge_withdraw. Under mm.pageTableLock. */
export function pgtableWithdraw(cpu: Cpu, pmd: Cell, address: number): Address {
  const { geometry } = cpu.kernel;
  const list = tableDeposit(geometry, pmdTable(cpu, pmd, address));
  const table = cpu.read(list);
  cpu.write(list, cpu.read(tableDeposit(geometry, table)));
  return table;
}

/** pmd_mkinvalid: the hardware cannot use it, software still sees a huge page. */
function pmdMkinvalid(entry: Entry): Entry {
  return entryClear(entry, PRESENT | PROTNONE);
}

/** pmdp_invalidate_ad: takes the entry away from the hardware. @returns what it was, with all bits that the hardware set */
export function pmdpInvalidateAd(cpu: Cpu, mm: Mm, pmd: Cell, seen: Entry, address: number): Steps<Entry> {
  return cpu.kernel.backend.pte.pmdpEstablish(cpu, mm, hugeStart(cpu, address), pmd, pmdMkinvalid(seen));
}

/** pmdp_invalidate: and from every TLB. Under mm.pageTableLock. */
export function* pmdpInvalidate(cpu: Cpu, mm: Mm, pmd: Cell, seen: Entry, address: number): Steps<Entry> {
  const old = yield* pmdpInvalidateAd(cpu, mm, pmd, seen, address);
  yield* flushPmdTlbRange(cpu, mm, address);
  return old;
}

/** flush_pmd_tlb_range. */
export function flushPmdTlbRange(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const start = hugeStart(cpu, address);
  return cpu.kernel.backend.flushTlbRange(cpu, mm, start, start + hugeSize(cpu), 1);
}

/** is_huge_zero_pmd. */
export function isHugeZero(cpu: Cpu, entry: Entry): boolean {
  const { hugeZeroPage } = cpu.kernel;
  return hugeZeroPage !== 0 && entryTarget(entry) === hugeZeroPage;
}
