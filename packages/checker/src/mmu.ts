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
 * The set of one path is a bit mask over entry values, which are numbered as they first appear in a run of the checker.
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
  type ContiguousHint,
  type Entry,
  entryClear,
  entryFlags,
  entryPresent,
  entryShift,
  entryTarget,
  type Extent,
  type Geometry,
  type Isa,
  type Kernel,
  mkEntry,
  Mm,
  NX,
  Page,
  PRESENT,
  pteDirty,
  PSE,
  type Scope,
  tableEntries,
  type TranslationTable,
} from '@mmu-gather/core/stepped';
import type { Layout } from './layout.ts';
import type { State } from './state.ts';

/** Words of a mask. */
const MASK_WORDS = 2;
const BITS = 31;
/** Different entry values that may appear in one scenario. */
export const MAX_MESSAGES: number = MASK_WORDS * BITS;

/** Told of what a fill brings. */
export interface FillHost {
  /** Was the object at this address given back? */
  freed(address: Address): boolean;
  /** Is a CPU in user mode, with its interrupt side idle? */
  inUser(cpu: number): boolean;
  /** A walk can read a freed table (O4). */
  freedTable(cpu: number, table: Address): void;
  /** A huge leaf and a smaller one may be cached for the same address (O14). */
  twoSizes(cpu: number, page: number, kernel: boolean): void;
  /** Under weak: calls back with older values of an entry that a walk may still read, and the CPUs whose broadcasts doom that. */
  olderEntries?: ((cpu: number, cell: Address, visit: (entry: Entry, doomed: number) => void) => void) | undefined;
  /** The table of translations has two entries for one address (O14). */
  foundTwice(cpu: number, page: number): void;
}

/**
 * Is told of each leaf value that may be cached for a page: the entry, its number, and the frame that it maps the page to (a huge
 * leaf maps a row of frames).
 */
export type VisitLeaf = (entry: Entry, number: number, frame: Address) => void;

/** An entry value that an invalidation or a context load removed from what a CPU may hold. */
export interface Removal {
  /** The CPU. */
  readonly cpu: number;
  /** The ASID, or the tag of kernel entries. */
  readonly tag: number;
  /** Level of the entry. */
  readonly level: number;
  /** First page that it maps. */
  readonly page: number;
  /** Whether it is a leaf, and not a pointer to a table. */
  readonly leaf: boolean;
  /** Whether the hardware would not find this value any more where it looks: in page tables, or in a table of translations. */
  readonly old: boolean;
}

/** An entry value that a CPU may hold. */
export interface Held extends Omit<Removal, 'cpu'> {
  /** The value. */
  readonly entry: Entry;
  /** Pages that an entry of its level leads to. */
  readonly pages: number;
}

/** Everything that any CPU may hold. */
const ALL_ENTRIES: Scope = { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: true, roots: true };

/** A row of physical pages. */
export interface Frames {
  /** The first. */
  readonly first: Address;
  /** How many. */
  readonly count: number;
}

/** The TLBs and walk caches of all CPUs. */
export class Mmu {
  /** Called with everything that is removed, if set. It may come back at once, if memory still has it. */
  onRemoval: ((removal: Removal) => void) | undefined;
  /** Number of levels. */
  readonly levels: number;
  /** Number of user pages. */
  readonly pages: number;
  /** All roots that were ever loaded, in any execution. */
  readonly roots: Address[] = [];
  readonly #pagesPerEntry: readonly number[];
  readonly #state: State;
  readonly #layout: Layout;
  readonly #options: BootOptions;
  readonly #base: number;
  readonly #asids: number;
  /** Blocks of entries, if there are any, and the mask of the values that belong to one. */
  readonly #contiguous: ContiguousHint | undefined;
  readonly #inBlocks = new Int32Array(MASK_WORDS);
  /** Tags of one address space (Isa.pairedAsids). */
  readonly #tagsOfOne: number;
  /** Offset of each level's masks within an ASID. */
  readonly #levelOffset: readonly number[];
  readonly #asidWords: number;
  readonly #cpuWords: number;
  /** CPUs that may broadcast. */
  readonly #issuers: number;
  readonly #numbers = new Map<Entry, number>();
  /** Entry values by number. */
  readonly messages: Entry[] = [];
  /** Mask of the values that are leaves above level 0: they share sets with the pointers of their level. */
  readonly #huge = new Int32Array(MASK_WORDS);
  /** Mask of the values that allow execution. */
  readonly #executable = new Int32Array(MASK_WORDS);
  /** Mask of the value that stands for entries that are not valid, if they are cached. */
  readonly #absent = new Int32Array(MASK_WORDS);
  readonly #cachesInvalid: Isa['cachesInvalid'];
  readonly #host: FillHost;
  /** Where the kernel keeps the root of its own table. */
  readonly #kernelPgd: Address;
  readonly #translations: TranslationTable | null;
  /** First word of the table of roots, if the hardware has one. */
  readonly #processTable: Address | null;
  /** Bits that a leaf must have to be cached. */
  readonly #cacheable: number;
  /** A fill has added something. */
  #filled = false;
  /** Level of the cell that leafCell found last. */
  #level = 0;

