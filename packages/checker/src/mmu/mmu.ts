/**
 * Mmu: what the TLBs and walk caches of every CPU *may hold*.
 *
 * A real TLB fills by speculation and evicts at any time. Instead of exploring fills, this keeps for every (CPU, ASID,
 * virtual path, level) the set of all entry values that could be cached there, and lets accesses pick from it:
 *
 *     an entry value enters the set     while it stands in memory, reachable on the context that the CPU has loaded
 *                                       (through memory or through cached pointers to tables)
 *     it leaves                         by an invalidation that covers it, or a context load that flushes
 *     a context that is not loaded      keeps its set as it is: it gains nothing meanwhile
 *
 * So there are no fill events, capacity does not matter, and the worst case is always there. Sets are keyed by the virtual
 * path, not by the table cell: a table that moved serves two addresses. Walks read memory, never a store buffer. Accessed
 * bits are always set here, where the hardware sets them: the walker does before it caches.
 *
 *     values.ts        entry values by number; a set is a mask of them         fills.ts       what walks bring in
 *     sets.ts          the sets, and what each CPU has loaded                  lookups.ts     hardware with tables of its own
 *     doomed.ts        broadcasts that are under way                           removals.ts    for observers
 *     page-tables.ts   what memory has                                         descriptor.ts  what Arm's hardware makes of an entry
 *
 * The kernel's own page table (`init_mm`) is walked on every CPU, whatever it runs, as soon as it has a root. What is cached of it
 * stands under one more tag, KERNEL: global entries, which context loads keep and which only invalidations of globals drop.
 * User accesses do not see it, nor kernel ones the user's.
 *
 * Where entries that are not valid may be cached (`Isa.cachesInvalid`), 0 is one more value of the sets, for all of them: no way to translate,
 * but a way to fault (`mayFault`).
 *
 * Where the hardware looks into a table of translations (`Backend.translationTable`), what stands there for the loaded ASID takes the
 * place of what a walk would find; a page is then cached as from level 0, a huge one as from level 1. The kernel's mappings are walked in its
 * page table even so: a simplification, for they are filled by software before they are used.
 *
 * Where it finds roots by tag in a table (`Backend.processTable`), a CPU caches the root of the tag that it has loaded, and goes on with it when
 * the table has another one or none, until an invalidation of roots. A tag that is loaded with another root than is cached is a violation (O8).
 */
import {
  ACCESSED,
  ALL,
  ALL_ASIDS,
  type Address,
  type BootOptions,
  type Entry,
  entryPresent,
  type Kernel,
  Mm,
  PRESENT,
  PSE,
  type Scope,
} from '@mmu-gather/core/stepped';
import type { Numbers } from '../explorable.ts';
import type { Layout } from '../layout.ts';
import type { State } from '../state.ts';
import { type FillHost, Fills } from './fills.ts';
import { Lookups } from './lookups.ts';
import { type Frames, PageTables } from './page-tables.ts';
import { type Held, type Removal, Removals } from './removals.ts';
import { Sets } from './sets.ts';
import { EntryValues } from './values.ts';

/**
 * Is told of each leaf value that may be cached for a page: the entry, its number, and the frame that it maps the page to (a huge
 * leaf maps a row of frames).
 */
export type VisitLeaf = (entry: Entry, number: number, frame: Address) => void;

/** Everything that any CPU may hold. */
const ALL_ENTRIES: Scope = { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: true, roots: true };

/** The TLBs and walk caches of all CPUs. */
export class Mmu {
  /** All roots that were ever loaded, in any execution. */
  readonly roots: Address[] = [];
  readonly #state: State;
  readonly #options: BootOptions;
  /** Tags of one address space (Isa.pairedAsids). */
  readonly #tagsOfOne: number;
  readonly #host: FillHost;
  /** Where the kernel keeps the root of its own table. */
  readonly #kernelPgd: Address;
  readonly #values: EntryValues;
  readonly #tables: PageTables;
  readonly #sets: Sets;
  readonly #lookups: Lookups;
  readonly #fills: Fills;
  readonly #removals: Removals;

  /** Words that an Mmu needs. */
  static words(options: BootOptions): number {
    return Sets.words(options);
  }

