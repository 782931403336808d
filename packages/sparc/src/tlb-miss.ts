/**
 * The TLB miss handler (arch/sparc/kernel/tsb.S: tsb_miss_page_table_walk, tsb_reload; sun4v_tlb_miss.S): what neither the TLB nor the TSB
 * has, it takes from the page table and puts into the TSB. It runs at trap level 1, with interrupts off, so that tables that it reads are
 * not freed (a grace period waits for it).
 *
 * Between the look at the entry and the lock of the tag there is a gap. No kernel looks at the entry again (D-S1, `recheckPte`):
 *
 *     CPU 0 (unmaps, under the PTL)              CPU 1 (miss)
 *                                                reads the entry: valid
 *     clears the entry
 *     TSB: the tag is another one, nothing to do
 *     cross call                                 held back until the trap ends
 *     drops the PTL, frees the page              locks the tag, writes the old entry, loads the TLB
 *                                                takes the cross call: demaps the TLB
 *                                                misses, and the hardware finds the old entry in the TSB
 *
 * With a second look under the lock of the tag one of the two sees the other: the entry is cleared before the flush looks at the tag, and
 * the tag is locked before the second look. It walks again from the root: who unlinks a table leaves the entries in it as they are.
 *
 * What the handler loads into the TLB itself it has put into the TSB just before, so that the load is no step of its own here.
 */
import {
  ACCESSED,
  type Address,
  type Cpu,
  DIRTY,
  type Entry,
  entryCell,
  entryPresent,
  entryTarget,
  type Mm,
  PRESENT,
  PSE,
  RW,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import { sparc64Of, thisCpuState } from './state.ts';
import { entriesOf, lockTag, TAG_INVALID, tsbSlot, tteOf, writeBehindTag } from './tsb.ts';

/** The leaf entry of an address under a root, 0 if a table is missing. */
function* walk(cpu: Cpu, root: Address, address: number): Steps<Entry> {
  const { geometry } = cpu.kernel;
  let table = root;
  for (let level = geometry.bits.length - 1; ; level--) {
    const entry = yield* cpu.readOnce(entryCell(geometry, table, level, address));
    if (level === 0 || (entry & PSE) !== 0) return entry;
    if (!entryPresent(entry)) return 0;
    table = entryTarget(entry);
  }
}

/** May the hardware do what was asked for with an entry? If not, it is a page fault. */
function allows(entry: Entry, write: boolean): boolean {
  const need = PRESENT | USER | ACCESSED | (write ? RW | DIRTY : 0);
  return (entry & need) === need;
}

/** See core's `Backend.tlbMiss`. */
export function* tlbMiss(cpu: Cpu, _mm: Mm, address: number, write: boolean): Steps<boolean> {
  yield* cpu.localIrqDisable();
  const found = yield* tsbReload(cpu, address, write);
  yield* cpu.localIrqEnable();
  return found;
}

function* tsbReload(cpu: Cpu, address: number, write: boolean): Steps<boolean> {
  const { tsbs, switches } = sparc64Of(cpu);
  const { geometry } = cpu.kernel;
  const root = cpu.read(thisCpuState(cpu).pgd);
  const tsb = cpu.read(tsbs.registers + cpu.id);
  for (;;) {
    const entry = yield* walk(cpu, root, address);
    if (!allows(entry, write)) return false;
    const { kind, tte } = tteOf(geometry, address, entry);
    const slot = tsbSlot(tsbs, geometry, tsb, entriesOf(cpu, tsb), address, kind);
    yield* lockTag(cpu, slot.cell);
    if (!switches.recheckPte || (yield* walk(cpu, root, address)) === entry) {
      yield* writeBehindTag(cpu, slot, tte);
      return true;
    }
    yield* cpu.writeOnce(slot.cell, TAG_INVALID);
  }
}
