/**
 * TSB: each mm's table of translations in memory (arch/sparc/mm/tsb.c, kernel/tsb.S, include/asm/tsb.h). The hardware of sun4v looks
 * there before it traps; on older CPUs the miss handler does. TLBs hold nothing that was not in it.
 *
 *     an entry       tag and translation, read together          direct-mapped: one place for each address
 *     fill           lock the tag; store the translation; store the tag
 *     flush          wait while the tag is locked; if it is that of the address, make it invalid
 *
 * An entry may be overwritten at any time, by whoever misses; flushing what is not there is nothing. Once a flush has found the entry
 * gone and the page table is written before, a refill must walk the page table, and finds the new entry (but see tlb-miss.ts).
 *
 *     flush                                       miss
 *     store of the entry
 *     lock mm->context         (full barrier)     lock the tag             (full barrier)
 *     read the tag                                read the entry           (not in Linux)
 *
 * There are two tables: one for base pages, one for halves of huge pages, which the hardware knows instead (REAL_HPAGE_SHIFT).
 * Both are one object here. Real tags are address bits from 22 up with two flags; here a tag is that number plus 1, so that an empty word is
 * an invalid tag.
 */
import {
  type Address,
  type Arena,
  type Cell,
  type Cpu,
  type Entry,
  entryClear,
  entryFlags,
  entryPresent,
  entryShift,
  entryTarget,
  type Geometry,
  mkEntry,
  type Mm,
  Page,
  pageSize,
  powerOfTwo,
  PSE,
  type Steps,
  type TranslationTable,
} from '@mmu-gather/core/stepped';
import type { Sparc64Switches } from './profiles.ts';
import { contextLock, contextOldTsb, contextTsb, sparc64Of, thisCpuState } from './state.ts';

/** A tag that matches no address (TSB_TAG_INVALID_BIT). */
export const TAG_INVALID: number = 0;
/** A tag that somebody is writing behind (TSB_TAG_LOCK_BIT). */
export const TAG_LOCKED: number = -1;

/** Kinds of entries: which table, and how large a page. */
export type TsbKind = typeof TSB_BASE | typeof TSB_HUGE;
/** MM_TSB_BASE: base pages. */
export const TSB_BASE = 0;
/** MM_TSB_HUGE: halves of huge pages. */
export const TSB_HUGE = 1;

/** log2 of the bytes that an entry of a kind maps (PAGE_SHIFT, REAL_HPAGE_SHIFT). */
export function kindShift(geometry: Geometry, kind: TsbKind): number {
  return kind === TSB_BASE ? geometry.pageShift : entryShift(geometry, 1) - 1;
}

/** Where TSBs are: registers and tables, in one run of words, because the hardware looks at both. */
export interface TsbMemory {
  /** First word: the TSB register of each CPU, 0 if it has no user part. */
  readonly registers: Cell;
  /** Number of words. */
  readonly words: number;
  /** First TSB. */
  readonly tables: Address;
  /** Words of one. */
  readonly tableWords: number;
  /** Base entries that one can have, */
  readonly maxEntries: number;
  /** and huge ones. */
  readonly hugeEntries: number;
  /** TSBs of each CPU. */
  readonly each: number;
  /** Lock of those that were freed. */
  readonly lock: Cell;
  /** The one that was freed last and not allocated again, 0 if there is none. */
  readonly freed: Cell;
  /** log2 of the address range of a tag: 22 with 512 entries of 8 KiB. */
  readonly tagShift: number;
}

/** Where an address stands in a TSB. */
export interface Slot {
  /** Cell of the tag; the translation is behind it. */
  readonly cell: Cell;
  /** Its tag there. */
  readonly tag: number;
}

/** Reserves registers and tables. */
export function reserveTsbs(arena: Arena, cpus: number, geometry: Geometry, switches: Sparc64Switches): TsbMemory {
  const { tsbEntries, tsbMaxEntries, hugeTsbEntries, tsbs } = switches;
  const names = Array.from({ length: cpus }, (_, cpu) => `register[${cpu}]`);
  const pair = (where: string, i: number): string[] => [`${where}[${i}].tag`, `${where}[${i}].pte`];
  for (let t = 0; t < cpus * tsbs; t++) {
    names.push(`${t}.entries`);
    for (let i = 0; i < tsbMaxEntries; i++) names.push(...pair(`${t}`, i));
    for (let i = 0; i < hugeTsbEntries; i++) names.push(...pair(`${t}.huge`, i));
  }
  const registers = arena.reserve('tsb', names);
  const cache = arena.reserve('tsb_cache', ['lock', 'freed']);
  return {
    registers,
    words: names.length,
    tables: registers + cpus,
    tableWords: 1 + 2 * (tsbMaxEntries + hugeTsbEntries),
    maxEntries: tsbMaxEntries,
    hugeEntries: hugeTsbEntries,
    each: tsbs,
    lock: cache,
    freed: cache + 1,
    tagShift: geometry.pageShift + Math.log2(tsbEntries),
  };
}