  constructor(state: State, layout: Layout, options: BootOptions, base: number, kernel: Kernel, host: FillHost) {
    this.#state = state;
    this.#options = options;
    this.#host = host;
    this.#kernelPgd = Mm.at(kernel.initMm).pgd;
    const { isa } = options.backend;
    this.#tagsOfOne = isa.pairedAsids === true ? 2 : 1;
    const cacheable = isa.accessed === 'software' ? PRESENT | ACCESSED : PRESENT;
    const values = (this.#values = new EntryValues(isa.contiguous));
    if (isa.cachesInvalid !== undefined) values.number(0);
    const tables = (this.#tables = new PageTables(state, layout, options));
    const sets = (this.#sets = new Sets(state, values, tables, options, base));
    const lookups = (this.#lookups = new Lookups(state, kernel.backend, tables, this.pageSize, cacheable));
    const parts = { values, tables, sets, lookups };
    this.#fills = new Fills(state, layout, options, host, parts, cacheable);
    this.#removals = new Removals(parts, (cpu, tag) =>
      tag === this.kernelTag ? this.kernelRoot : this.#sets.root(cpu, tag),
    );
  }

  /** Called with everything that is removed, if set. It may come back at once, if memory still has it. */
  set onRemoval(removed: ((removal: Removal) => void) | undefined) {
    this.#sets.onDrop = removed && ((from, gone) => this.#removals.tell(from, gone, removed));
  }

  /** Number of levels. */
  get levels(): number {
    return this.#tables.levels;
  }

  /** Number of user pages. */
  get pages(): number {
    return this.#tables.pages;
  }

  /** Entry values by number. */
  get messages(): readonly Entry[] {
    return this.#values.all;
  }

  /** Addresses of a page. */
  get pageSize(): number {
    return 2 ** this.#options.geometry.pageShift;
  }

  /** Page number of an address. */
  page(address: number): number {
    return Math.floor(address / this.pageSize);
  }

  // ---- contexts ----

  /** The loaded ASID of a CPU, -1 before the first load. */
  liveAsid(cpu: number): number {
    return this.#sets.liveAsid(cpu);
  }

  /** The loaded top-level table of a CPU; 0 if it has no user part. */
  liveRoot(cpu: number): Address {
    return this.#sets.liveRoot(cpu);
  }

  /** The tag of what is cached of the kernel's own table. */
  get kernelTag(): number {
    return this.#sets.asids;
  }

  /** The root of the kernel's own table; 0 as long as it has none. */
  get kernelRoot(): Address {
    return this.#state.words[this.#kernelPgd]!;
  }

  /**
   * Loads a context. Without `noflush` the entries of the ASID go first.
   * @returns the root whose entries are still there although another one is loaded under the ASID (O8), else 0.
   */
  loadContext(cpu: number, root: Address, asid: number, noflush: boolean): Address {
    const sets = this.#sets;
    if (asid < 0 || asid >= sets.asids) throw new RangeError(`ASID ${asid} is not one of ${sets.asids}`);
    let leaked = 0;
    for (let tag = asid; tag < asid + this.#tagsOfOne; tag++) {
      if (!noflush) sets.clear(cpu, tag);
      else if (sets.root(cpu, tag) !== root && (this.#lookups.roots !== null || sets.any(cpu, tag)))
        leaked = sets.root(cpu, tag);
      sets.setRoot(cpu, tag, root);
    }
    this.#noteRoot(root);
    sets.load(cpu, asid, root);
    this.refill(cpu);
    return leaked;
  }

  #noteRoot(root: Address): void {
    if (root !== 0 && !this.roots.includes(root)) this.roots.push(root);
  }

  // ---- invalidations ----

  /** Drops what a scope covers on one CPU; what is still in memory may be cached again at once. */
  invalidate(cpu: number, scope: Scope): void {
    this.#drop(cpu, scope);
    this.#forRoots(cpu, scope, (asid) => this.#dropRoot(cpu, asid));
    this.refill(cpu);
  }

  /** Drops what a scope covers on every CPU, or on those that it names, at once. */
  invalidateEverywhere(scope: Scope): void {
    for (let cpu = 0; cpu < this.#options.cpus; cpu++)
      if (scope.cpus === undefined || (scope.cpus & (1 << cpu)) !== 0) this.#drop(cpu, scope);
    this.refillAll();
  }

  /**
   * A CPU broadcasts an invalidation: what it covers is doomed on every CPU, and gone when the CPU has waited for it. Until then it
   * may be used. What is walked anew meanwhile, from memory as it is then, is not doomed any more.
   */
  broadcast(issuer: number, scope: Scope): void {
    const sets = this.#sets;
    if (sets.doomed.issuers === 0)
      throw new Error('an invalidation is broadcast, and the isa says that there is no such thing');
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      sets.forCovered(cpu, scope, (at, values) => sets.doom(issuer, at, values));
      this.#forRoots(cpu, scope, (asid) => sets.doomed.add(issuer, sets.rootWord(cpu, asid), 1));
    }
    this.refillAll();
  }

  /** A CPU has waited for its broadcasts: what they doomed is gone. */
  broadcastsDone(issuer: number): void {
    const { doomed } = this.#sets;
    if (doomed.issuers === 0) return;
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      this.#sets.forCovered(cpu, ALL_ENTRIES, (at, values) => {
        this.#sets.drop(at, values & doomed.of(issuer, at.word));
      });
      this.#forRoots(cpu, ALL_ENTRIES, (asid) => {
        if (doomed.of(issuer, this.#sets.rootWord(cpu, asid)) !== 0) this.#dropRoot(cpu, asid);
      });
    }
    this.refillAll();
  }

  #drop(cpu: number, scope: Scope): void {
    this.#sets.forCovered(cpu, scope, (at, values) => this.#sets.drop(at, values));
  }

