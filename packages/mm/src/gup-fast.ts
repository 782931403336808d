/**
 * GUP-fast: takes a reference to the page behind a user address without any lock (mm/gup.c: get_user_pages_fast_only).
 *
 *     GUP-fast, interrupts off                  whoever takes the page away
 *     read pmd, read PTE
 *     take a reference (unless it is 0)         clear the PTE, or the pmd (collapse)
 *     read pmd and PTE again                    flush
 *     changed: drop the reference               look at the references: one too many, leave the page alone
 *
 * One of the two sees the other. Looking at the PTE alone is enough where the flush is an interrupt, since that waits for the
 * walker; elsewhere collapse unlinks a table in which the PTE still looks the same (70cbc3cc78a9).
 *
 * Interrupts are off for the tables' sake: whoever frees one waits for an interrupt of this CPU, or for a grace period
 * (core's table-free.ts). The page itself may be freed at any time before the reference is taken.
 * What fork does about pinned pages (write_protect_seq) is not modelled.
 */
import {
  type Address,
  type Cell,
  type Cpu,
  type Entry,
  entryCell,
  entryPresent,
  entryTarget,
  type Mm,
  PRESENT,
  Page,
  PSE,
  putPage,
  RW,
  SPECIAL,
  type Steps,
  USER,
  entryIndex,
} from '@mmu-gather/core/stepped';
import { tryGetPage } from './page.ts';

/**
 * get_user_pages_fast_only, for one page of the current task's mm.
 * @param write the caller will write to it
 * @returns the page, with a reference, or 0: then the caller takes mmap_lock and faults
 */
export function* gupFast(cpu: Cpu, mm: Mm, address: number, write: boolean): Steps<Address> {
  const irqsOff = cpu.kernel.profile.gupIrqs === 'off';
  if (irqsOff) yield* cpu.localIrqDisable();
  const page = yield* gupFastPgdRange(cpu, mm, address, write);
  if (irqsOff) yield* cpu.localIrqEnable();
  return page;
}

/** gup_fast_pgd_range and below: down to the entry that maps the address. */
function* gupFastPgdRange(cpu: Cpu, mm: Mm, address: number, write: boolean): Steps<Address> {
  const { geometry } = cpu.kernel;
  let table = cpu.read(mm.pgd);
  let pmd: Cell = 0;
  let pmdEntry: Entry = 0;
  for (let level = geometry.bits.length - 1; level > 0; level--) {
    pmd = entryCell(geometry, table, level, address);
    pmdEntry = yield* cpu.readOnce(pmd);
    if (!entryPresent(pmdEntry)) return 0;
    table = entryTarget(pmdEntry);
  }
  if ((pmdEntry & PSE) !== 0) {
    const page = entryTarget(pmdEntry) + entryIndex(geometry, 0, address) * Page.words;
    return yield* gupFastLeaf(cpu, pmd, pmdEntry, pmd, pmdEntry, page, write);
  }
  const pte = entryCell(geometry, table, 0, address);
  const entry = yield* cpu.readOnce(pte);
  return yield* gupFastLeaf(cpu, pmd, pmdEntry, pte, entry, entryTarget(entry), write);
}

/** gup_fast_pte_range, gup_fast_pmd_leaf: the reference, and the second look. */
function* gupFastLeaf(
  cpu: Cpu,
  pmd: Cell,
  pmdEntry: Entry,
  leaf: Cell,
  entry: Entry,
  page: Address,
  write: boolean,
): Steps<Address> {
  const need = PRESENT | USER | (write ? RW : 0);
  if ((entry & need) !== need || (entry & SPECIAL) !== 0) return 0;
  if (!(yield* tryGetPage(cpu, page))) return 0;
  const { gupRecheck } = cpu.kernel.profile;
  let same = true;
  if (gupRecheck === 'pte-and-pmd' && leaf !== pmd) same = (yield* cpu.readOnce(pmd)) === pmdEntry;
  if (same && gupRecheck !== 'none') same = (yield* cpu.readOnce(leaf)) === entry;
  if (same) return page;
  yield* putPage(cpu, page);
  return 0;
}