/** Index of an address in a table (hash of tsb.c): its page's number modulo the number of entries. */
export function tsbIndex(address: number, shift: number, entries: number): number {
  return Math.floor(address / powerOfTwo(shift)) % entries;
}

/** Where an address would stand. @param entries base entries of the TSB */
export function tsbSlot(
  memory: TsbMemory,
  geometry: Geometry,
  tsb: Address,
  entries: number,
  address: number,
  kind: TsbKind,
): Slot {
  const shift = kindShift(geometry, kind);
  const tagShift = kind === TSB_BASE ? memory.tagShift : shift;
  const count = kind === TSB_BASE ? entries : memory.hugeEntries;
  const first = tsb + 1 + (kind === TSB_BASE ? 0 : 2 * memory.maxEntries);
  return {
    cell: first + 2 * tsbIndex(address, shift, count),
    tag: Math.floor(address / powerOfTwo(tagShift)) + 1,
  };
}

/** What the hardware finds: the TSB is that of the CPU's register, whatever the context number. */
export function translationTable(memory: TsbMemory, geometry: Geometry): TranslationTable {
  const half = powerOfTwo(kindShift(geometry, TSB_HUGE));
  return {
    base: memory.registers,
    words: memory.words,
    missesAnytime: true,
    lookup(load: (cell: Cell) => number, _asid: number, address: number, cpu: number): readonly Entry[] {
      const tsb = load(memory.registers + cpu);
      if (tsb === 0) return [];
      const found: Entry[] = [];
      const at = (kind: TsbKind): Entry => {
        const { cell, tag } = tsbSlot(memory, geometry, tsb, load(tsb), address, kind);
        return load(cell) === tag ? load(cell + 1) : 0;
      };
      const base = at(TSB_BASE);
      if (base !== 0) found.push(base);
      const huge = memory.hugeEntries === 0 ? 0 : at(TSB_HUGE);
      if (huge !== 0) {
        const page = Math.floor((address % half) / pageSize(geometry));
        found.push(mkEntry(entryTarget(huge) + page * Page.words, entryFlags(huge)));
      }
      return found;
    },
  };
}

/** tsb_alloc: a TSB that nobody has had yet, or else one that was freed; every tag invalid. @returns 0 where mms have none */
export function* allocTsb(cpu: Cpu, entries: number): Steps<Address> {
  const { tsbs } = sparc64Of(cpu);
  if (tsbs.each === 0) return 0;
  const { tsbsTaken } = thisCpuState(cpu);
  const taken = cpu.read(tsbsTaken);
  if (taken === tsbs.each) return yield* reuseTsb(cpu, entries);
  cpu.write(tsbsTaken, taken + 1);
  const tsb = tsbs.tables + (cpu.id * tsbs.each + taken) * tsbs.tableWords;
  cpu.write(tsb, entries);
  return tsb;
}

/** The one that was freed last; 0 if there is none. */
function* reuseTsb(cpu: Cpu, entries: number): Steps<Address> {
  const { lock, freed, tableWords } = sparc64Of(cpu).tsbs;
  yield* cpu.spinLock(lock);
  const tsb = cpu.read(freed);
  if (tsb !== 0) cpu.write(freed, -1 - cpu.read(tsb));
  yield* cpu.spinUnlock(lock);
  cpu.claim.that(tsb !== 0, 'O16', 'there is no TSB left: the switch tsbs says how many there are');
  if (tsb === 0) return 0;
  for (let word = 1; word < tableWords; word += 2) cpu.write(tsb + word, TAG_INVALID);
  cpu.write(tsb, entries);
  return tsb;
}

/** tsb_free: no CPU may look into it any more. While it is free its first word leads to the one that was freed before. */
export function* freeTsb(cpu: Cpu, tsb: Address): Steps<void> {
  if (tsb === 0) return;
  const { registers, lock, freed } = sparc64Of(cpu).tsbs;
  for (let other = 0; other < cpu.kernel.cpus; other++) {
    const loaded = yield* cpu.readOnce(registers + other);
    cpu.claim.that(loaded !== tsb, 'O5', `the TSB that CPU ${other} has in its register is freed`);
  }
  yield* cpu.spinLock(lock);
  cpu.write(tsb, -1 - cpu.read(freed));
  cpu.write(freed, tsb);
  yield* cpu.spinUnlock(lock);
}

