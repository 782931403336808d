/**
 * User accesses: which translations a load or store from user mode may go through, and what it does then.
 *
 * The adversary chooses: any entry that the TLB may hold and that allows the access, or, as every entry may have been
 * evicted, a fault where memory's present entry does not allow it. User data is not ordered by the memory model: loads and
 * stores go to memory.
 */
import { DIRTY, type Entry, entryTarget, FAULT, Page, PRESENT, RW, USER } from '@mmu-gather/core/stepped';
import type { Memory } from './memory.ts';
import type { Mmu } from './mmu.ts';
import type { State } from './state.ts';

/** User accesses of one machine. */
export class UserAccess {
  readonly #state: State;
  readonly #mmu: Mmu;
  readonly #memory: Memory;

  constructor(state: State, mmu: Mmu, memory: Memory) {
    this.#state = state;
    this.#mmu = mmu;
    this.#memory = memory;
  }

  /** The entries that an access may go through now; `undefined` stands for a fault. */
  translations(cpu: number, address: number, write: boolean): (Entry | undefined)[] {
    const page = this.#mmu.page(address);
    const need = PRESENT | USER | (write ? RW : 0);
    const now = this.#mmu.inMemory(this.#mmu.liveRoot(cpu), page);
    const through: (Entry | undefined)[] = [];
    this.#mmu.leaves(cpu, page, (entry) => {
      if ((entry & need) !== need) return;
      // A store through a clean entry walks again, to set the dirty bit in memory: only the present entry can pass.
      if (write && (entry & DIRTY) === 0 && entry !== now) return;
      through.push(entry);
    });
    if ((now & need) !== need) through.push(undefined);
    return through;
  }

  /** Performs an access through one of its translations. Returns the word read, 0 for a store, or FAULT. */
  perform(cpu: number, address: number, write: boolean, value: number, choice: number): number {
    const entry = this.translations(cpu, address, write)[choice];
    if (entry === undefined) return FAULT;
    const data = Page.at(entryTarget(entry)).data;
    if (!write) return this.#state.words[data]!;
    if ((entry & DIRTY) === 0) {
      this.#memory.exchange(cpu, this.#mmu.leafCell(this.#mmu.liveRoot(cpu), this.#mmu.page(address)), entry + DIRTY);
    }
    this.#state.set(data, value);
    return 0;
  }
}
