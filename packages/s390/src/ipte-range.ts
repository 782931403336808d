/**
 * The cache of changed entries in a lazy MMU section (struct ipte_range; "s390/mm: Batch PTE updates in lazy MMU mode", March to July 2026,
 * version 6): changes of one page table stay here until the section ends, and then one IPTE with additional entries purges a run of
 * them. Each global IPTE halts all CPUs of the machine for a moment, so fewer of them are worth much.
 *
 *     enter                                      every slot is empty (poison)
 *       get_and_clear, set_pte, wrprotect,       read and write the slot; memory, and TLBs, keep the old entry
 *       modify_prot ... in this table
 *       an entry of another table                as outside a section
 *     leave, flush                               for each run of slots: flush_count += 1; IPTE; flush_count -= 1; store
 *
 * In the series the caller says which range the section is about (lazy_mmu_mode_enable_with_ptes), which never crosses a page table; here it is
 * the table of the first entry that is taken away or restricted, which comes to the same: the old side of mremap, the parent of a fork. Only the
 * outermost section has one: what a section inside it changes is done at once.
 *
 * ptep_get is not told: what walks the table in a section reads each entry before it changes it, and not again.
 */
import {
  type Address,
  type Arena,
  type Cell,
  type Cpu,
  type Entry,
  entryIndex,
  type Geometry,
  type Handle,
  isLazyMmuModeActive,
  Mm,
  pageSize,
  preemptDisable,
  preemptEnable,
  type Steps,
  type Struct,
  struct,
  tableEntries,
  thisRq,
  type LazyMmu,
} from '@mmu-gather/core/stepped';
import { isInvalid } from './entry-bits.ts';
import { beginDirectFlush, endFlush } from './flush-count.ts';
import { type At, purgeEntry } from './ipte.ts';
import { s390Of } from './state.ts';
import { FLUSH_ENTRY, traceFlush } from './trace.ts';

/** Sections that are open in the outermost one. */
const OUTERMOST = 1;

/** A slot that holds nothing; others hold the entry, plus 1. */
const POISON = 0;

/** The words of a CPU's cache before its slots. */
export interface IpteRangeHead extends Handle {
  /** The mm of the table. */
  readonly mm: Cell;
  /** The table; 0 if no entry was changed yet. */
  readonly table: Cell;
  /** Address that its first entry maps. */
  readonly start: Cell;
}
/** Struct type of {@link IpteRangeHead}. */
const Head: Struct<IpteRangeHead> = struct<IpteRangeHead>('ipte_range', ['mm', 'table', 'start']);

/** The cache of one CPU, which nobody else looks at. */
export interface IpteRange extends IpteRangeHead {
  /** First slot: one for each entry of a page table. */
  readonly slots: Address;
}

/** Reserves the cache of a CPU. */
export function reserveIpteRange(arena: Arena, cpu: number, geometry: Geometry): IpteRange {
  const slots = Array.from({ length: tableEntries(geometry, 0) }, (_, i) => `cache[${i}]`);
  const address = arena.reserve(`ipte_range[${cpu}]`, [...Head.fields, ...slots]);
  return { ...Head.at(address), slots: address + Head.words };
}

function thisRange(cpu: Cpu): IpteRange | undefined {
  return s390Of(cpu).ipteRanges[cpu.id];
}

/** The slot of an entry, if its change is to be cached; 0 if it is not. @param adopt the first entry of a section decides the table */
export function cacheSlot(cpu: Cpu, mm: Mm, address: number, pte: Cell, adopt: boolean): Cell {
  const range = thisRange(cpu);
  if (range === undefined || !isLazyMmuModeActive(cpu)) return 0;
  const { geometry } = cpu.kernel;
  const index = entryIndex(geometry, 0, address);
  if (adopt && cpu.read(range.table) === 0 && cpu.read(thisRq(cpu).lazyMmu) === OUTERMOST) {
    cpu.write(range.mm, mm.address);
    cpu.write(range.table, pte - index);
    cpu.write(range.start, address - index * pageSize(geometry));
  }
  return cpu.read(range.table) === pte - index ? range.slots + index : 0;
}

/** What an entry of the table is, the cached change if there is one. */
export function* cachedGet(cpu: Cpu, slot: Cell, pte: Cell): Steps<Entry> {
  const cached = cpu.read(slot);
  return cached === POISON ? yield* cpu.readOnce(pte) : cached - 1;
}

/** Changes an entry of the table in its slot. */
export function cachedSet(cpu: Cpu, slot: Cell, entry: Entry): void {
  cpu.write(slot, entry + 1);
}

/** Does what was collected, run by run. */
function* apply(cpu: Cpu): Steps<void> {
  const range = thisRange(cpu)!;
  const entries = tableEntries(cpu.kernel.geometry, 0);
  for (let i = 0; i < entries; ) {
    const first = i;
    while (i < entries && cpu.read(range.slots + i) !== POISON) i++;
    if (i > first) yield* applyRun(cpu, range, first, i);
    else i++;
  }
}

/** The slots from one on and up to another one all hold something. */
function* applyRun(cpu: Cpu, range: IpteRange, first: number, end: number): Steps<void> {
  const mm = Mm.at(cpu.read(range.mm));
  const table = cpu.read(range.table);
  const size = pageSize(cpu.kernel.geometry);
  const old: Entry[] = [];
  for (let i = first; i < end; i++) old.push(yield* cpu.readOnce(table + i));
  const at = (i: number): At => ({ mm, address: cpu.read(range.start) + i * size, pte: table + i, level: 0 });
  for (let i = first; i < end; ) {
    const start = i;
    while (i < end && !isInvalid(old[i - first]!)) i++;
    if (i > start) yield* purgeRun(cpu, at(start), old.slice(start - first, i - first));
    else i++;
  }
  for (let i = first; i < end; i++) {
    yield* cpu.writeOnce(table + i, cpu.read(range.slots + i) - 1);
    cpu.write(range.slots + i, POISON);
  }
}

/**
 * IPTE with additional entries, of entries that follow one another and are all valid: one purge, local or global as any direct one. Each entry is a
 * step of its own here.
 */
function* purgeRun(cpu: Cpu, first: At, old: readonly Entry[]): Steps<void> {
  const size = pageSize(cpu.kernel.geometry);
  const where = yield* beginDirectFlush(cpu, first.mm);
  for (const [i, entry] of old.entries())
    yield* purgeEntry(cpu, { ...first, address: first.address + i * size, pte: first.pte + i }, entry, where);
  traceFlush(cpu, FLUSH_ENTRY, where, first.address, old.length);
  yield* endFlush(cpu, first.mm);
}

/** Lazy MMU mode of the series. */
export const IPTE_RANGE_LAZY_MMU: LazyMmu = {
  *enter(cpu: Cpu): Steps<void> {
    preemptDisable(cpu);
  },
  *leave(cpu: Cpu): Steps<void> {
    const range = thisRange(cpu)!;
    yield* apply(cpu);
    cpu.write(range.table, 0);
    preemptEnable(cpu);
  },
  flush(cpu: Cpu): Steps<void> {
    return apply(cpu);
  },
  collected(cpu: Cpu): number {
    const range = thisRange(cpu)!;
    let collected = 0;
    for (let i = 0; i < tableEntries(cpu.kernel.geometry, 0); i++)
      if (cpu.read(range.slots + i) !== POISON) collected++;
    return collected;
  },
};