/** Base entries of a TSB, which is not free. */
export function entriesOf(cpu: Cpu, tsb: Address): number {
  const entries = cpu.read(tsb);
  cpu.claim.that(entries > 0, 'O5', 'a TSB is used that was freed');
  return entries;
}

/**
 * Locks a tag (TSB_LOCK_TAG): nobody else writes behind it, and nothing matches it. A full barrier.
 * @returns the tag that was there
 */
export function* lockTag(cpu: Cpu, tag: Cell): Steps<number> {
  for (;;) {
    const seen = yield* cpu.xchg(tag, TAG_LOCKED);
    if (seen !== TAG_LOCKED) return seen;
    yield* cpu.waitFor(tag, 'notEqual', TAG_LOCKED);
  }
}

/**
 * Puts a translation behind a tag that is locked, and unlocks it (TSB_WRITE). Nobody reads what is behind a locked tag, so that the first store
 * is a plain one here.
 */
export function* writeBehindTag(cpu: Cpu, slot: Slot, entry: Entry): Steps<void> {
  cpu.write(slot.cell + 1, entry);
  yield* cpu.writeOnce(slot.cell, slot.tag);
}

/** What stands in a TSB for a part of a leaf. */
export interface Tte {
  /** In which table. */
  readonly kind: TsbKind;
  /** The translation. */
  readonly tte: Entry;
}

/** What stands in a TSB for the part of a leaf, huge or not, that holds the address. */
export function tteOf(geometry: Geometry, address: number, entry: Entry): Tte {
  if ((entry & PSE) === 0) return { kind: TSB_BASE, tte: entry };
  const shift = kindShift(geometry, TSB_HUGE);
  const second = tsbIndex(address, shift, 2);
  const pages = powerOfTwo(shift - geometry.pageShift);
  const small = entryClear(entry, PSE);
  return { kind: TSB_HUGE, tte: mkEntry(entryTarget(small) + second * pages * Page.words, entryFlags(small)) };
}

/** __update_mmu_tsb_insert: after a fault. The mm's context lock is held. */
export function* tsbInsert(cpu: Cpu, tsb: Address, address: number, entry: Entry): Steps<void> {
  cpu.claim.that(entryPresent(entry), 'O16', 'an entry that is not valid is put into the TSB');
  const { geometry } = cpu.kernel;
  const { tsbs } = sparc64Of(cpu);
  const { kind, tte } = tteOf(geometry, address, entry);
  if (kind === TSB_HUGE && tsbs.hugeEntries === 0) return;
  const slot = tsbSlot(tsbs, geometry, tsb, entriesOf(cpu, tsb), address, kind);
  yield* lockTag(cpu, slot.cell);
  yield* writeBehindTag(cpu, slot, tte);
}

/** tsb_flush: the address is not in the TSB any more. */
function* tsbFlush(cpu: Cpu, tsb: Address, address: number, kind: TsbKind): Steps<void> {
  const { tsbs } = sparc64Of(cpu);
  if (tsb === 0 || (kind === TSB_HUGE && tsbs.hugeEntries === 0)) return;
  const { cell, tag } = tsbSlot(tsbs, cpu.kernel.geometry, tsb, entriesOf(cpu, tsb), address, kind);
  while ((yield* cpu.cmpxchg(cell, tag, TAG_INVALID)) === TAG_LOCKED) yield* cpu.waitFor(cell, 'notEqual', TAG_LOCKED);
}

/** Takes mm->context.lock (spin_lock_irqsave): a full barrier. */
export function* lockContext(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.localIrqDisable();
  yield* cpu.spinLock(contextLock(mm));
}

/** Drops it. */
export function* unlockContext(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.spinUnlock(contextLock(mm));
  yield* cpu.localIrqEnable();
}

/**
 * flush_tsb_user, flush_tsb_user_page: addresses of one kind leave the mm's TSB, once for all CPUs. Page tables are written before; taking
 * the lock orders that before the look at the tags.
 */
export function* flushTsbUser(cpu: Cpu, mm: Mm, addresses: readonly number[], kind: TsbKind): Steps<void> {
  yield* lockContext(cpu, mm);
  const tsbs = [cpu.read(contextTsb(mm))];
  if (sparc64Of(cpu).switches.growFlush === 'both') tsbs.push(cpu.read(contextOldTsb(mm)));
  for (const tsb of tsbs) for (const address of addresses) yield* tsbFlush(cpu, tsb, address, kind);
  yield* unlockContext(cpu, mm);
}
