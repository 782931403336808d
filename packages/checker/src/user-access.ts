/**
 * User accesses: which translations a load or store from user mode may go through, and what it does then.
 *
 * The adversary chooses: any entry that the TLB may hold and that allows the access, or, as every entry may have been
 * evicted, a fault where memory's present entry does not allow it. Where the hardware looks into a table of translations, a fault is
 * also a miss: nothing there allows it; where entries that are not valid are cached, memory may have changed since. User data is not ordered by the memory model: loads and
 * stores go to memory. Loads of the kernel through its own page table are alike.
 */
import {
  ACCESSED,
  type Address,
  DIRTY,
  type Entry,
  FAULT,
  type Isa,
  Page,
  PRESENT,
  RW,
  USER,
} from '@mmu-gather/core/stepped';
import type { Memory } from './memory.ts';
import type { Mmu } from './mmu/mmu.ts';
import type { State } from './state.ts';

/** One way to translate. */
export interface Translation {
  /** The entry. */
  readonly entry: Entry;
  /** The page that it leads to. */
  readonly frame: Address;
}

/** User accesses of one machine. */
export class UserAccess {
  readonly #state: State;
  readonly #mmu: Mmu;
  readonly #memory: Memory;
  readonly #cleanWalks: boolean;
  readonly #load: number;
  readonly #store: number;
  readonly #stored: (cpu: number, page: Address) => void;

  /**
   * @param isa who sets accessed and dirty bits, and what a store through a clean entry does
   * @param stored called when a store has changed a page
   */
  constructor(state: State, mmu: Mmu, memory: Memory, isa: Isa, stored: (cpu: number, page: Address) => void) {
    this.#state = state;
    this.#mmu = mmu;
    this.#memory = memory;
    this.#cleanWalks = isa.cleanWalks;
    this.#load = PRESENT | USER | (isa.accessed === 'software' ? ACCESSED : 0);
    this.#store = this.#load | RW | (isa.dirty === 'software' ? DIRTY : 0);
    this.#stored = stored;
  }

  /**
   * The translations that an access may go through now, in an order that follows from what they are; `undefined` stands for a fault.
   * @param loaded what the TLB may hold for it, it holds
   */
  translations(cpu: number, address: number, write: boolean, loaded = false): (Translation | undefined)[] {
    const page = this.#mmu.page(address);
    const need = write ? this.#store : this.#load;
    const now = this.#mmu.found(cpu, page, need);
    const through: Translation[] = [];
    this.#mmu.leaves(cpu, page, (entry, _number, frame) => {
      if ((entry & need) !== need) return;
      // To set the dirty bit in memory it walks again: only the present entry can pass.
      if (write && this.#cleanWalks && (entry & DIRTY) === 0 && entry !== now) return;
      through.push({ entry, frame });
    });
    through.sort(inOrder);
    const misses = (now & need) !== need && !(loaded && through.length > 0);
    return misses || this.#mmu.userMayFault(cpu, page, need) ? [...through, undefined] : through;
  }

  /** The translations that a load of the kernel through its own table may go through now. */
  kernelTranslations(cpu: number, address: number): (Translation | undefined)[] {
    const page = this.#mmu.page(address);
    const through: Translation[] = [];
    this.#mmu.kernelLeaves(cpu, page, (entry, _number, frame) => through.push({ entry, frame }));
    through.sort(inOrder);
    const root = this.#mmu.kernelRoot;
    const mayFault = this.#mmu.mayFault(cpu, this.#mmu.kernelTag, page, PRESENT);
    const faults = root === 0 || mayFault || (this.#mmu.inMemory(root, page) & PRESENT) === 0;
    return faults ? [...through, undefined] : through;
  }

  /** Performs a load of the kernel through one of its translations. Returns the word read, or FAULT. */
  kernelRead(cpu: number, address: number, choice: number): number {
    const through = this.kernelTranslations(cpu, address)[choice];
    return through === undefined ? FAULT : this.#state.words[Page.at(through.frame).data]!;
  }

  /** Performs an access through one of its translations. Returns the word read, 0 for a store, or FAULT. */
  perform(cpu: number, address: number, write: boolean, value: number, choice: number): number {
    const through = this.translations(cpu, address, write)[choice];
    if (through === undefined) return FAULT;
    const { entry, frame } = through;
    const { data } = Page.at(frame);
    if (!write) return this.#state.words[data]!;
    const cell = this.#mmu.leafCell(this.#mmu.liveRoot(cpu), this.#mmu.page(address));
    if ((entry & DIRTY) === 0 && this.#state.words[cell] === entry) this.#memory.exchange(cpu, cell, entry + DIRTY);
    this.#state.set(data, value);
    this.#stored(cpu, frame);
    return 0;
  }
}

function inOrder(a: Translation, b: Translation): number {
  return a.entry - b.entry || a.frame - b.frame;
}
