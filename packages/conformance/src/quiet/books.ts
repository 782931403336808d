/**
 * Books: what the memory of a quiet state says about itself. Each object is found from the live mms, and everything that refers to it is
 * counted; what the objects themselves say, the clauses compare with that.
 *
 *     mm    ->  VMAs in the order of their list
 *     pgd   ->  tables, each with the number of ways to it  ->  leaf entries
 *     upper table  ->  deposited tables
 *     leaf  ->  pages: references (present and swap entries) and mappings (present ones)
 *     file  ->  pages of its cache, and the VMAs on its list
 */
import {
  type Address,
  AddressSpace,
  type Entry,
  entryPresent,
  entrySize,
  entryTarget,
  FILE_PAGES,
  isSwapPte,
  isMigrationPte,
  type Kernel,
  Mm,
  Page,
  ptePresent,
  PSE,
  SPECIAL,
  tableDeposit,
  tableEntries,
  Vma,
} from '@mmu-gather/core/stepped';
import type { Quiet } from '@mmu-gather/checker';

/** An entry that maps something, or stands for what was mapped. */
export interface Leaf {
  /** Whose it is. */
  readonly mm: Mm;
  /** First address that it maps. */
  readonly address: number;
  /** Bytes that it maps. */
  readonly size: number;
  /** The entry. */
  readonly entry: Entry;
}

/** A table below the top, and the addresses that it serves. */
export interface Table {
  /** Whose it is. */
  readonly mm: Mm;
  /** The table. */
  readonly table: Address;
  /** First address that it maps. */
  readonly address: number;
  /** Bytes that it maps. */
  readonly size: number;
}

/** Times that each object is referred to. */
export class Count {
  readonly #times = new Map<Address, number>();

  /** One more. */
  add(object: Address): void {
    this.#times.set(object, this.of(object) + 1);
  }

  /** How often; 0 if never. */
  of(object: Address): number {
    return this.#times.get(object) ?? 0;
  }
}

/** The books of one quiet state. */
export class Books {
  /** The state. */
  readonly now: Quiet;
  /** What runs in it. */
  readonly kernel: Kernel;
  /** Mms that were allocated and not given back. */
  readonly mms: Mm[] = [];
  /** The VMAs of each, in the order of their list. */
  readonly vmas: Map<Address, Vma[]> = new Map();
  /** Leaf entries that are not none, of user addresses. */
  readonly leaves: Leaf[] = [];
  /** Those of kernel addresses. */
  readonly kernelLeaves: Leaf[] = [];
  /** Tables below the top that entries lead to, of user addresses. */
  readonly tables: Table[] = [];
  /** Ways to each table: entries, deposits, and an mm's pgd. */
  readonly ways: Count = new Count();
  /** What holds a reference to each page: entries and files. */
  readonly references: Count = new Count();
  /** Entries that map each page. */
  readonly mappings: Count = new Count();
  /** Pages that entries map without counting them: of the kernel, or special ones. */
  readonly frames: Set<Address> = new Set();
  /** Places of each VMA on the lists of mms and files. */
  readonly places: Count = new Count();

  constructor(now: Quiet, kernel: Kernel) {
    this.now = now;
    this.kernel = kernel;
    now.forLive('mm', (address) => this.#mm(Mm.at(address)));
    now.forLive('mapping', (address) => this.#file(AddressSpace.at(address)));
    this.#root(Mm.at(kernel.initMm), this.kernelLeaves);
    for (const { entry } of this.leaves) this.#refer(entry);
    for (const { entry } of this.kernelLeaves) this.frames.add(entryTarget(entry));
  }

  /** Pages in a row that a leaf maps. */
  pagesOf({ entry }: Pick<Leaf, 'entry'>): Address[] {
    const count = (entry & PSE) === 0 ? 1 : tableEntries(this.kernel.geometry, 0);
    return Array.from({ length: count }, (_, i) => entryTarget(entry) + i * Page.words);
  }

  /** The VMA of an mm that holds an address. */
  vmaAt(mm: Mm, address: number): Vma | undefined {
    const { peek } = this.now;
    return this.vmas.get(mm.address)?.find((vma) => peek(vma.start) <= address && address < peek(vma.end));
  }

  #mm(mm: Mm): void {
    this.mms.push(mm);
    this.vmas.set(
      mm.address,
      this.#list(mm.mmap, (vma) => vma.next),
    );
    this.#root(mm, this.leaves);
  }

  #file(file: AddressSpace): void {
    for (let i = 0; i < FILE_PAGES; i++) {
      const page = this.now.peek(file.pages + i);
      if (page !== 0) this.references.add(page);
    }
  }

  /** The VMAs on a list. One that leads back to itself ends where it does. */
  #list(head: number, link: (vma: Vma) => number): Vma[] {
    const found: Vma[] = [];
    for (let at = this.now.peek(head); at !== 0; at = this.now.peek(link(Vma.at(at)))) {
      const vma = Vma.at(at);
      if (found.includes(vma)) break;
      found.push(vma);
      this.places.add(at);
    }
    return found;
  }

  #root(mm: Mm, leaves: Leaf[]): void {
    const pgd = this.now.peek(mm.pgd);
    if (pgd === 0) return;
    this.ways.add(pgd);
    this.#walk(mm, pgd, this.kernel.geometry.bits.length - 1, 0, leaves);
  }

  #walk(mm: Mm, table: Address, level: number, from: number, leaves: Leaf[]): void {
    const { geometry } = this.kernel;
    const { peek, live } = this.now;
    const size = entrySize(geometry, level);
    const entries = tableEntries(geometry, level);
    for (let i = 0; i < entries; i++) {
      const entry = peek(table + i);
      if (entry === 0) continue;
      const address = from + i * size;
      if (level === 0 || (entry & PSE) !== 0) {
        leaves.push({ mm, address, size, entry });
        continue;
      }
      const lower = entryTarget(entry);
      this.ways.add(lower);
      if (leaves === this.leaves) this.tables.push({ mm, table: lower, address, size });
      if (entryPresent(entry) && live(lower)) this.#walk(mm, lower, level - 1, address, leaves);
    }
    if (level === 1) this.#deposits(table);
  }

  #deposits(upper: Address): void {
    const { geometry } = this.kernel;
    const deposit = (table: Address): Address => this.now.peek(tableDeposit(geometry, table));
    // A list that leads back to itself ends where it does.
    for (let at = deposit(upper); at !== 0 && this.ways.of(at) < 2; at = deposit(at)) this.ways.add(at);
  }

  #refer(entry: Entry): void {
    if (isMigrationPte(entry)) return;
    if (ptePresent(entry) && (entry & SPECIAL) !== 0) {
      this.frames.add(entryTarget(entry));
      return;
    }
    for (const page of this.pagesOf({ entry })) {
      this.references.add(page);
      if (!isSwapPte(entry)) this.mappings.add(page);
    }
  }
}