  /** Calls back with each tag of a CPU of which a scope covers the root that is cached, if roots are. */
  #forRoots(cpu: number, scope: Scope, visit: (asid: number) => void): void {
    if (this.#lookups.roots === null || scope.roots !== true) return;
    for (let asid = 0; asid < this.#sets.asids; asid++) {
      const covered = scope.asid === ALL_ASIDS || scope.asid === asid;
      if (covered && this.#sets.root(cpu, asid) !== 0) visit(asid);
    }
  }

  /** Drops the root that is cached of a tag. It comes back at once if the tag is loaded and the table still has one. */
  #dropRoot(cpu: number, asid: number): void {
    const live = this.liveAsid(cpu) === asid;
    const comesBack = live && this.#lookups.rootOf(asid) !== 0;
    this.#sets.setRoot(cpu, asid, comesBack ? this.#sets.root(cpu, asid) : 0);
    if (live && !comesBack) this.#sets.loadRoot(cpu, 0);
  }

  // ---- fills ----

  /** Lets every CPU fill from memory as it is now. After any change of a page-table entry, and after a table was freed. */
  refillAll(): void {
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) this.refill(cpu);
  }

  /** Lets one CPU fill. */
  refill(cpu: number): void {
    const { translations } = this.#lookups;
    if (this.#lookups.roots !== null) this.#findRoot(cpu);
    const root = this.liveRoot(cpu);
    const asid = this.liveAsid(cpu);
    if (root !== 0 && translations !== null) {
      this.#fills.lookUp(cpu, asid);
      if (translations.missesAnytime === true && this.#host.inUser(cpu)) this.#fills.miss(cpu, asid, root);
    } else if (root !== 0) {
      for (let tag = 0; tag < this.#tagsOfOne; tag++) this.#fills.walk(cpu, asid + tag, root);
    }
    const kernel = this.kernelRoot;
    if (kernel !== 0) this.#fills.walk(cpu, this.kernelTag, kernel);
  }

  /** A CPU whose tag has no root looks for one: its tag may be another mm's by now. */
  #findRoot(cpu: number): void {
    const asid = this.liveAsid(cpu);
    if (asid <= 0 || this.#sets.root(cpu, asid) !== 0) return;
    const root = this.#lookups.rootOf(asid);
    if (root === 0) return;
    this.#noteRoot(root);
    this.#sets.setRoot(cpu, asid, root);
    this.#sets.loadRoot(cpu, root);
  }

  /** A CPU comes to user mode: it may miss, if nothing else fills its TLB then. */
  entersUser(cpu: number): void {
    if (this.#lookups.translations?.missesAnytime === true) this.refill(cpu);
  }

  // ---- what may be held ----

  /** Calls back with every leaf value that may be cached for a page on the context that the CPU has loaded. */
  leaves(cpu: number, page: number, visit: VisitLeaf): void {
    if (this.liveRoot(cpu) === 0) return;
    for (let tag = 0; tag < this.#tagsOfOne; tag++) this.leavesUnder(cpu, this.liveAsid(cpu) + tag, page, visit);
  }

  /** Calls back with every leaf value that may be cached for a page of the kernel on a CPU. */
  kernelLeaves(cpu: number, page: number, visit: VisitLeaf): void {
    this.leavesUnder(cpu, this.kernelTag, page, visit);
  }

  /** Calls back with every leaf value that may be cached for a page under an ASID of a CPU. */
  leavesUnder(cpu: number, asid: number, page: number, visit: VisitLeaf): void {
    for (let level = 0; level < this.levels; level++) {
      this.#sets.forEach(this.#sets.atPage(cpu, asid, level, page), (entry, number) => {
        if (entryPresent(entry) && (level === 0 || (entry & PSE) !== 0))
          visit(entry, number, this.#tables.frame(entry, level, page));
      });
    }
  }

  /** All that a CPU may hold, under whatever tag: leaves, and pointers to tables. */
  heldBy(cpu: number): Held[] {
    return this.#removals.held(cpu);
  }

  /**
   * May an access of a page under a tag fault whatever memory allows: is there an entry on the way that is cached as not valid, or a leaf
   * without one of the bits `need`?
   */
  mayFault(cpu: number, tag: number, page: number, need: number): boolean {
    const { cachesInvalid, keepsNarrower } = this.#options.backend.isa;
    if (cachesInvalid === undefined && keepsNarrower !== true) return false;
    for (let level = 0; level < this.levels; level++)
      if (
        cachesInvalid !== undefined &&
        this.#sets.intersects(this.#sets.atPage(cpu, tag, level, page), this.#values.absent)
      )
        return true;
    let narrower = false;
    this.leavesUnder(cpu, tag, page, (entry) => {
      narrower ||= (entry & need) !== need;
    });
    return narrower;
  }

  /** The same of the context that the CPU has loaded, under either tag of an address space that has two. */
  userMayFault(cpu: number, page: number, need: number): boolean {
    for (let tag = 0; tag < this.#tagsOfOne; tag++)
      if (this.mayFault(cpu, this.liveAsid(cpu) + tag, page, need)) return true;
    return false;
  }

  /** The numbers of entry values. */
  get numbers(): Numbers {
    return this.#values;
  }

  /** Number of an entry value, -1 if no TLB ever held it. */
  numberOf(entry: Entry): number {
    return this.#values.numberOf(entry);
  }

  /** May any CPU hold this leaf value for a page of a root, under whatever ASID? */
  isHeld(root: Address, page: number, number: number): boolean {
    const huge = (this.messages[number]! & PSE) !== 0;
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      for (let asid = 0; asid < this.#sets.asids; asid++) {
        if (this.#sets.root(cpu, asid) !== root) continue;
        for (let level = huge ? 1 : 0; level < (huge ? this.levels : 1); level++)
          if (this.#sets.has(this.#sets.atPage(cpu, asid, level, page), number)) return true;
      }
    }
    return false;
  }

  /** Calls back with every leaf value that any CPU may hold for a page of a root, under whatever ASID; perhaps more than once. */
  held(root: Address, page: number, visit: VisitLeaf): void {
    for (let cpu = 0; cpu < this.#options.cpus; cpu++)
      for (let asid = 0; asid < this.#sets.asids; asid++)
        if (this.#sets.root(cpu, asid) === root) this.leavesUnder(cpu, asid, page, visit);
  }

  // ---- what memory has ----

  /**
   * The entry that an access of a page on the loaded context finds if nothing is cached: in the table of translations one that has the bits
   * `need`, if there is one, else in page tables; 0 if there is none.
   */
  found(cpu: number, page: number, need: number): Entry {
    if (this.#lookups.translations === null) return this.inMemory(this.liveRoot(cpu), page);
    const entries = this.#lookups.entries(cpu, this.liveAsid(cpu), page);
    return entries.find((entry) => (entry & need) === need) ?? 0;
  }

  /** The leaf entry that memory holds for a page under a root now; 0 if there is none. */
  inMemory(root: Address, page: number): Entry {
    return this.#tables.inMemory(root, page);
  }

  /** The frame that memory maps a page under a root to; 0 if there is no present entry. */
  frameInMemory(root: Address, page: number): Address {
    return this.#tables.frameInMemory(root, page);
  }

  /** The frame that an entry, were it in this cell on the way to a page, would map the page to; 0 if it is not present. */
  frameAt(cell: Address, entry: Entry, root: Address, page: number): Address {
    return this.#tables.frameAt(cell, entry, root, page);
  }

  /** The cell of the leaf entry for a page under a root; 0 if a table is missing. */
  leafCell(root: Address, page: number): Address {
    return this.#tables.leafCell(root, page);
  }

  /** Is a cell on the way from a root to a page, as the tables above it are now? */
  isOnTheWay(cell: Address, root: Address, page: number): boolean {
    return this.#tables.isOnTheWay(cell, root, page);
  }

  /** The frames that an entry maps: one, or with PSE a row of them, as at the lowest level that has huge leaves. */
  framesOf(entry: Entry): Frames {
    return this.#tables.framesOf(entry);
  }

  /** Does a dirty entry in any table map a page? */
  mappedDirty(page: Address): boolean {
    return this.#tables.mappedDirty(page, (cell) => this.#host.freed(cell));
  }
}