  /** Words that an Mmu needs: what all CPUs may hold, and of that what the broadcasts of each have doomed. */
  static words({ cpus, backend, geometry }: BootOptions): number {
    const asid = 1 + MASK_WORDS * slotsPerLevel(geometry).reduce((a, b) => a + b, 0);
    const held = cpus * (2 + (1 + backend.isa.asids) * asid);
    return held * (backend.isa.broadcasts ? 1 + cpus : 1);
  }

  constructor(state: State, layout: Layout, options: BootOptions, base: number, kernel: Kernel, host: FillHost) {
    this.#state = state;
    this.#layout = layout;
    this.#options = options;
    this.#base = base;
    this.#kernelPgd = Mm.at(kernel.initMm).pgd;
    this.#translations = kernel.backend.translationTable;
    this.#processTable = kernel.backend.processTable;
    this.#cacheable = options.backend.isa.accessed === 'software' ? PRESENT | ACCESSED : PRESENT;
    this.#cachesInvalid = options.backend.isa.cachesInvalid;
    if (this.#cachesInvalid !== undefined) this.#number(0);
    this.#host = host;
    this.levels = options.geometry.bits.length;
    this.#asids = options.backend.isa.asids;
    this.#contiguous = options.backend.isa.contiguous;
    this.#tagsOfOne = options.backend.isa.pairedAsids === true ? 2 : 1;
    const slots = slotsPerLevel(options.geometry);
    this.pages = slots[0]!;
    this.#pagesPerEntry = slots.map((n) => this.pages / n);
    const offsets: number[] = [];
    let at = 1;
    for (const n of slots) {
      offsets.push(at);
      at += n * MASK_WORDS;
    }
    this.#levelOffset = offsets;
    this.#asidWords = at;
    this.#cpuWords = 2 + (1 + this.#asids) * at;
    this.#issuers = options.backend.isa.broadcasts ? options.cpus : 0;
  }

  /** The loaded ASID of a CPU, -1 before the first load. */
  liveAsid(cpu: number): number {
    return this.#state.words[this.#base + cpu * this.#cpuWords]! - 1;
  }

  /** The loaded top-level table of a CPU; 0 if it has no user part. */
  liveRoot(cpu: number): Address {
    return this.#state.words[this.#base + cpu * this.#cpuWords + 1]!;
  }

  /** The tag of what is cached of the kernel's own table. */
  get kernelTag(): number {
    return this.#asids;
  }

  /** The root of the kernel's own table; 0 as long as it has none. */
  get kernelRoot(): Address {
    return this.#state.words[this.#kernelPgd]!;
  }

  /** Addresses of a page. */
  get pageSize(): number {
    return 2 ** this.#options.geometry.pageShift;
  }

  /** Page number of an address. */
  page(address: number): number {
    return Math.floor(address / 2 ** this.#options.geometry.pageShift);
  }

  /**
   * Loads a context. Without `noflush` the entries of the ASID go first.
   * @returns the root whose entries are still there although another one is loaded under the ASID (O8), else 0.
   */
  loadContext(cpu: number, root: Address, asid: number, noflush: boolean): Address {
    if (asid < 0 || asid >= this.#asids) throw new RangeError(`ASID ${asid} is not one of ${this.#asids}`);
    let leaked = 0;
    for (let tag = asid; tag < asid + this.#tagsOfOne; tag++) {
      const owner = this.#asidBase(cpu, tag);
      if (!noflush) this.#clearAsid(cpu, tag);
      else if (this.#state.words[owner] !== root && (this.#processTable !== null || this.#anyIn(cpu, tag)))
        leaked = this.#state.words[owner]!;
      this.#state.set(owner, root);
      this.#forget(owner, -1);
    }
    if (root !== 0 && !this.roots.includes(root)) this.roots.push(root);
    this.#state.set(this.#base + cpu * this.#cpuWords, asid + 1);
    this.#state.set(this.#base + cpu * this.#cpuWords + 1, root);
    this.refill(cpu);
    return leaked;
  }

  /** Drops what a scope covers on one CPU; what is still in memory may be cached again at once. */
  invalidate(cpu: number, scope: Scope): void {
    this.#forCovered(cpu, scope, (at, values) => this.#drop(at, values));
    this.#forRoots(cpu, scope, (asid) => this.#dropRoot(cpu, asid));
    this.refill(cpu);
  }

  /** Drops what a scope covers on every CPU, or on those that it names, at once. */
  invalidateEverywhere(scope: Scope): void {
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      if (scope.cpus !== undefined && (scope.cpus & (1 << cpu)) === 0) continue;
      this.#forCovered(cpu, scope, (at, values) => this.#drop(at, values));
    }
    this.refillAll();
  }

  /**
   * A CPU broadcasts an invalidation: what it covers is doomed on every CPU, and gone when the CPU has waited for it. Until then it
   * may be used. What is walked anew meanwhile, from memory as it is then, is not doomed any more.
   */
  broadcast(issuer: number, scope: Scope): void {
    if (this.#issuers === 0)
      throw new Error('an invalidation is broadcast, and the isa says that there is no such thing');
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      this.#forCovered(cpu, scope, ({ word }, values) => {
        const doomed = this.#doomedAt(issuer, word);
        this.#state.set(doomed, this.#state.words[doomed]! | (this.#state.words[word]! & values));
      });
      this.#forRoots(cpu, scope, (asid) => this.#state.set(this.#doomedAt(issuer, this.#asidBase(cpu, asid)), 1));
    }
    this.refillAll();
  }

  /** A CPU has waited for its broadcasts: what they doomed is gone. */
  broadcastsDone(issuer: number): void {
    if (this.#issuers === 0) return;
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      this.#forCovered(cpu, ALL_ENTRIES, (at, values) => {
        this.#drop(at, values & this.#state.words[this.#doomedAt(issuer, at.word)]!);
      });
      this.#forRoots(cpu, ALL_ENTRIES, (asid) => {
        if (this.#state.words[this.#doomedAt(issuer, this.#asidBase(cpu, asid))] !== 0) this.#dropRoot(cpu, asid);
      });
    }
    this.refillAll();
  }

  /** Lets every CPU fill from memory as it is now. After any change of a page-table entry, and after a table was freed. */
  refillAll(): void {
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) this.refill(cpu);
  }

  /** Lets one CPU fill. */
  refill(cpu: number): void {
    if (this.#processTable !== null) this.#findRoot(cpu);
    const root = this.liveRoot(cpu);
    if (root !== 0 && this.#translations !== null) {
      this.#lookUp(cpu, this.liveAsid(cpu), this.#translations);
      if (this.#translations.missesAnytime === true && this.#host.inUser(cpu))
        this.#miss(cpu, this.liveAsid(cpu), root);
    } else if (root !== 0) {
      for (let tag = 0; tag < this.#tagsOfOne; tag++) this.#fill(cpu, this.liveAsid(cpu) + tag, root);
    }
    const kernel = this.kernelRoot;
    if (kernel !== 0) this.#fill(cpu, this.kernelTag, kernel);
  }

  /** A CPU comes to user mode: it may miss, if nothing else fills its TLB then. */
  entersUser(cpu: number): void {
    if (this.#translations?.missesAnytime === true) this.refill(cpu);
  }

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
      const at = this.#mask(cpu, asid, level, Math.floor(page / this.#pagesPerEntry[level]!));
      for (let w = 0; w < MASK_WORDS; w++) {
        let bits = this.#state.words[at + w]!;
        while (bits !== 0) {
          const low = bits & -bits;
          bits ^= low;
          const number = w * BITS + (31 - Math.clz32(low));
          const entry = this.messages[number]!;
          if (entryPresent(entry) && (level === 0 || (entry & PSE) !== 0))
            visit(entry, number, this.#frame(entry, level, page));
        }
      }
    }
  }

  /** All that a CPU may hold, under whatever tag: leaves, and pointers to tables. */
  heldBy(cpu: number): Held[] {
    const found: Held[] = [];
    for (let tag = 0; tag <= this.#asids; tag++) {
      for (let level = 0; level < this.levels; level++) {
        const pages = this.#pagesPerEntry[level]!;
        for (let slot = 0; slot * pages < this.pages; slot++) {
          for (const entry of this.#valuesAt(this.#mask(cpu, tag, level, slot))) {
            const old = entry !== this.#entryAt(this.#rootOf(cpu, tag), level, slot * pages);
            const leaf = level === 0 || (entry & PSE) !== 0 || !entryPresent(entry);
            found.push({ tag, level, page: slot * pages, pages, leaf, old, entry });
          }
        }
      }
    }
    return found;
  }

  /**
   * May an access of a page under a tag fault whatever memory allows: is there an entry on the way that is cached as not valid, or a leaf
   * without one of the bits `need`?
   */
  mayFault(cpu: number, tag: number, page: number, need: number): boolean {
    if (this.#cachesInvalid === undefined) return false;
    for (let level = 0; level < this.levels; level++) {
      const at = this.#mask(cpu, tag, level, Math.floor(page / this.#pagesPerEntry[level]!));
      for (let w = 0; w < MASK_WORDS; w++) if ((this.#state.words[at + w]! & this.#absent[w]!) !== 0) return true;
    }
    let narrower = false;
    this.leavesUnder(cpu, tag, page, (entry) => {
      narrower ||= (entry & need) !== need;
    });
    return narrower;
  }

  /** Number of an entry value, -1 if no TLB ever held it. */
  numberOf(entry: Entry): number {
    return this.#numbers.get(entry) ?? -1;
  }

  /** May any CPU hold this leaf value for a page of a root, under whatever ASID? */
  isHeld(root: Address, page: number, number: number): boolean {
    const huge = (this.messages[number]! & PSE) !== 0;
    const word = Math.floor(number / BITS);
    const bit = 1 << (number % BITS);
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      for (let asid = 0; asid < this.#asids; asid++) {
        if (this.#state.words[this.#asidBase(cpu, asid)] !== root) continue;
        for (let level = huge ? 1 : 0; level < (huge ? this.levels : 1); level++) {
          const at = this.#mask(cpu, asid, level, Math.floor(page / this.#pagesPerEntry[level]!));
          if ((this.#state.words[at + word]! & bit) !== 0) return true;
        }
      }
    }
    return false;
  }

  /** Calls back with every leaf value that any CPU may hold for a page of a root, under whatever ASID; perhaps more than once. */
  held(root: Address, page: number, visit: VisitLeaf): void {
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      for (let asid = 0; asid < this.#asids; asid++) {
        if (this.#state.words[this.#asidBase(cpu, asid)] === root) this.leavesUnder(cpu, asid, page, visit);
      }
    }
  }

  /** The leaf entry that memory holds for a page under a root now; 0 if there is none. */
  inMemory(root: Address, page: number): Entry {
    const cell = this.leafCell(root, page);
    return cell === 0 ? 0 : this.#state.words[cell]!;
  }

  /**
   * The entry that an access of a page on the loaded context finds if nothing is cached: in the table of translations one that has the bits
   * `need`, if there is one, else in page tables; 0 if there is none.
   */
  found(cpu: number, page: number, need: number): Entry {
    if (this.#translations === null) return this.inMemory(this.liveRoot(cpu), page);
    const entries = this.#translations.lookup(
      (cell) => this.#state.words[cell]!,
      this.liveAsid(cpu),
      this.#address(page),
      cpu,
    );
    return entries.find((entry) => (entry & need) === need) ?? 0;
  }

  /** The frame that memory maps a page under a root to; 0 if there is no present entry. */
  frameInMemory(root: Address, page: number): Address {
    const cell = this.leafCell(root, page);
    const entry = cell === 0 ? 0 : this.#state.words[cell]!;
    return entryPresent(entry) ? this.#frame(entry, this.#level, page) : 0;
  }

  /** The frame that an entry, were it in this cell on the way to a page, would map the page to; 0 if it is not present. */
  frameAt(cell: Address, entry: Entry, root: Address, page: number): Address {
    return entryPresent(entry) ? this.#frame(entry, this.#levelOf(cell, root, page), page) : 0;
  }

  /** The cell of the leaf entry for a page under a root; 0 if a table is missing. */
  leafCell(root: Address, page: number): Address {
    let table = root;
    for (let level = this.levels - 1; ; level--) {
      if (table === 0) return 0;
      const cell = this.#cellAt(table, level, page);
      const entry = this.#state.words[cell]!;
      this.#level = level;
      if (level === 0 || (entry & PSE) !== 0) return cell;
      table = entryPresent(entry) ? entryTarget(entry) : 0;
    }
  }

  /** Is a cell on the way from a root to a page, as the tables above it are now? */
  isOnTheWay(cell: Address, root: Address, page: number): boolean {
    return this.#levelOf(cell, root, page) >= 0;
  }

  #levelOf(cell: Address, root: Address, page: number): number {
    let table = root;
    for (let level = this.levels - 1; table !== 0; level--) {
      const here = this.#cellAt(table, level, page);
      if (here === cell) return level;
      const entry = this.#state.words[here]!;
      table = level > 0 && entryPresent(entry) && (entry & PSE) === 0 ? entryTarget(entry) : 0;
    }
    return -1;
  }

  /** The frames that an entry maps: one, or with PSE a row of them, as at the lowest level that has huge leaves. */
  framesOf(entry: Entry): Frames {
    return { first: entryTarget(entry), count: (entry & PSE) === 0 ? 1 : this.#pagesPerEntry[1]! };
  }

  /** Does a dirty entry in any table map a page? */
  mappedDirty(page: Address): boolean {
    const { base, size, count } = this.#layout.pool('table');
    for (let cell = base; cell < base + size * count; cell++) {
      const entry = this.#state.words[cell]!;
      if (!pteDirty(entry) || !this.#layout.isEntry(this.#options, cell) || this.#host.freed(cell)) continue;
      const { first, count: row } = this.framesOf(entry);
      if (page >= first && page < first + row * Page.words) return true;
    }
    return false;
  }

  #cellAt(table: Address, level: number, page: number): Address {
    const { geometry } = this.#options;
    return table + (Math.floor(page / this.#pagesPerEntry[level]!) % tableEntries(geometry, level));
  }

  #frame(entry: Entry, level: number, page: number): Address {
    const target = entryTarget(entry);
    return level === 0 ? target : target + (page % this.#pagesPerEntry[level]!) * Page.words;
  }

  #address(page: number): number {
    return page * 2 ** this.#options.geometry.pageShift;
  }

  /** Caches what the table of translations holds for an ASID. */
  #lookUp(cpu: number, asid: number, table: TranslationTable): void {
    this.#filled = false;
    const load = (cell: Address): number => this.#state.words[cell]!;
    for (let page = 0; page < this.pages; page++) {
      const entries = table.lookup(load, asid, this.#address(page), cpu);
      if (entries.length > 1) this.#host.foundTwice(cpu, page);
      for (const entry of entries) {
        if ((entry & this.#cacheable) !== this.#cacheable) continue;
        const level = (entry & PSE) === 0 ? 0 : 1;
        this.#add(cpu, asid, level, Math.floor(page / this.#pagesPerEntry[level]!), entry, 0);
      }
    }
    if (this.#filled && this.#sizesDiffer()) this.#checkSizes(cpu, asid);
  }

  /** Caches what a miss handler finds for each page now, in pieces of the size of base pages. */
  #miss(cpu: number, asid: number, root: Address): void {
    for (let page = 0; page < this.pages; page++) {
      const part = this.#missed(root, page);
      if (part !== 0) this.#add(cpu, asid, 0, page, part, 0);
    }
  }

  /** What a miss handler finds for a page in page tables; 0 if nothing that may be cached. */
  #missed(root: Address, page: number): Entry {
    const entry = this.inMemory(root, page);
    if ((entry & this.#cacheable) !== this.#cacheable) return 0;
    if ((entry & PSE) === 0) return entry;
    return mkEntry(this.#frame(entry, this.#level, page), entryFlags(entryClear(entry, PSE)));
  }

  #fill(cpu: number, tag: number, root: Address): void {
    this.#filled = false;
    this.#walk(cpu, tag, this.levels - 1, root, 0, 0);
    if (this.#filled && this.#sizesDiffer()) this.#checkSizes(cpu, tag);
  }

  /** Looks for a huge leaf with a smaller one below it. */
  #checkSizes(cpu: number, tag: number): void {
    for (let page = 0; page < this.pages; page++) {
      let sizes = 0;
      for (let level = 0; level < this.levels; level++) if (this.#hasLeaf(cpu, tag, level, page)) sizes++;
      if (sizes > 1 || this.#inAndOutOfBlock(cpu, tag, page)) this.#host.twoSizes(cpu, page, tag === this.kernelTag);
    }
  }

  /** Are there leaves of more than one size? */
  #sizesDiffer(): boolean {
    return (
      this.#huge.some((bits) => bits !== 0) ||
      (this.#contiguous?.conflicts === true && this.#inBlocks.some((bits) => bits !== 0))
    );
  }

  /** May a page be cached as one of a block, and by itself? */
  #inAndOutOfBlock(cpu: number, tag: number, page: number): boolean {
    if (this.#contiguous?.conflicts !== true) return false;
    const at = this.#mask(cpu, tag, 0, page);
    let within = 0;
    let alone = 0;
    for (let w = 0; w < MASK_WORDS; w++) {
      const held = this.#state.words[at + w]! & ~this.#absent[w]!;
      within |= held & this.#inBlocks[w]!;
      alone |= held & ~this.#inBlocks[w]!;
    }
    return within !== 0 && alone !== 0;
  }

  #hasLeaf(cpu: number, tag: number, level: number, page: number): boolean {
    const at = this.#mask(cpu, tag, level, Math.floor(page / this.#pagesPerEntry[level]!));
    for (let w = 0; w < MASK_WORDS; w++)
      if ((this.#state.words[at + w]! & (level === 0 ? ~this.#absent[w]! : this.#huge[w]!)) !== 0) return true;
    return false;
  }

  /** @param doomed CPUs whose broadcasts have doomed the way to the table */
  #walk(cpu: number, asid: number, level: number, table: Address, prefix: number, doomed: number): void {
    if (this.#host.freed(table)) {
      this.#host.freedTable(cpu, table);
      return;
    }
    if (this.#layout.indexIn('table', table) < 0) return;
    const entries = tableEntries(this.#options.geometry, level);
    for (let i = 0; i < entries; i++) {
      const slot = prefix * entries + i;
      this.#read(cpu, asid, level, slot, this.#state.words[table + i]!, doomed);
      this.#host.olderEntries?.(cpu, table + i, (entry, by) => this.#read(cpu, asid, level, slot, entry, doomed | by));
      if (level === 0) continue;
      const at = this.#mask(cpu, asid, level, slot);
      for (let w = 0; w < MASK_WORDS; w++) {
        let bits = this.#state.words[at + w]!;
        while (bits !== 0) {
          const low = bits & -bits;
          bits ^= low;
          const pointer = this.messages[w * BITS + (31 - Math.clz32(low))]!;
          if ((pointer & PSE) !== 0 || !entryPresent(pointer)) continue;
          const by = this.#issuers === 0 ? 0 : this.#doomedBy(at + w, low);
          this.#walk(cpu, asid, level - 1, entryTarget(pointer), slot, by);
        }
      }
    }
  }

  /** A walk has read an entry. */
  #read(cpu: number, asid: number, level: number, slot: number, entry: Entry, doomed: number): void {
    const bits = level === 0 || (entry & PSE) !== 0 ? this.#cacheable : PRESENT;
    if ((entry & bits) === bits) {
      this.#add(cpu, asid, level, slot, entry, doomed);
      if (level === 0) this.#addBlock(cpu, asid, slot, entry, doomed);
    } else if (this.#cachesInvalid !== undefined && !entryPresent(entry)) this.#add(cpu, asid, level, slot, 0, doomed);
  }

  /** What an entry that belongs to a block says of the others. */
  #addBlock(cpu: number, asid: number, slot: number, entry: Entry, doomed: number): void {
    if (this.#contiguous === undefined || (entry & this.#contiguous.flag) === 0) return;
    const { entries } = this.#contiguous;
    const first = slot - (slot % entries);
    for (let other = first; other < first + entries; other++) {
      const frame = entryTarget(entry) + (other - slot) * Page.words;
      if (other !== slot) this.#add(cpu, asid, 0, other, mkEntry(frame, entryFlags(entry)), doomed);
    }
  }

  #number(entry: Entry): number {
    let number = this.#numbers.get(entry);
    if (number === undefined) {
      number = this.messages.length;
      if (number >= MAX_MESSAGES)
        throw new RangeError(`more than ${MAX_MESSAGES} page-table entry values in one scenario: make it smaller`);
      this.#numbers.set(entry, number);
      this.messages.push(entry);
      if (entryPresent(entry) && (entry & NX) === 0) setBit(this.#executable, number);
      const of = entryPresent(entry) ? this.#huge : this.#absent;
      if ((entry & PSE) !== 0 || of === this.#absent) setBit(of, number);
      if (this.#contiguous !== undefined && (entry & this.#contiguous.flag) !== 0) setBit(this.#inBlocks, number);
    }
    return number;
  }

  #add(cpu: number, asid: number, level: number, slot: number, entry: Entry, doomed: number): void {
    const number = this.#number(entry);
    const at = this.#mask(cpu, asid, level, slot) + Math.floor(number / BITS);
    const old = this.#state.words[at]!;
    const bit = 1 << (number % BITS);
    const held = (old & bit) !== 0;
    if (this.#issuers !== 0) this.#doom(at, bit, held ? doomed & this.#doomedBy(at, bit) : doomed);
    if (held) return;
    this.#filled = true;
    this.#state.set(at, old | bit);
  }

  #asidBase(cpu: number, asid: number): number {
    return this.#base + cpu * this.#cpuWords + 2 + asid * this.#asidWords;
  }

  #mask(cpu: number, asid: number, level: number, slot: number): number {
    return this.#asidBase(cpu, asid) + this.#levelOffset[level]! + slot * MASK_WORDS;
  }

  #anyIn(cpu: number, asid: number): boolean {
    const at = this.#asidBase(cpu, asid);
    for (let i = 1; i < this.#asidWords; i++)
      if ((this.#state.words[at + i]! & ~this.#absent[(i - 1) % MASK_WORDS]!) !== 0) return true;
    return false;
  }

  #clearAsid(cpu: number, asid: number): void {
    const at = this.#asidBase(cpu, asid);
    if (this.onRemoval !== undefined) {
      for (let level = 0; level < this.levels; level++) {
        const slots = this.pages / this.#pagesPerEntry[level]!;
        for (let slot = 0; slot < slots; slot++) {
          const mask = this.#mask(cpu, asid, level, slot);
          for (let w = 0; w < MASK_WORDS; w++) this.#tell(cpu, asid, level, slot, w, this.#state.words[mask + w]!);
        }
      }
    }
    for (let i = 1; i < this.#asidWords; i++) {
      this.#state.set(at + i, 0);
      this.#forget(at + i, -1);
    }
  }

  /** Tells of values that go: bits of one word of a mask. */
  #tell(cpu: number, tag: number, level: number, slot: number, word: number, gone: number): void {
    const root = this.#rootOf(cpu, tag);
    const page = slot * this.#pagesPerEntry[level]!;
    const now = this.#findable(cpu, tag, root, level, page);
    for (let bits = gone; bits !== 0; bits &= bits - 1) {
      const entry = this.messages[word * BITS + (31 - Math.clz32(bits & -bits))]!;
      const leaf = level === 0 || (entry & PSE) !== 0 || !entryPresent(entry);
      this.onRemoval!({ cpu, tag, level, page, leaf, old: !now.includes(entry) });
    }
  }

  /** What the hardware of a CPU could find now for a page under a tag, at a level. */
  #findable(cpu: number, tag: number, root: Address, level: number, page: number): readonly Entry[] {
    const table = tag === this.kernelTag ? null : this.#translations;
    if (table === null) return [this.#entryAt(root, level, page)];
    const load = (cell: Address): number => this.#state.words[cell]!;
    if (table.missesAnytime !== true) return table.lookup(load, tag, this.#address(page), cpu);
    // Such a table is that of the context that is loaded; what a miss of any other one would find there is in page tables.
    const found = tag === this.liveAsid(cpu) ? table.lookup(load, tag, this.#address(page), cpu) : [];
    return [...found, this.#missed(root, page)];
  }

  /** The root under a tag of a CPU. */
  #rootOf(cpu: number, tag: number): Address {
    return tag === this.kernelTag ? this.kernelRoot : this.#state.words[this.#asidBase(cpu, tag)]!;
  }

  /** The values of a set. */
  #valuesAt(mask: number): Entry[] {
    return this.messages.filter((_, number) => {
      const word = this.#state.words[mask + Math.floor(number / BITS)]!;
      return (word & (1 << (number % BITS))) !== 0;
    });
  }

  /** The entry of a level on the way from a root to a page, as memory has it; 0 if a table is missing. */
  #entryAt(root: Address, level: number, page: number): Entry {
    let table = root;
    for (let l = this.levels - 1; table !== 0; l--) {
      const entry = this.#state.words[this.#cellAt(table, l, page)]!;
      if (l === level) return entry;
      table = entryPresent(entry) && (entry & PSE) === 0 ? entryTarget(entry) : 0;
    }
    return 0;
  }

  #slots(level: number, extent: Extent): [number, number] {
    const size = 2 ** entryShift(this.#options.geometry, level);
    const count = this.pages / 2 ** (entryShift(this.#options.geometry, level) - this.#options.geometry.pageShift);
    if (extent.start >= extent.end) return [0, 0];
    return [Math.floor(extent.start / size), Math.min(count, Math.ceil(extent.end / size))];
  }

  /** Calls back with each word of the sets that a scope touches on a CPU, and which of its values it covers. */
  #forCovered(cpu: number, scope: Scope, visit: (at: MaskWord, values: number) => void): void {
    for (let tag = 0; tag <= this.#asids; tag++) {
      if (tag === this.kernelTag ? !scope.globals : scope.asid !== ALL_ASIDS && scope.asid !== tag) continue;
      const hinted = (level: number): boolean => scope.level === undefined || scope.level === level;
      const goes = (w: number): number => (scope.data === true ? ~this.#executable[w]! : -1);
      if (hinted(0)) this.#forWords(cpu, tag, 0, scope.leaves, (at) => visit(at, goes(at.w)));
      for (let level = 1; level < this.levels; level++) {
        // What is not valid led nowhere: a leaf, or as the hardware has it.
        const leaf = (w: number): number => this.#huge[w]! | (this.#cachesInvalid === 'leaves' ? this.#absent[w]! : 0);
        this.#forWords(cpu, tag, level, scope.walks, (at) => visit(at, ~leaf(at.w)));
        if (hinted(level)) this.#forWords(cpu, tag, level, scope.leaves, (at) => visit(at, leaf(at.w) & goes(at.w)));
      }
    }
  }

  /** Calls back with each tag of a CPU of which a scope covers the root that is cached, if roots are. */
  #forRoots(cpu: number, scope: Scope, visit: (asid: number) => void): void {
    if (this.#processTable === null || scope.roots !== true) return;
    for (let asid = 0; asid < this.#asids; asid++) {
      const covered = scope.asid === ALL_ASIDS || scope.asid === asid;
      if (covered && this.#state.words[this.#asidBase(cpu, asid)] !== 0) visit(asid);
    }
  }

  /** A CPU whose tag has no root looks for one: its tag may be another mm's by now. */
  #findRoot(cpu: number): void {
    const asid = this.liveAsid(cpu);
    if (asid <= 0 || this.#state.words[this.#asidBase(cpu, asid)] !== 0) return;
    const root = this.#state.words[this.#processTable! + asid]!;
    if (root === 0) return;
    if (!this.roots.includes(root)) this.roots.push(root);
    this.#state.set(this.#asidBase(cpu, asid), root);
    this.#state.set(this.#base + cpu * this.#cpuWords + 1, root);
  }

  /** Drops the root that is cached of a tag. It comes back at once if the tag is loaded and the table still has one. */
  #dropRoot(cpu: number, asid: number): void {
    const owner = this.#asidBase(cpu, asid);
    this.#forget(owner, -1);
    const live = this.liveAsid(cpu) === asid;
    if (live && this.#state.words[this.#processTable! + asid] !== 0) return;
    this.#state.set(owner, 0);
    if (live) this.#state.set(this.#base + cpu * this.#cpuWords + 1, 0);
  }

  #forWords(cpu: number, tag: number, level: number, extent: Extent, visit: (at: MaskWord) => void): void {
    const [from, to] = this.#slots(level, extent);
    for (let slot = from; slot < to; slot++) {
      const word = this.#mask(cpu, tag, level, slot);
      for (let w = 0; w < MASK_WORDS; w++) visit({ cpu, tag, level, slot, w, word: word + w });
    }
  }

  /** Drops values from a word of a set. */
  #drop({ cpu, tag, level, slot, w, word }: MaskWord, values: number): void {
    const old = this.#state.words[word]!;
    if ((old & values) === 0) return;
    if (this.onRemoval !== undefined) this.#tell(cpu, tag, level, slot, w, old & values);
    this.#state.set(word, old & ~values);
    this.#forget(word, values);
  }

  /** What is not held is not doomed either. */
  #forget(word: number, values: number): void {
    for (let issuer = 0; issuer < this.#issuers; issuer++) {
      const at = this.#doomedAt(issuer, word);
      this.#state.set(at, this.#state.words[at]! & ~values);
    }
  }

  /** Where it stands which values of a word of a set the broadcasts of a CPU have doomed. */
  #doomedAt(issuer: number, word: number): number {
    return word + (1 + issuer) * this.#options.cpus * this.#cpuWords;
  }

  /** CPUs whose broadcasts have doomed a value, as a mask. */
  #doomedBy(word: number, bit: number): number {
    let issuers = 0;
    for (let issuer = 0; issuer < this.#issuers; issuer++)
      if ((this.#state.words[this.#doomedAt(issuer, word)]! & bit) !== 0) issuers |= 1 << issuer;
    return issuers;
  }

  /** A value was walked: it is as doomed as the way to it. */
  #doom(word: number, bit: number, issuers: number): void {
    for (let issuer = 0; issuer < this.#issuers; issuer++) {
      const at = this.#doomedAt(issuer, word);
      const old = this.#state.words[at]!;
      this.#state.set(at, (issuers & (1 << issuer)) !== 0 ? old | bit : old & ~bit);
    }
  }
}

/** A word of the set of one path. */
interface MaskWord {
  readonly cpu: number;
  readonly tag: number;
  readonly level: number;
  readonly slot: number;
  /** Which word of the set. */
  readonly w: number;
  /** Where it stands. */
  readonly word: number;
}

/** Puts a value into a mask of values. */
function setBit(mask: Int32Array, number: number): void {
  mask[Math.floor(number / BITS)] = mask[Math.floor(number / BITS)]! | (1 << (number % BITS));
}

function slotsPerLevel({ bits }: Geometry): number[] {
  return bits.map((_, level) => 2 ** bits.slice(level).reduce((a, b) => a + b, 0));
}
