/**
 * The hash page table: where the CPU looks for translations (arch/powerpc/mm/book3s64/hash_native.c).
 *
 *     group (PTEG)     a few entries; a page has two, by its hash and by the complement
 *     entry (HPTE)     v: virtual page number, valid, lock bit      r: page frame and rights
 *
 * The virtual page number names context id and page, so one table serves all mms. The hardware looks at v alone to find an entry; the lock
 * bit is software's. Rights and frame stand in r as in a page-table entry (core's entry.ts), without what only software knows.
 *
 * The slot of an entry is not kept in the Linux PTE, as H_PAGE_F_SECOND and F_GIX do it, for there is no room: it is the first one whose v
 * matches, which is all that Linux compares in a slot. A page stands twice only where an entry was set anew while the older one waits for the end of a section:
 * then one of the two goes (with H_REMOVE both), and the PTE says that there may be another one.
 */
import {
  ACCESSED,
  type Arena,
  type Cell,
  type Cpu,
  DIRTY,
  type Entry,
  entryFlags,
  entryTarget,
  type Geometry,
  mkEntry,
  NX,
  PRESENT,
  RW,
  type Steps,
  tableEntries,
  type TranslationTable,
  USER,
} from '@mmu-gather/core/stepped';

/** HPTE_V_VALID. */
export const HPTE_VALID: number = 1;
/** HPTE_LOCK_BIT: somebody changes the entry. */
export const HPTE_LOCKED: number = 2;
const AVPN = 4;

/** Scatters contexts over the table (VSID_MULTIPLIER_256M, without its modulus). */
const VSID_MULTIPLIER = 12538073;

/** Bits of r that the hardware looks at: rights, referenced, changed. */
const HARDWARE = PRESENT | RW | USER | NX | ACCESSED | DIRTY;

/** Words of an entry. */
const WORDS = 2;

/** A virtual page number: which page of which context. */
export type Vpn = number;

/** The hash page table of a machine. */
export interface Htab extends TranslationTable {
  /** Number of groups. */
  readonly groups: number;
  /** Entries in a group. */
  readonly slots: number;
  /** Pages of an address space. */
  readonly pages: number;
  /** log2 of the page size. */
  readonly pageShift: number;
}

/** Reserves the table, empty. */
export function reserveHtab(arena: Arena, geometry: Geometry, groups: number, slots: number): Htab {
  const names = Array.from({ length: groups * slots }, (_, i) => {
    const at = `${Math.floor(i / slots)}.${i % slots}`;
    return [`v[${at}]`, `r[${at}]`];
  });
  const base = arena.reserve('htab', names.flat());
  const pages = geometry.bits.reduce((n, _bits, level) => n * tableEntries(geometry, level), 1);
  const htab = { base, words: groups * slots * WORDS, groups, slots, pages, pageShift: geometry.pageShift };
  return { ...htab, lookup: (load, context, address) => lookup(htab, load, hptVpn(htab, context, address)) };
}

/** hpt_vpn. */
export function hptVpn(htab: Pick<Htab, 'pages' | 'pageShift'>, context: number, address: number): Vpn {
  return context * htab.pages + Math.floor(address / 2 ** htab.pageShift);
}
/** The context that a virtual page number is of. */
export function vpnContext(htab: Pick<Htab, 'pages'>, vpn: Vpn): number {
  return Math.floor(vpn / htab.pages);
}
/** The first address of its page. */
export function vpnAddress(htab: Pick<Htab, 'pages' | 'pageShift'>, vpn: Vpn): number {
  return (vpn % htab.pages) * 2 ** htab.pageShift;
}

/** hpt_hash: the primary group of a page. The secondary one is its complement. */
export function hptHash(htab: Pick<Htab, 'groups' | 'pages'>, vpn: Vpn): number {
  return (((vpnContext(htab, vpn) * VSID_MULTIPLIER) % htab.groups) + (vpn % htab.pages)) % htab.groups;
}

/** The v words of the entries where a page may stand, in the order in which they are looked at. */
export function hpteCells(htab: Pick<Htab, 'base' | 'groups' | 'slots' | 'pages'>, vpn: Vpn): readonly Cell[] {
  const primary = hptHash(htab, vpn);
  const secondary = htab.groups - 1 - primary;
  const groups = primary === secondary ? [primary] : [primary, secondary];
  const first = (group: number): Cell => htab.base + group * htab.slots * WORDS;
  return groups.flatMap((group) => Array.from({ length: htab.slots }, (_, i) => first(group) + i * WORDS));
}

/** HPTE_V_COMPARE, and valid: does a v word say that its entry is of this page? */
export function hpteMatches(v: number, vpn: Vpn): boolean {
  return (v & HPTE_VALID) !== 0 && hpteVpn(v) === vpn;
}

/** hpte_encode_v. */
export function hpteV(vpn: Vpn): number {
  return vpn * AVPN + HPTE_VALID;
}

/** The page that the entry with this v word is of. */
export function hpteVpn(v: number): Vpn {
  return Math.floor(v / AVPN);
}

/** The r word of an entry. */
export function hpteR(v: Cell): Cell {
  return v + 1;
}

/** htab_convert_pte_flags: what a Linux PTE becomes in r. Writable only if it is dirty, so that the first store faults. */
export function hpteEncodeR(pte: Entry): Entry {
  const flags = entryFlags(pte) & HARDWARE;
  return mkEntry(entryTarget(pte), (flags & DIRTY) === 0 ? flags & ~RW : flags);
}

function lookup(
  htab: Pick<Htab, 'base' | 'groups' | 'slots' | 'pages'>,
  load: (cell: Cell) => number,
  vpn: Vpn,
): readonly Entry[] {
  return hpteCells(htab, vpn)
    .filter((cell) => hpteMatches(load(cell), vpn))
    .map((cell) => load(hpteR(cell)));
}

/**
 * native_lock_hpte: takes an entry as it was seen. Interrupts off, for their handlers may fault on addresses of the kernel, and wait for it.
 * @returns false if it is not so any more, or somebody has it: look again
 */
export function* lockHpte(cpu: Cpu, cell: Cell, seen: number): Steps<boolean> {
  cpu.claim.irqsOff();
  return (yield* cpu.cmpxchg(cell, seen, seen + HPTE_LOCKED)) === seen;
}

/** An entry of the hash page table that is locked. */
export interface LockedHpte {
  /** Its v word. */
  readonly cell: Cell;
  /** What that held before. */
  readonly v: number;
}

/**
 * native_hpte_find: locks the entry of a page; the next store of v unlocks it.
 * @returns null if the page does not stand there
 */
export function* findAndLockHpte(cpu: Cpu, htab: Htab, vpn: Vpn): Steps<LockedHpte | null> {
  for (const cell of hpteCells(htab, vpn)) {
    for (;;) {
      const v = yield* cpu.readOnce(cell);
      if (!hpteMatches(v, vpn)) break;
      if ((v & HPTE_LOCKED) !== 0) {
        yield* cpu.waitFor(cell, 'notEqual', v);
        continue;
      }
      if (yield* lockHpte(cpu, cell, v)) return { cell, v };
    }
  }
  return null;
}
